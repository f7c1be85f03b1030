"""The live execution of an enabled schedule: begun when it is enabled, ended when it is not any more.

There is one at most (a unique constraint says so). Operations, firing and supervision call this inside of their
transactions.
"""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from access.identities import identity_for
from access.models import IdentityKind, User
from access.permissions import PermissionRefused
from executions import moves
from executions.database import fetch
from executions.endings import after_end, living_tree, request_cancel
from executions.lifecycle import Reason, Status
from executions.models import Execution
from executions.starting import Start, prepare
from executions.timers import IS_TIMED, sleep_until
from records.changes import tell
from schedules.models import Schedule
from schedules.policy import due_at


def actor_of(schedule: Schedule) -> User | None:
    """Return the schedule as an identity with roles of its own; None when nobody owns it any more."""
    owner = schedule.created_by
    return owner and identity_for(IdentityKind.SCHEDULE, schedule.pk, schedule.name, owner)


class OwnerGone(ValidationError):
    """The user to whom the schedule belongs does not exist any more."""

    def __init__(self) -> None:
        super().__init__("The user to whom the schedule belongs is gone. Save it to make it yours.")


def begin(schedule: Schedule) -> None:
    """Write down the execution of an enabled schedule; a script's is queued, a built-in's sleeps until it is due.

    Raises ValidationError when it may not run.
    """
    scheduler = schedule.scheduler
    start = Start(
        is_schedule=True,
        script_hash=None if scheduler.built_in else scheduler.pinned_id,
        name=schedule.name,
        project=schedule.project,
        schedule_id=schedule.pk,
        inputs=None if scheduler.built_in else _inputs_of(schedule),
    )
    actor = actor_of(schedule)
    if actor is None:
        raise OwnerGone
    try:
        columns, status = prepare(start, by=actor, origin=Execution.Origin.SCHEDULE)
    except PermissionRefused as refused:
        words = (
            f"The schedule has no role that lets it run in the project {schedule.project.name!r}: {refused}"
        )
        raise ValidationError({"is_enabled": words}) from refused
    schedule.execution_id = columns["id"]
    if not scheduler.built_in:
        moves.create(status, columns)
    else:
        moves.create(Status.SLEEPING, columns)
        sleep(schedule)
    Schedule.objects.filter(pk=schedule.pk).update(execution_id=schedule.execution_id)


def _inputs_of(schedule: Schedule) -> dict[str, Any]:
    return {
        "schedule_id": str(schedule.pk),
        "flow_id": str(schedule.flow_id),
        "configuration": schedule.configuration,
        "input_value": schedule.input_value,
        "time_zone": schedule.time_zone,
    }


def begin_when_free(schedule: Schedule) -> None:
    """Begin the execution of a schedule that was just enabled, now or (by supervision) when the last one has ended."""
    if find(schedule.pk) is None:
        begin(schedule)
    else:
        Schedule.objects.filter(pk=schedule.pk).update(execution_id=None)


def turn(schedule: Schedule) -> None:
    """Let the live execution of a schedule go by other times: a built-in's goes on, a script's is replaced."""
    live = find(schedule.pk)
    if live and schedule.scheduler.built_in and Execution.objects.filter(pk=live, script=None).exists():
        sleep(schedule)
    else:
        cancel([schedule.pk])
        begin_when_free(schedule)


def sleep(schedule: Schedule) -> None:
    """Let the execution of a schedule with a built-in scheduler sleep until the next time is due."""
    assert schedule.execution_id is not None
    wake_at = schedule.next_at and due_at(schedule, schedule.next_at)
    sleep_until({schedule.execution_id: (wake_at, waiting_for(wake_at))})


def waiting_for(wake_at: Any) -> dict[str, Any]:
    """Return what the pages of the execution say that it waits for."""
    return {"kind": "time", "until": wake_at.isoformat() if wake_at else None}


_LIVE = """
SELECT id FROM executions_execution WHERE schedule_id = %s AND type = 'SCHEDULE' AND ended_at IS NULL
"""


def find(schedule_id: UUID) -> UUID | None:
    """Return the live execution of a schedule."""
    found = fetch(_LIVE, (schedule_id,))
    return found[0][0] if found else None


def lock(schedule_id: UUID) -> None:
    """Lock the live execution and the row of a schedule, in the order of firing: nothing fires meanwhile."""
    fetch(_LIVE + "FOR NO KEY UPDATE", (schedule_id,))
    fetch("SELECT 1 FROM schedules_schedule WHERE id = %s FOR NO KEY UPDATE", (schedule_id,))


def cancel(schedule_ids: list[UUID]) -> None:
    """End the live executions of these schedules, as somebody wants. What they started lives on."""
    live = Execution.objects.filter(schedule_id__in=schedule_ids, type=Execution.Type.SCHEDULE, ended_at=None)
    ids = living_tree(list(live.values_list("pk", flat=True)))
    ended = request_cancel(ids, Reason.CANCELLED) if ids else []
    if ended:
        after_end(ended)
    drop_queued(schedule_ids, "The schedule was disabled.")


def end(schedule_id: UUID, status: Status, words: str, *, reason: str = "") -> None:
    """End the execution of a schedule with a built-in scheduler by itself."""
    condition = f"e.schedule_id = %(id)s AND e.ended_at IS NULL AND {IS_TIMED}"
    params = {"id": schedule_id, "words": words}
    moved = moves.move(condition, status, params, reason=reason, sets=", message = %(words)s")
    if moved:
        after_end([row.id for row in moved])


def disable(schedule: Schedule, words: str) -> None:
    """Let the engine disable a schedule, with the reason that people see."""
    rows = Schedule.objects.filter(pk=schedule.pk)
    rows.update(is_enabled=False, stopped_because=words, next_at=None)
    drop_queued([schedule.pk], words)
    changes = {"is_enabled": (True, False), "stopped_because": ("", words)}
    tell("update", schedule, by=actor_of(schedule), changes=changes)


def drop_queued(schedule_ids: list[UUID], words: str) -> None:
    fetch(
        "UPDATE schedules_firing SET outcome = 'skipped', message = %s, at = clock_timestamp()"
        " WHERE schedule_id = ANY(%s) AND outcome = 'queued'",
        (words, schedule_ids),
    )
