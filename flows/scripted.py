"""What can be done with any record that has a script: store it with versions, go back to one, copy it.

The operations of flows and wrappers call these. A script with problems is marked, never refused.
"""

from typing import Any, TypeVar

import jsonschema
from django.core.exceptions import ValidationError
from django.db import transaction

from access.permissions import Operation, require
from flows.checks import Problem, check_script
from flows.models import Script, ScriptRecord
from projects.contents import free_name, new_in_project, require_save
from projects.models import Project
from records.operations import save_record

R = TypeVar("R", bound=ScriptRecord)
MAX_SCRIPT_BYTES = 2_000_000


def create_scripted(model: type[R], *, by: Any, project: Project | None = None, **fields: Any) -> R:
    """Make a record of this type in `project`, or in the Default project."""
    return _store(new_in_project(model, project, by=by), by=by, **fields)


def save_scripted(record: R, *, by: Any, **fields: Any) -> R:
    """Change a record. A changed script becomes a new version.

    Raises ValidationError naming each wrong field, RecordIsReadonly, PermissionRefused.
    """
    require_save(record, fields, by=by)
    return _store(record, by=by, **fields)


def duplicate_scripted(record: R, copied: tuple[str, ...], *, by: Any, name: str | None = None) -> R:
    """Make a copy of the record in its project under a new name, with its script and the `copied` fields."""
    require(by, Operation.READ, record)
    fields = {field: getattr(record, field) for field in ("script", "description", "input_schema", *copied)}
    name = name or free_name(type(record), f"{record.name} copy")
    return create_scripted(type(record), by=by, project=record.project, name=name, **fields)


def restore_version(record: R, number: int, *, by: Any) -> R:
    """Make the script of an earlier version the newest version. Raises DoesNotExist of the version."""
    version = record.versions.select_related("script").get(number=number)
    return save_scripted(record, by=by, script=version.script.text)


def problems_of(record: ScriptRecord) -> list[Problem]:
    """Return what the static check says about the record's script."""
    return check_script(record.script)


def _store(record: R, *, by: Any, **fields: Any) -> R:
    _check_fields(fields)
    with transaction.atomic():
        text = fields.get("script", record.script)
        pinned = Script.pin(text)
        changed = pinned != record.pinned_id
        if changed and record.version:
            # The row lock makes version numbers ascend without a gap when two people save at once.
            locked = type(record)._default_manager.select_for_update()
            record.version = locked.values_list("version", flat=True).get(pk=record.pk)
        if changed:
            record.pinned_id, record.version = pinned, record.version + 1
            record.has_syntax_error = bool(check_script(text))
        save_record(record, by=by, **fields)
        if changed:
            record.versions.create(number=record.version, script_id=pinned, created_by=by)
    return record


def _check_fields(fields: dict[str, Any]) -> None:
    script = fields.get("script")
    if script is not None and len(script.encode()) > MAX_SCRIPT_BYTES:
        raise ValidationError({"script": f"A script may have {MAX_SCRIPT_BYTES:,} bytes at most."})
    if script is not None and "\0" in script:
        raise ValidationError({"script": "A script may not contain null characters."})
    schema = fields.get("input_schema")
    if schema is not None:
        _check_schema(schema)


def _check_schema(schema: Any) -> None:
    try:
        jsonschema.Draft7Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "(top)"
        raise ValidationError({"input_schema": f"Not a JSON Schema: at {where}: {error.message}"}) from error
