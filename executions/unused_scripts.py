"""Script texts that nothing refers to any more, and their removal. `executions.jobs` calls it.

Whoever pins a text that is stored already locks its row until its own row is committed (`flows.models.PIN`), so a
text is never taken away from under something that is just being made.
"""

from functools import cache

from django.db import transaction

from executions.database import fetch
from executions.housekeeping import Done, Turn
from executions.models import Execution
from flows.models import Script

PAGE = 500  # scripts that are looked at in one transaction
# Executions of a flow run its versions, which keep the texts: only the others are asked, and have an index for it.
_OTHERS = "AND (r.flow_id IS NULL OR NOT (r.type = 'FLOW'))"

_NEXT = """
SELECT max(sha256) FROM (SELECT sha256 FROM flows_script WHERE sha256 > %s ORDER BY sha256 LIMIT %s) page
"""
_LOCK = """
SELECT sha256 FROM flows_script s WHERE sha256 > %(after)s AND sha256 <= %(last)s
    AND created_at < now() - interval '1 day' AND {unused} FOR UPDATE SKIP LOCKED
"""
# A statement of its own behind the lock: only then does it see what was committed before that.
_REMOVE = "DELETE FROM flows_script s WHERE sha256 = ANY(%s) AND {unused} RETURNING 1"


def remove_scripts(turn: Turn) -> Done:
    """Remove texts that are older than a day and that nothing refers to."""
    count, after = 0, ""
    while last := fetch(_NEXT, (after, PAGE))[0][0]:
        with transaction.atomic():
            found = fetch(_LOCK.format(unused=_unused()), {"after": after, "last": last})
            if found:
                count += len(fetch(_REMOVE.format(unused=_unused()), ([row[0] for row in found],)))
        after = last
        if not turn.rest():
            return Done(count, has_more=True)
    return Done(count)


@cache
def _unused() -> str:
    """Return the condition that no row of any table refers to the script `s`."""
    conditions = []
    for relation in Script._meta.get_fields(include_hidden=True):
        if relation.is_relation and relation.auto_created:
            model, column = relation.related_model, relation.field.column  # type: ignore[union-attr]
            others = _OTHERS if model is Execution else ""
            table = model._meta.db_table  # type: ignore[union-attr]
            conditions.append(f"NOT EXISTS (SELECT 1 FROM {table} r WHERE r.{column} = s.sha256 {others})")
    return " AND ".join(conditions)
