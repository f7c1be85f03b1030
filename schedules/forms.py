"""The form of a schedule: what a POST says, and what the page needs to draw it. `schedules.form_views` uses it.

Configuration, inputs and policies are drawn from JSON Schemas like all forms; see `records.forms`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.safestring import SafeString

from flows.models import Flow
from records.forms import has_fields, read, render
from records.forms.faults import Fault
from schedules.models import (
    MAX_CATCH_UP_SECONDS,
    MAX_JITTER_SECONDS,
    CatchUp,
    Overlap,
    Schedule,
    Scheduler,
)
from schedules.recurrence import zone_of
from schedules.recurrence.wall_clock import first_moment

CONFIGURATION, INPUTS, POLICY, RANGE = "configuration.", "inputs.", "policy.", "range."


def _choices(choices: Any) -> list[dict[str, str]]:
    return [{"const": value, "title": words} for value, words in choices.choices]


POLICY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "overlap": {
            "title": "If an earlier start still runs",
            "type": "string",
            "oneOf": _choices(Overlap),
            "default": Overlap.SKIP.value,
        },
        "catch_up": {
            "title": "Times that passed while no worker was there",
            "type": "string",
            "oneOf": _choices(CatchUp),
            "default": CatchUp.LATEST.value,
        },
        "catch_up_seconds": {
            "title": "Make up for times of the last … seconds",
            "type": "integer",
            "minimum": 60,
            "maximum": MAX_CATCH_UP_SECONDS,
            "default": 86400,
            "description": "Older ones are missed.",
        },
        "jitter_seconds": {
            "title": "Jitter in seconds",
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_JITTER_SECONDS,
            "default": 0,
            "description": "Each time is late by a part of this, so that many schedules of one minute spread.",
        },
        "ends_at": {"title": "Ends", "type": "string", "format": "date-time"},
        "max_iterations": {
            "title": "How often it runs at most",
            "type": "integer",
            "minimum": 1,
            "description": "Counted since it was enabled. Then it is disabled.",
        },
        "pause_on_failure": {
            "title": "Disable it when an execution fails",
            "type": "boolean",
            "default": False,
        },
    },
    "required": ["overlap", "catch_up", "catch_up_seconds", "jitter_seconds"],
}
_POLICY_FIELDS = tuple(POLICY_SCHEMA["properties"])


RANGE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "start": {"title": "From", "type": "string", "format": "date-time"},
        "end": {"title": "To", "type": "string", "format": "date-time"},
    },
    "required": ["start", "end"],
}


def draw_range() -> SafeString:
    """Return the fields of a range of past times, filled with the last day."""
    now = timezone.now().replace(second=0, microsecond=0)
    value = {"start": (now - timedelta(days=1)).isoformat(), "end": now.isoformat()}
    return render(RANGE_SCHEMA, value, prefix=RANGE)


def read_range(post: QueryDict) -> tuple[datetime, datetime]:
    """Return the range in a POST. Raises ValidationError."""
    value, faults = read(RANGE_SCHEMA, post, RANGE)
    if faults:
        raise ValidationError("Give both times, such as 2030-01-31T08:30.")
    return datetime.fromisoformat(value["start"]), datetime.fromisoformat(value["end"])


@dataclass
class ScheduleForm:
    """What is filled in, and what is wrong with it."""

    flow: Flow
    scheduler: Scheduler | None
    name: str = ""
    description: str = ""
    time_zone: str = ""
    is_enabled: bool = True
    configuration: Any = None
    inputs: Any = None
    policy: Any = None
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def of(cls, schedule: Schedule) -> "ScheduleForm":
        """Return the form of a stored schedule."""
        policy = {name: getattr(schedule, name) for name in _POLICY_FIELDS}
        policy["ends_at"] = schedule.ends_at and schedule.ends_at.isoformat()
        return cls(
            flow=schedule.flow,
            scheduler=schedule.scheduler,
            name=schedule.name,
            description=schedule.description,
            time_zone=schedule.time_zone,
            is_enabled=schedule.is_enabled,
            configuration=_with_zones(schedule),
            inputs=schedule.input_value or {},
            policy={name: value for name, value in policy.items() if value is not None},
        )

    @classmethod
    def read(cls, post: QueryDict, flow: Flow, scheduler: Scheduler | None) -> "ScheduleForm":
        """Return the form as it was sent."""
        form = cls(
            flow=flow,
            scheduler=scheduler,
            name=post.get("name", ""),
            description=post.get("description", ""),
            time_zone=post.get("time_zone", "").strip() or "UTC",
            is_enabled="is_enabled" in post,
        )
        form.configuration, form.faults["configuration"] = read_configuration(post, scheduler)
        form.policy, form.faults["policy"] = read(POLICY_SCHEMA, post, POLICY)
        form.inputs, form.faults["inputs"] = read(flow.input_schema or {}, post, INPUTS)
        if scheduler is None:
            form.error = "Choose a scheduler."
        return form

    @property
    def needs_inputs(self) -> bool:
        return bool((self.flow.input_schema or {}).get("required"))

    @property
    def is_sound(self) -> bool:
        return not self.error and not any(self.faults.values())

    def fields(self) -> dict[str, Any]:
        """Return what is to be stored, as operations take it."""
        policy = {"ends_at": None, "max_iterations": None, "pause_on_failure": False, **self.policy}
        if policy["ends_at"] is not None:
            policy["ends_at"] = datetime.fromisoformat(policy["ends_at"])
        return {
            "name": self.name,
            "description": self.description,
            "flow": self.flow,
            "scheduler": self.scheduler,
            "configuration": self.configuration,
            "time_zone": self.time_zone,
            "input_value": self.inputs or None,
            "is_enabled": self.is_enabled,
            **policy,
        }

    # drawing

    def configuration_fields(self) -> SafeString:
        return draw_configuration(self.scheduler, self.configuration, self.faults.get("configuration", ()))

    def input_fields(self) -> SafeString:
        return _draw(self.flow.input_schema, self.inputs, self.faults.get("inputs", ()), INPUTS)

    def policy_fields(self) -> SafeString:
        return render(POLICY_SCHEMA, self.policy, self.faults.get("policy", ()), POLICY)


def read_configuration(post: QueryDict, scheduler: Scheduler | None) -> tuple[Any, list[Fault]]:
    """Return the configuration that a POST describes, and what is wrong with it."""
    return read((scheduler and scheduler.configuration_schema) or {}, post, CONFIGURATION)


def draw_configuration(scheduler: Scheduler | None, value: Any, faults: Iterable[Fault] = ()) -> SafeString:
    """Return the fields of a scheduler's configuration."""
    return _draw(scheduler and scheduler.configuration_schema, value, faults, CONFIGURATION)


def _draw(schema: Any, value: Any, faults: Iterable[Fault], prefix: str) -> SafeString:
    """Return the fields of a schema, or a text where it has none."""
    return render(schema or {}, value, faults, prefix, raw=True, shows_raw=not has_fields(schema))


def _with_zones(schedule: Schedule) -> dict[str, Any]:
    """Return the configuration with the zone said at moments that go without: the form shows them in the person's."""
    zone, found = zone_of(schedule.time_zone), dict(schedule.configuration)
    properties = (schedule.scheduler.configuration_schema or {}).get("properties", {})
    for name, shape in properties.items():
        if isinstance(shape, dict) and shape.get("form-element") == "date-time" and name in found:
            moment = datetime.fromisoformat(found[name])
            found[name] = moment.isoformat() if moment.tzinfo else first_moment(moment, zone).isoformat()
    return found
