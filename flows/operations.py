"""What can be done with flows: create, save with versions, trash, restore, duplicate."""

from typing import Any

from flows.models import Flow
from flows.scripted import create_scripted, duplicate_scripted, save_scripted
from flows.wrapping import check_wrappers
from projects import contents
from projects.models import Project

BOILERPLATE = """\
import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.log('hello')
    return this.success('all done')
"""


def create_flow(*, by: Any, project: Project | None = None, name: str, **fields: Any) -> Flow:
    """Make a flow in `project` (the Default project unless given), filled with a first script unless given."""
    fields.setdefault("script", BOILERPLATE)
    check_wrappers(fields, by=by)
    return create_scripted(Flow, by=by, project=project, name=name, **fields)


def save_flow(flow: Flow, *, by: Any, **fields: Any) -> Flow:
    """Change a flow. A changed script becomes a new version; problems are marked, never refused.

    Raises ValidationError naming each wrong field, RecordIsReadonly, PermissionRefused.
    """
    check_wrappers(fields, by=by, kept=flow.wrappers)
    return save_scripted(flow, by=by, **fields)


def duplicate_flow(flow: Flow, *, by: Any, name: str | None = None) -> Flow:
    """Make a copy of the flow in its project under a new name."""
    return duplicate_scripted(
        flow, ("max_runtime_minutes", "priority", "wrappers", "retention"), by=by, name=name
    )


def trash_flow(flow: Flow, *, by: Any) -> Flow:
    """Put a flow into the trash. Its running executions go on: they are pinned to their script."""
    return contents.trash(flow, by=by)


def restore_flow(flow: Flow, *, by: Any) -> Flow:
    """Take a flow out of the trash."""
    return contents.restore(flow, by=by)
