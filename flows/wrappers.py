"""What can be done with wrappers: create, save with versions, trash, restore, duplicate."""

from typing import Any

from django.db.models import QuerySet

from access.permissions import Operation, require
from flows.models import Flow, Wrapper
from flows.scripted import create_scripted, duplicate_scripted, save_scripted
from projects import contents
from projects.models import Project
from records.purging import StillNeeded

_NAMED = 5

BOILERPLATE = """\
import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    child = this.start_child()
    return child.get('output_value')
"""


def create_wrapper(*, by: Any, project: Project | None = None, name: str, **fields: Any) -> Wrapper:
    """Make a wrapper in `project` (the Default project unless given). Without a script it only starts its child."""
    fields.setdefault("script", BOILERPLATE)
    return create_scripted(Wrapper, by=by, project=project, name=name, **fields)


def save_wrapper(wrapper: Wrapper, *, by: Any, **fields: Any) -> Wrapper:
    """Change a wrapper. A changed script becomes a new version; executions that run keep theirs.

    Flows keep the name of their wrappers: one that is in use cannot be renamed. Raises StillNeeded.
    """
    if fields.get("name", wrapper.name).strip() != wrapper.name:
        _require_unused(wrapper)
    return save_scripted(wrapper, by=by, **fields)


def duplicate_wrapper(wrapper: Wrapper, *, by: Any, name: str | None = None) -> Wrapper:
    """Make a copy of the wrapper in its project under a new name."""
    return duplicate_scripted(wrapper, (), by=by, name=name)


def trash_wrapper(wrapper: Wrapper, *, by: Any) -> Wrapper:
    """Put a wrapper into the trash. What runs through it goes on. Raises StillNeeded when flows keep it."""
    require(by, Operation.DELETE, wrapper)
    _require_unused(wrapper)
    return contents.trash(wrapper, by=by)


def restore_wrapper(wrapper: Wrapper, *, by: Any) -> Wrapper:
    """Take a wrapper out of the trash."""
    return contents.restore(wrapper, by=by)


def flows_through(wrapper: Wrapper) -> "QuerySet[Flow]":
    """Return the flows that keep this wrapper."""
    return Flow.objects.alive().filter(wrappers__contains=[{"name": wrapper.name}]).order_by("name")


def _require_unused(wrapper: Wrapper) -> None:
    names = list(flows_through(wrapper).values_list("name", flat=True)[: _NAMED + 1])
    if names:
        some = ", ".join(repr(name) for name in names[:_NAMED]) + (" and more" if len(names) > _NAMED else "")
        raise StillNeeded(
            {"name": f"These flows run through {wrapper.name!r}: {some}. Take it from them first."}
        )
