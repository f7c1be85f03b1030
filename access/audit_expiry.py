"""Removal of audit entries that are kept no longer: the one way past the protection of their table.

The database lets entries go only in a transaction that says for how many days they are kept, and only older ones.
The housekeeping calls it (`engine_site.jobs`).
"""

from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from records import configuration
from records.identifiers import first_id_at

BATCH = 1_000
_REMOVE = """
DELETE FROM access_auditentry WHERE id IN (
    SELECT id FROM access_auditentry WHERE id < %s AND at < now() - %s * interval '1 day' ORDER BY id LIMIT %s)
"""


def remove_old_entries(most: int = BATCH) -> int:
    """Remove some of the entries that are older than `AUDIT_DAYS`; returns how many. By default none ever are."""
    days = configuration.value("AUDIT_DAYS")
    if not days:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('engine.audit_days', %s, true)", [str(days)])
        cursor.execute(_REMOVE, [first_id_at(timezone.now() - timedelta(days=days)), days, most])
        removed = cursor.rowcount
        cursor.execute("SELECT set_config('engine.audit_days', '', true)")
    return removed
