"""What can be done to any record: save with audit fields, trash, restore. Doors call these."""

from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from records.models import Record, RecordIsReadonly

R = TypeVar("R", bound=Record)


def save_record(record: R, *, by: Any, **fields: Any) -> R:
    """Set `fields`, check everything and store the record with its audit fields.

    Raises ValidationError (each wrong field named) and RecordIsReadonly, unless the save clears that mark.
    """
    if not record._state.adding and record.is_readonly and fields.get("is_readonly") is not False:
        raise RecordIsReadonly(record)
    for name, value in fields.items():
        setattr(record, name, value)
    record.modified_at, record.modified_by = timezone.now(), by
    if record._state.adding:
        record.created_at, record.created_by = record.modified_at, by
    with transaction.atomic():
        record.full_clean()
        record.save()
    return record


def trash_record(record: R, *, by: Any) -> R:
    """Put the record into the trash, where its name is free for others. Trashing twice changes nothing."""
    if record.is_readonly:
        raise RecordIsReadonly(record)
    if record.deleted_at is None:
        record.deleted_at, record.deleted_by = timezone.now(), by
        record.save(update_fields=["deleted_at", "deleted_by"])
    return record


def restore_record(record: R) -> R:
    """Take the record out of the trash. Raises ValidationError when its name is taken meanwhile."""
    record.deleted_at = record.deleted_by = None
    with transaction.atomic():
        record.validate_constraints()
        record.save(update_fields=["deleted_at", "deleted_by"])
    return record
