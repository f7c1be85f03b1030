"""The built-in schedulers: what each is called, which configuration it takes, and the recurrence made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from typing import Any

from django.core.exceptions import ValidationError

from records.forms import find_faults, in_words
from schedules.recurrence.calendar import (
    ORDINALS,
    WEEKDAYS,
    CalendarRule,
    Cron,
    Monthly,
    Once,
    OnDays,
    Weekly,
)
from schedules.recurrence.interval import Interval
from schedules.recurrence.wall_clock import Recurrence, first_moment, shown_at, zone_of

Json = dict[str, Any]

_TIME: Json = {
    "type": "string",
    "title": "Time of day",
    "examples": ["08:30"],
}
_WEEKDAY: Json = {"type": "string", "enum": list(WEEKDAYS)}
_ZONE_HELP = "Without a zone it is meant as the clocks of the schedule's time zone show it."


def _moment(title: str, description: str = "") -> Json:
    return {
        "type": "string",
        "title": title,
        "form-element": "date-time",
        "description": f"{description} {_ZONE_HELP}".strip(),
        "examples": ["2030-01-31T08:30"],
    }


def _object(properties: Json, required: list[str]) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class BuiltIn:
    """One built-in scheduler. `build` gets (configuration, zone, anchor): the moment its schedule was enabled."""

    name: str
    title: str
    description: str
    input_schema: Json
    example: Json
    build: Callable[[Json, tzinfo, datetime], Recurrence]


def recurrence_of(
    built_in: str, configuration: Any, time_zone: str, anchor: datetime, *, is_checked: bool = False
) -> Recurrence:
    """Return the recurrence of a configuration. Raises ValidationError naming `configuration` or `time_zone`.

    One that was stored `is_checked` against its schema.
    """
    kind, zone = BUILT_IN[built_in], zone_of(time_zone)
    if not is_checked:
        check_configuration(configuration, kind.input_schema)
    try:
        return kind.build(configuration, zone, anchor)
    except ValidationError as error:
        raise ValidationError({"configuration": error.messages}) from error


def check_configuration(configuration: Any, schema: Json | None) -> None:
    """Raise ValidationError on `configuration` unless it is an object that matches the schema."""
    if not isinstance(configuration, dict):
        raise ValidationError({"configuration": 'Give an object, for example {"seconds": 60}.'})
    if faults := find_faults(schema or {}, configuration):
        raise ValidationError({"configuration": in_words(faults, "configuration")})


# -- Reading ------------------------------------------------------------------------------------------------


def _wrong(name: str, words: str) -> ValidationError:
    return ValidationError(f"configuration.{name}: {words}")


def _time_of(configuration: Json) -> time:
    try:
        found = time.fromisoformat(configuration["time"])
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise _wrong("time", f"{configuration['time']!r} is no time of day. Give one such as 08:30.")
    return found.replace(microsecond=0)


def _shown_of(configuration: Json, name: str, zone: tzinfo) -> datetime:
    """Return a time as the zone's clocks show it, given with or without a zone of its own."""
    try:
        moment = datetime.fromisoformat(configuration[name])
        return moment if moment.tzinfo is None else shown_at(moment, zone)
    except (ValueError, OverflowError) as error:
        words = f"{configuration[name]!r} is no time. Give one such as 2030-01-31T08:30."
        raise _wrong(name, words) from error


def _excluded_of(configuration: Json, zone: tzinfo) -> frozenset[date | datetime]:
    found: set[date | datetime] = set()
    for text in configuration.get("exclude", []):
        try:
            found.add(date.fromisoformat(text))
        except ValueError:
            found.add(_shown_of({"exclude": text}, "exclude", zone))
    return frozenset(found)


# -- Building -----------------------------------------------------------------------------------------------


def _interval(configuration: Json, zone: tzinfo, anchor: datetime) -> Recurrence:
    if "start" in configuration:
        start = first_moment(_shown_of(configuration, "start", zone), zone)
        return Interval(configuration["seconds"], start, with_start=True)
    return Interval(configuration["seconds"], anchor)


def _monthly(configuration: Json, zone: tzinfo, anchor: datetime) -> Recurrence:
    on, at = configuration.get("on", "day"), _time_of(configuration)
    if on == "last day":
        return Monthly(zone, at)
    if on == "day":
        if "day" not in configuration:
            raise _wrong("day", "Give the day of the month, from 1 to 31.")
        return Monthly(zone, at, day=configuration["day"])
    if "weekday" not in configuration:
        raise _wrong("weekday", f"Say which day is meant by “{on}”, for example monday.")
    return Monthly(zone, at, weekday=WEEKDAYS.index(configuration["weekday"]), ordinal=on)


def _weekly(configuration: Json, zone: tzinfo, anchor: datetime) -> Recurrence:
    return Weekly(zone, _time_of(configuration), frozenset(map(WEEKDAYS.index, configuration["days"])))


def _calendar(configuration: Json, zone: tzinfo, anchor: datetime) -> Recurrence:
    start = _shown_of(configuration, "start", zone)
    return CalendarRule(zone, configuration["rule"], start, _excluded_of(configuration, zone))


BUILT_IN: dict[str, BuiltIn] = {
    each.name: each
    for each in (
        BuiltIn(
            "interval",
            "Interval",
            "Every so many seconds, by elapsed time.",
            _object(
                {
                    "seconds": {
                        "type": "integer",
                        "title": "Seconds",
                        "minimum": 1,
                        "maximum": 366 * 86400,
                        "description": "From one start to the next.",
                        "examples": [60],
                    },
                    "start": _moment(
                        "First time", "If it is left out, the first is one interval after it is enabled."
                    ),
                },
                ["seconds"],
            ),
            {"seconds": 60},
            _interval,
        ),
        BuiltIn(
            "cron",
            "Cron",
            "A cron expression.",
            _object(
                {
                    "expression": {
                        "type": "string",
                        "title": "Cron expression",
                        "maxLength": 200,
                        "description": "Minute, hour, day of the month, month, day of the week; six fields begin"
                        " with the second.",
                        "examples": ["30 8 * * MON-FRI"],
                    }
                },
                ["expression"],
            ),
            {"expression": "*/15 * * * *"},
            lambda configuration, zone, anchor: Cron(zone, configuration["expression"]),
        ),
        BuiltIn(
            "daily",
            "Daily",
            "Every day at one time.",
            _object({"time": _TIME}, ["time"]),
            {"time": "08:30"},
            lambda configuration, zone, anchor: OnDays(zone, _time_of(configuration)),
        ),
        BuiltIn(
            "weekly",
            "Weekly",
            "On some days of the week at one time.",
            _object(
                {
                    "days": {
                        "type": "array",
                        "title": "Days",
                        "items": _WEEKDAY,
                        "minItems": 1,
                        "uniqueItems": True,
                    },
                    "time": _TIME,
                },
                ["days", "time"],
            ),
            {"days": ["monday", "thursday"], "time": "08:30"},
            _weekly,
        ),
        BuiltIn(
            "monthly",
            "Monthly",
            "On one day of each month: by its number, the last one, or such as the second Tuesday.",
            _object(
                {
                    "on": {
                        "type": "string",
                        "title": "On the",
                        "enum": ["day", "last day", *ORDINALS],
                        "default": "day",
                        "description": "“first” to “last” go with the weekday below, “day” with the number.",
                    },
                    "day": {
                        "type": "integer",
                        "title": "Day of the month",
                        "minimum": 1,
                        "maximum": 31,
                        "description": "In a month without this day, its last day.",
                    },
                    "weekday": {**_WEEKDAY, "title": "Weekday"},
                    "time": _TIME,
                },
                ["time"],
            ),
            {"on": "day", "day": 1, "time": "08:30"},
            _monthly,
        ),
        BuiltIn(
            "calendar",
            "Calendar rule",
            "A recurrence rule as calendars use it (RRULE), with exclusions.",
            _object(
                {
                    "rule": {
                        "type": "string",
                        "title": "Rule",
                        "maxLength": 300,
                        "description": "An RRULE of RFC 5545, hourly at most.",
                        "examples": ["FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"],
                    },
                    "start": _moment("Start", "The rule counts from here and takes its time of day from it."),
                    "exclude": {
                        "type": "array",
                        "title": "Except on",
                        "items": {"type": "string"},
                        "maxItems": 1000,
                        "description": "Days (2030-12-25) or single times (2030-12-24T08:30).",
                        "examples": [["2030-12-25"]],
                    },
                },
                ["rule", "start"],
            ),
            {"rule": "FREQ=WEEKLY;BYDAY=MO,WE", "start": "2026-01-05T08:30", "exclude": ["2026-12-30"]},
            _calendar,
        ),
        BuiltIn(
            "once",
            "Once",
            "One single time.",
            _object({"at": _moment("At")}, ["at"]),
            {"at": "2030-01-31T08:30"},
            lambda configuration, zone, anchor: Once(zone, _shown_of(configuration, "at", zone)),
        ),
    )
}
