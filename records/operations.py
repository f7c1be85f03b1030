"""What can be done to any record: save with audit fields, trash, restore. Doors call these."""

from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from records.changes import tell
from records.models import Record, RecordIsReadonly

R = TypeVar("R", bound=Record)


class Conflict(Exception):
    """The present state of a record does not allow this; the message says why. Flows see it as an EngineException."""


def save_record(record: R, *, by: Any, **fields: Any) -> R:
    """Set `fields`, check everything and store the record with its audit fields.

    Raises ValidationError (each wrong field named) and RecordIsReadonly, unless the save clears that mark.
    Only the operations of bundles set `bundle`: what belongs to a read-only one is changed by nobody else.
    """
    if not record._state.adding and _is_closed(record, fields):
        raise RecordIsReadonly(record)
    is_new = record._state.adding
    before = {name: None if is_new else getattr(record, name, None) for name in fields}
    for name, value in fields.items():
        setattr(record, name, value)
    record.modified_at, record.modified_by = timezone.now(), by
    if is_new:
        record.created_at, record.created_by = record.modified_at, by
    with transaction.atomic():
        record.full_clean()
        record.save()
        after = {name: getattr(record, name, None) for name in before}
        changes = {name: (old, after[name]) for name, old in before.items() if old != after[name]}
        if is_new or changes:
            tell("create" if is_new else "update", record, by=by, changes=changes)
    return record


def _is_closed(record: Record, fields: dict[str, Any]) -> bool:
    if "bundle" in fields:
        return False
    if fields.get("is_readonly") is False:
        return getattr(record, "is_bundle_readonly", False)
    return record.is_locked


def trash_record(record: R, *, by: Any) -> R:
    """Put the record into the trash, where its name is free for others. Trashing twice changes nothing."""
    if record.is_locked:
        raise RecordIsReadonly(record)
    if record.deleted_at is None:
        record.deleted_at, record.deleted_by = timezone.now(), by
        with transaction.atomic():
            record.save(update_fields=["deleted_at", "deleted_by"])
            tell("delete", record, by=by)
    return record


def restore_record(record: R, *, by: Any) -> R:
    """Take the record out of the trash. Raises ValidationError when its name is taken meanwhile."""
    record.deleted_at = record.deleted_by = None
    with transaction.atomic():
        record.validate_constraints()
        record.save(update_fields=["deleted_at", "deleted_by"])
        tell("restore", record, by=by)
    return record
