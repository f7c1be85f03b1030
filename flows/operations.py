"""What can be done with flows: create, save with versions, trash, restore, duplicate."""

from typing import Any

import jsonschema
from django.core.exceptions import ValidationError
from django.db import transaction

from access.permissions import Operation, require, require_in_project
from flows.checks import Problem, check_script
from flows.models import Flow, FlowVersion, Script
from projects.models import Project
from records.models import NAME_LENGTH
from records.operations import restore_record, save_record, trash_record

BOILERPLATE = """\
import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.log('hello')
    return this.success('all done')
"""
MAX_SCRIPT_BYTES = 2_000_000


def create_flow(*, by: Any, project: Project | None = None, name: str, **fields: Any) -> Flow:
    """Make a flow in `project` (the Default project unless given), filled with a first script unless given."""
    project = project or Project.default()
    require_in_project(by, Operation.CREATE, project, Flow)
    fields.setdefault("script", BOILERPLATE)
    return _store(Flow(project=project), by=by, name=name, **fields)


def save_flow(flow: Flow, *, by: Any, **fields: Any) -> Flow:
    """Change a flow. A changed script becomes a new version; problems are marked, never refused.

    Raises ValidationError naming each wrong field, RecordIsReadonly, PermissionRefused.
    """
    require(by, Operation.UPDATE, flow)
    project = fields.get("project")
    if project and project.pk != flow.project_id:
        require_in_project(by, Operation.CREATE, project, Flow)
    return _store(flow, by=by, **fields)


def problems_of(flow: Flow) -> list[Problem]:
    """Return what the static check says about the flow's script."""
    return check_script(flow.script)


def restore_version(flow: Flow, number: int, *, by: Any) -> Flow:
    """Make the script of an earlier version the newest version."""
    version = flow.versions.select_related("script").get(number=number)
    return save_flow(flow, by=by, script=version.script.text)


def duplicate_flow(flow: Flow, *, by: Any, name: str | None = None) -> Flow:
    """Make a copy of the flow in its project under a new name."""
    require(by, Operation.READ, flow)
    return create_flow(
        by=by,
        project=flow.project,
        name=name or free_name(f"{flow.name} copy"),
        script=flow.script,
        description=flow.description,
        input_schema=flow.input_schema,
        max_runtime_minutes=flow.max_runtime_minutes,
        priority=flow.priority,
    )


def trash_flow(flow: Flow, *, by: Any) -> Flow:
    """Put a flow into the trash. Its running executions go on: they are pinned to their script."""
    require(by, Operation.DELETE, flow)
    return trash_record(flow, by=by)


def restore_flow(flow: Flow, *, by: Any) -> Flow:
    """Take a flow out of the trash."""
    require(by, Operation.DELETE, flow)
    return restore_record(flow, by=by)


def free_name(wanted: str) -> str:
    """Return `wanted`, with a number behind it when a flow of that name exists."""
    name, number = wanted[:NAME_LENGTH], 1
    while Flow.objects.alive().filter(name=name).exists():
        number += 1
        tail = f" {number}"
        name = wanted[: NAME_LENGTH - len(tail)] + tail
    return name


def _store(flow: Flow, *, by: Any, **fields: Any) -> Flow:
    _check_fields(fields)
    with transaction.atomic():
        text = fields.get("script", flow.script)
        pinned = Script.pin(text)
        changed = pinned != flow.pinned_id
        if changed and flow.version:
            # The row lock makes version numbers ascend without a gap when two people save at once.
            flow.version = Flow.objects.select_for_update().values_list("version", flat=True).get(pk=flow.pk)
        if changed:
            flow.pinned_id, flow.version = pinned, flow.version + 1
            flow.has_syntax_error = bool(check_script(text))
        save_record(flow, by=by, **fields)
        if changed:
            FlowVersion.objects.create(flow=flow, number=flow.version, script_id=pinned, created_by=by)
    return flow


def _check_fields(fields: dict[str, Any]) -> None:
    script = fields.get("script")
    if script is not None and len(script.encode()) > MAX_SCRIPT_BYTES:
        raise ValidationError({"script": f"A script may have {MAX_SCRIPT_BYTES:,} bytes at most."})
    if script is not None and "\0" in script:
        raise ValidationError({"script": "A script may not contain null characters."})
    schema = fields.get("input_schema")
    if schema is not None:
        try:
            jsonschema.Draft7Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            where = "/".join(map(str, error.absolute_path)) or "(top)"
            raise ValidationError(
                {"input_schema": f"Not a JSON Schema: at {where}: {error.message}"}
            ) from error
