"""What can be done with wrappers: create, save with versions, trash, restore, duplicate."""

from typing import Any

from flows.models import Wrapper
from flows.scripted import create_scripted, duplicate_scripted, save_scripted
from projects import contents
from projects.models import Project

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
    """Change a wrapper. A changed script becomes a new version; executions that run keep theirs."""
    return save_scripted(wrapper, by=by, **fields)


def duplicate_wrapper(wrapper: Wrapper, *, by: Any, name: str | None = None) -> Wrapper:
    """Make a copy of the wrapper in its project under a new name."""
    return duplicate_scripted(wrapper, (), by=by, name=name)


def trash_wrapper(wrapper: Wrapper, *, by: Any) -> Wrapper:
    """Put a wrapper into the trash. What runs through it goes on; what names it can be started no more."""
    return contents.trash(wrapper, by=by)


def restore_wrapper(wrapper: Wrapper, *, by: Any) -> Wrapper:
    """Take a wrapper out of the trash."""
    return contents.restore(wrapper, by=by)
