"""What can be done with wrappers: create, save with versions, trash, restore, duplicate."""

from typing import Any

from django.db.models import QuerySet

from access.permissions import Operation, require
from flows.models import Wrapper
from flows.scripted import create_scripted, duplicate_scripted, save_scripted
from projects import contents
from projects.models import Project
from records.kinds import Kind, all_kinds
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

    Wrappers are kept by their name: one that is in use cannot be renamed. Raises StillNeeded.
    """
    if fields.get("name", wrapper.name).strip() != wrapper.name:
        _require_unused(wrapper)
    return save_scripted(wrapper, by=by, **fields)


def duplicate_wrapper(wrapper: Wrapper, *, by: Any, name: str | None = None) -> Wrapper:
    """Make a copy of the wrapper in its project under a new name."""
    return duplicate_scripted(wrapper, (), by=by, name=name)


def trash_wrapper(wrapper: Wrapper, *, by: Any) -> Wrapper:
    """Put a wrapper into the trash. What runs through it goes on. Raises StillNeeded when it is kept."""
    require(by, Operation.DELETE, wrapper)
    _require_unused(wrapper)
    return contents.trash(wrapper, by=by)


def restore_wrapper(wrapper: Wrapper, *, by: Any) -> Wrapper:
    """Take a wrapper out of the trash."""
    return contents.restore(wrapper, by=by)


def keepers_of(wrapper: Wrapper) -> "list[tuple[Kind, QuerySet[Any]]]":
    """Return the records that keep this wrapper, by type: every type with a column `wrappers` may."""
    lists_it = {"wrappers__contains": [{"name": wrapper.name}]}
    kinds = [kind for kind in all_kinds() if "wrappers" in kind.columns]
    return [(kind, kind.rows().filter(**lists_it).order_by("name")) for kind in kinds]


def _require_unused(wrapper: Wrapper) -> None:
    names = [
        f"the {kind.name} {name!r}"
        for kind, rows in keepers_of(wrapper)
        for name in rows.values_list("name", flat=True)[: _NAMED + 1]
    ]
    if names:
        some = ", ".join(names[:_NAMED]) + (" and more" if len(names) > _NAMED else "")
        raise StillNeeded({"name": f"These run through {wrapper.name!r}: {some}. Take it from them first."})
