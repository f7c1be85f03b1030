"""What can be done with schedules: make, change, enable and disable them, run one now, make up for past times.

An enabled schedule has a live execution and a disabled one has none: both are written in one transaction.
"""

from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from access import audit
from access.models import IdentityKind
from access.operations import give_first_role
from access.permissions import Operation, require
from executions.database import transacted
from executions.endings import wake
from executions.models import Execution
from executions.reading import read_execution
from projects import contents
from projects.models import Project
from records.cleaning import clean_moment
from records.forms import find_faults, in_words
from records.operations import save_record
from schedules import live
from schedules.models import Firing, Overlap, Schedule, Scheduler
from schedules.policy import Fired
from schedules.recurrence import Recurrence, next_moments, recurrence_of, zone_of
from schedules.recurrence.built_in import check_configuration
from schedules.starting import write_down

BACKFILL_AT_MOST = 1_000
PREVIEWED = 10
FIRST_ROLE = "Schedule"
_UNCLEANED = ("project", "bundle", "scheduler", "flow", "created_by", "modified_by", "deleted_by")
_TIMING = ("scheduler_id", "configuration", "time_zone")
_ENGINES = ("enabled_at", "stopped_because", "iterations", "next_at", "execution_id", "created_by")


class NoTimes(ValidationError):
    """The schedule's times come from a script: nobody knows them ahead."""

    def __init__(self) -> None:
        super().__init__("The times of this schedule come from a script; they are not known before.")


def create_schedule(*, by: Any, project: Project | None = None, name: str, **fields: Any) -> Schedule:
    """Make a schedule in `project` (that of its flow unless given); it is disabled unless `is_enabled` is given."""
    missing = {each: "This field is required." for each in ("scheduler", "flow") if fields.get(each) is None}
    if missing:
        raise ValidationError(missing)
    schedule = contents.new_in_project(Schedule, project or fields["flow"].project, by=by)
    return _store(schedule, by=by, name=name, **fields)


def save_schedule(schedule: Schedule, *, by: Any, **fields: Any) -> Schedule:
    """Change a schedule. Other times count from now on; its live execution begins, ends or turns to them at once.

    Raises ValidationError naming each wrong field, RecordIsReadonly, PermissionRefused.
    """
    contents.require_save(schedule, fields, by=by)
    return _store(schedule, by=by, **fields)


def trash_schedule(schedule: Schedule, *, by: Any) -> Schedule:
    """Put a schedule into the trash and disable it. What it started lives on."""
    return _trash(schedule, by)


@transacted
def _trash(schedule: Schedule, by: Any) -> Schedule:
    _lock(schedule)
    contents.trash(schedule, by=by)
    schedule.is_enabled, schedule.next_at = False, None
    schedule.save(update_fields=["is_enabled", "next_at"])
    live.cancel([schedule.pk])
    return schedule


def restore_schedule(schedule: Schedule, *, by: Any) -> Schedule:
    """Take a schedule out of the trash. It stays disabled."""
    return contents.restore(schedule, by=by)


def duplicate_schedule(schedule: Schedule, *, by: Any, name: str | None = None) -> Schedule:
    """Make a copy of the schedule in its project under a new name, disabled."""
    require(by, Operation.READ, schedule)
    same = (
        "description",
        "scheduler",
        "configuration",
        "time_zone",
        "flow",
        "input_value",
        "overlap",
        "catch_up",
    )
    also = ("catch_up_seconds", "jitter_seconds", "ends_at", "max_iterations", "pause_on_failure")
    return create_schedule(
        by=by,
        project=schedule.project,
        name=name or contents.free_name(Schedule, f"{schedule.name} copy"),
        **{field: getattr(schedule, field) for field in (*same, *also)},
    )


# -- Storing ------------------------------------------------------------------------------------------------


@transacted
def _store(schedule: Schedule, *, by: Any, **fields: Any) -> Schedule:
    is_new = schedule._state.adding
    if not is_new:
        _lock(schedule)
    was_enabled, before = schedule.is_enabled and not is_new, _timing(schedule)
    places_before = set() if is_new else {schedule.project, schedule.flow.project}
    wanted = copy(schedule)
    if isinstance(fields.get("ends_at"), str):  # from a flow
        fields["ends_at"] = _moment(fields["ends_at"])
    for name, value in fields.items():
        setattr(wanted, name, value)
    wanted.clean_fields(exclude=_UNCLEANED)
    wanted.created_by = wanted.created_by or by
    _check(wanted, by)
    turns = _timing(wanted) != before
    if wanted.is_enabled and (turns or not was_enabled):
        _set_going(wanted, anew=not was_enabled)
    elif not wanted.is_enabled:
        wanted.next_at = None
        wanted.stopped_because = "" if was_enabled else wanted.stopped_because
    for name in _ENGINES:
        setattr(schedule, name, getattr(wanted, name))
    save_record(schedule, by=by, **fields)
    places = {schedule.project, schedule.flow.project}
    if places != places_before:
        give_first_role(IdentityKind.SCHEDULE, schedule.pk, FIRST_ROLE, by=by, projects=places)
    if not schedule.is_enabled:
        if was_enabled:
            live.cancel([schedule.pk])
    elif not was_enabled:
        live.begin_when_free(schedule)
    elif turns:
        live.turn(schedule)
    elif schedule.scheduler.built_in:
        live.sleep(schedule)  # the jitter may be another
    return schedule


def _moment(text: str) -> datetime:
    try:
        return clean_moment(text)
    except ValidationError as error:
        raise ValidationError({"ends_at": error.messages}) from error


def _lock(schedule: Schedule) -> None:
    """Let nothing fire until the transaction is over, and read what the engine wrote since the record was read."""
    live.lock(schedule.pk)
    schedule.refresh_from_db(fields=["is_enabled", *_ENGINES])


def _timing(schedule: Schedule) -> tuple[Any, ...]:
    return tuple(getattr(schedule, name) for name in _TIMING)


def _check(schedule: Schedule, by: Any) -> None:
    require(by, Operation.RUN, schedule.flow)
    if schedule.scheduler.is_deleted or schedule.flow.is_deleted:
        gone = "scheduler" if schedule.scheduler.is_deleted else "flow"
        raise ValidationError({gone: f"The {gone} is in the trash."})
    _recurrence(schedule.scheduler, schedule.configuration, schedule.time_zone)
    if schedule.input_value is not None and not isinstance(schedule.input_value, dict):
        raise ValidationError({"input_value": 'Give an object, for example {"name": "value"}.'})
    schema = schedule.flow.input_schema
    if schema is not None and (faults := find_faults(schema, schedule.input_value or {})):
        raise ValidationError({"input_value": in_words(faults, "inputs")})


def _recurrence(scheduler: Scheduler, configuration: Any, time_zone: str) -> Recurrence | None:
    """Return the times that are meant, None when a script decides. Raises ValidationError."""
    if scheduler.built_in:
        return recurrence_of(scheduler.built_in, configuration, time_zone, timezone.now())
    zone_of(time_zone)
    check_configuration(configuration, scheduler.input_schema)
    return None


def _set_going(schedule: Schedule, *, anew: bool) -> None:
    """Set the first time of a schedule that was enabled or changed. Raises ValidationError when there is none."""
    schedule.enabled_at, schedule.stopped_because = timezone.now(), ""
    if anew:
        schedule.iterations = 0
    schedule.next_at = None
    recurrence = schedule.recurrence
    if recurrence is None:
        return
    found = next_moments(recurrence, schedule.enabled_at, 1, schedule.ends_at)
    if not found:
        raise ValidationError({"configuration": "There is no time to come, so the schedule would never run."})
    schedule.next_at = found[0]


# -- Ahead --------------------------------------------------------------------------------------------------


def preview(
    scheduler: Scheduler,
    configuration: Any,
    time_zone: str,
    *,
    ends_at: datetime | None = None,
    count: int = PREVIEWED,
) -> list[datetime]:
    """Return the next times of a schedule like this. Raises ValidationError, and NoTimes when a script decides."""
    recurrence = _recurrence(scheduler, configuration, time_zone)
    if recurrence is None:
        raise NoTimes
    return next_moments(recurrence, timezone.now(), count, ends_at)


# -- Now ----------------------------------------------------------------------------------------------------


def run_now(schedule: Schedule, *, by: Any) -> Execution:
    """Start the flow at once as the schedule does, whatever runs and whether it is enabled."""
    require(by, Operation.RUN, schedule)
    fired = Fired(timezone.now(), Firing.Outcome.STARTED, f"Started by {by}.", Firing.Cause.PERSON)
    written = _start(schedule, fired, by)
    if not written or written[0][1] is None:
        raise ValidationError(written[0][0].message if written else "It was started at this very moment.")
    return read_execution(written[0][1])


@transacted
def _start(schedule: Schedule, fired: Fired, by: Any) -> list[Any]:
    audit.note("start", schedule, by=by)
    return write_down([(schedule, fired)]).get(schedule.pk, [])


# -- Behind -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Backfill:
    """The times of a range that passed, and those of them that were not started yet."""

    times: list[datetime]
    open: list[datetime]


def look_back(schedule: Schedule, start: datetime, end: datetime) -> Backfill:
    """Return what a backfill of this range would start. Raises ValidationError."""
    recurrence = schedule.recurrence
    if recurrence is None:
        raise NoTimes
    if timezone.is_naive(start) or timezone.is_naive(end):
        raise ValidationError("Give both times with a zone, for example 2030-01-31T08:30:00Z.")
    end = min(end, timezone.now())
    if start >= end:
        raise ValidationError({"start": "The range must begin before it ends, and in the past."})
    just_before = start.astimezone(UTC) - timedelta(microseconds=1)
    times = next_moments(recurrence, just_before, BACKFILL_AT_MOST + 1, end)
    if len(times) > BACKFILL_AT_MOST:
        raise ValidationError(
            {"end": f"There are more than {BACKFILL_AT_MOST:,} times in this range. Take a shorter one."}
        )
    rows = schedule.firings.filter(nominal_at__in=times)
    done = set(
        rows.filter(outcome__in=[Firing.Outcome.STARTED, Firing.Outcome.QUEUED]).values_list(
            "nominal_at", flat=True
        )
    )
    return Backfill(times, [moment for moment in times if moment not in done])


def backfill(schedule: Schedule, start: datetime, end: datetime, *, by: Any) -> Backfill:
    """Start the flow for the times in this range that were not started: at once if they may overlap, else one by one.

    Raises ValidationError, also when the schedule is disabled.
    """
    require(by, Operation.RUN, schedule)
    if not schedule.is_enabled or schedule.is_deleted:
        raise ValidationError({"is_enabled": "Enable the schedule first: a disabled one starts nothing."})
    found = look_back(schedule, start, end)
    _backfill(schedule, found.open, by)
    return found


@transacted
def _backfill(schedule: Schedule, times: list[datetime], by: Any) -> None:
    audit.note("start", schedule, by=by, changes={"times": (0, len(times))})
    outcome = Firing.Outcome.STARTED if schedule.overlap == Overlap.ALLOW else Firing.Outcome.QUEUED
    write_down([(schedule, Fired(moment, outcome, "", Firing.Cause.BACKFILL)) for moment in times])
    execution_id = live.find(schedule.pk)
    if outcome == Firing.Outcome.QUEUED and execution_id is not None:
        wake([execution_id])
