"""What can be done with schedulers: create, save with versions, trash, restore, duplicate."""

from typing import Any

from django.core.exceptions import ValidationError

from flows.scripted import create_scripted, duplicate_scripted, save_scripted
from projects import contents
from projects.models import Project
from schedules.models import Scheduler

BOILERPLATE = """\
import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    # Wait until it is time, start the flow once, and end. Then the schedule begins this script anew.
    this.sleep(inputs['configuration'].get('seconds', 3600))
    this.flow(inputs['flow_id'], inputs=inputs['input_value'], wait=False)
    return this.success('started the flow')
"""
BOILERPLATE_SCHEMA = {
    "type": "object",
    "properties": {"seconds": {"type": "number", "title": "Seconds", "minimum": 1, "default": 3600}},
}


class SchedulerInUse(ValidationError):
    """Schedules use the scheduler; the message names some."""


def create_scheduler(*, by: Any, project: Project | None = None, name: str, **fields: Any) -> Scheduler:
    """Make a scheduler in `project` (the Default project unless given): built-in, or a script."""
    if not fields.get("built_in") and "script" not in fields:
        fields = {"input_schema": BOILERPLATE_SCHEMA, **fields, "script": BOILERPLATE}
    _check(Scheduler(), fields)
    return _marked(create_scripted(Scheduler, by=by, project=project, name=name, **fields))


def save_scheduler(scheduler: Scheduler, *, by: Any, **fields: Any) -> Scheduler:
    """Change a scheduler. Schedules that run its script go over to the new one at their next time."""
    if fields.get("built_in", scheduler.built_in) != scheduler.built_in:
        raise ValidationError({"built_in": "A scheduler stays what it is. Create another one."})
    _check(scheduler, fields)
    return _marked(save_scripted(scheduler, by=by, **fields))


def duplicate_scheduler(scheduler: Scheduler, *, by: Any, name: str | None = None) -> Scheduler:
    """Make a copy of the scheduler in its project under a new name."""
    return _marked(duplicate_scripted(scheduler, ("built_in",), by=by, name=name))


def trash_scheduler(scheduler: Scheduler, *, by: Any) -> Scheduler:
    """Put a scheduler into the trash. Raises SchedulerInUse."""
    names = list(scheduler.schedules.filter(deleted_at=None).values_list("name", flat=True)[:5])
    if names:
        words = ", ".join(map(repr, names))
        raise SchedulerInUse(f"These schedules use it: {words}. Change or delete them first.")
    return contents.trash(scheduler, by=by)


def restore_scheduler(scheduler: Scheduler, *, by: Any) -> Scheduler:
    """Take a scheduler out of the trash."""
    return contents.restore(scheduler, by=by)


def _marked(scheduler: Scheduler) -> Scheduler:
    """Take the mark of a faulty script from a scheduler that has none."""
    if scheduler.built_in and scheduler.has_syntax_error:
        scheduler.has_syntax_error = False
        scheduler.save(update_fields=["has_syntax_error"])
    return scheduler


def _check(scheduler: Scheduler, fields: dict[str, Any]) -> None:
    """Raise ValidationError unless it is one of both: built-in, or a script."""
    if fields.get("built_in", scheduler.built_in):
        for name in ("script", "input_schema"):
            if fields.get(name):
                raise ValidationError({name: "A built-in scheduler has none of its own."})
    elif not (fields.get("script", scheduler.script) or "").strip():
        raise ValidationError({"script": "Give a script, or say which built-in scheduler it is."})
