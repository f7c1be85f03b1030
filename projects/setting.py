"""What can be done with settings: create, save, add to a list, trash, restore, duplicate."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from access.permissions import Operation, require
from projects import contents
from projects.models import Project, Setting
from records.operations import save_record

MAX_VALUE_BYTES = 10_000_000


def create_setting(*, by: Any, project: Project | None = None, name: str, **fields: Any) -> Setting:
    """Make a setting in `project` (the Default project unless given). Its value is null unless given."""
    setting = contents.new_in_project(Setting, project, by=by)
    return _store(setting, by=by, name=name, **fields)


def save_setting(setting: Setting, *, by: Any, **fields: Any) -> Setting:
    """Change a setting; its value is written whole. Whoever holds its lock is not asked.

    Raises ValidationError naming each wrong field, RecordIsReadonly, PermissionRefused.
    """
    contents.require_save(setting, fields, by=by)
    return _store(setting, by=by, **fields)


def append_to_setting(setting: Setting, item: Any, *, by: Any) -> Setting:
    """Add an item to the list that the setting holds, or that it holds from now on when its value is null.

    Two at the same time add both. Raises ValidationError when the value is something else.
    """
    with transaction.atomic():
        setting = Setting.objects.select_for_update().get(pk=setting.pk)
        held = [] if setting.value is None else setting.value
        if not isinstance(held, list):
            raise ValidationError(
                {"value": f"{setting.name!r} holds no list that an item could be added to."}
            )
        return save_setting(setting, by=by, value=[*held, item])


def duplicate_setting(setting: Setting, *, by: Any, name: str | None = None) -> Setting:
    """Make a copy of the setting in its project under a new name. Nobody holds the lock of the copy."""
    require(by, Operation.READ, setting)
    name = name or contents.free_name(Setting, f"{setting.name} copy")
    kept = {"description": setting.description, "value": setting.value}
    return create_setting(by=by, project=setting.project, name=name, **kept)


def trash_setting(setting: Setting, *, by: Any) -> Setting:
    """Put a setting into the trash. Its lock stays with whoever holds it until it is released."""
    return contents.trash(setting, by=by)


def restore_setting(setting: Setting, *, by: Any) -> Setting:
    """Take a setting out of the trash."""
    return contents.restore(setting, by=by)


def _store(setting: Setting, *, by: Any, **fields: Any) -> Setting:
    if "value" in fields:
        _check_value(fields["value"])
    return save_record(setting, by=by, **fields)


def _check_value(value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValidationError({"value": f"This cannot be stored as JSON: {error}."}) from error
    if len(text) > MAX_VALUE_BYTES:
        raise ValidationError({"value": f"A value may have {MAX_VALUE_BYTES:,} bytes at most, as JSON."})
    if "\\u0000" in text:
        raise ValidationError({"value": "Null characters cannot be stored."})
