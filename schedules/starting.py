"""Writing down what becomes of a schedule's times, and starting the executions of those that start.

A time that was started before is not started again: the row of its firing says so.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from access.matrix import read_many
from access.models import IdentityKind, User
from access.permissions import PermissionRefused
from executions import moves
from executions.database import fetch, jsonb
from executions.lifecycle import Status
from executions.models import Execution
from executions.starting import Start, prepare
from schedules.live import OwnerGone, actor_of
from schedules.models import Firing, Schedule
from schedules.policy import Fired

Outcome = Firing.Outcome

_WRITE = """
INSERT INTO schedules_firing AS f (schedule_id, nominal_at, cause, outcome, message, execution_id, at)
SELECT g.*, clock_timestamp() FROM jsonb_to_recordset(%(rows)s) AS g(schedule_id uuid, nominal_at timestamptz,
    cause text, outcome text, message text, execution_id uuid)
ORDER BY 1, 2
ON CONFLICT (schedule_id, nominal_at) DO UPDATE SET cause = excluded.cause, outcome = excluded.outcome,
    message = excluded.message, execution_id = excluded.execution_id, at = excluded.at
WHERE f.outcome <> 'started'
RETURNING schedule_id, nominal_at, outcome, cause, message, execution_id
"""


def write_down(wanted: list[tuple[Schedule, Fired]]) -> dict[UUID, list[tuple[Fired, UUID | None]]]:
    """Write these times down and start what is to be started, in the caller's transaction.

    Returns, by schedule, what was written and the executions that were started. What could not be started failed.
    """
    actors = _actors(schedule for schedule, fired in wanted if fired.outcome == Outcome.STARTED)
    prepared: dict[UUID, dict[str, Any]] = {}
    rows: list[tuple[Schedule, Fired, UUID | None]] = []
    for schedule, fired in wanted:
        key: UUID | None = None
        if fired.outcome == Outcome.STARTED:
            try:
                columns = _prepare(schedule, fired, actors[schedule.pk])
            except (ValidationError, PermissionRefused) as refused:
                words = "; ".join(refused.messages) if isinstance(refused, ValidationError) else str(refused)
                fired = replace(fired, outcome=Outcome.FAILED, message=words)
            else:
                key = columns["id"]
                prepared[key] = columns
        rows.append((schedule, fired, key))
    written: dict[UUID, list[tuple[Fired, UUID | None]]] = {}
    for schedule_id, nominal, outcome, cause, message, key in _insert(rows):
        written.setdefault(schedule_id, []).append((Fired(nominal, outcome, message, cause), key))
    started = [key for each in written.values() for _, key in each if key]
    moves.create_many(Status.QUEUED, [prepared[key] for key in started])
    return written


def _prepare(schedule: Schedule, fired: Fired, actor: User | None) -> dict[str, Any]:
    if schedule.flow.is_deleted:
        raise ValidationError(f"The flow {schedule.flow.name!r} is in the trash.")
    if actor is None:
        raise OwnerGone
    start = Start(
        flow=schedule.flow,
        inputs=schedule.input_value,
        scheduled_for=fired.nominal_at,
        schedule_id=schedule.pk,
    )
    return prepare(start, by=actor, origin=Execution.Origin.SCHEDULE)[0]


def _actors(schedules: Iterable[Schedule]) -> dict[UUID, User | None]:
    actors = {schedule.pk: actor_of(schedule) for schedule in schedules}
    read_many(IdentityKind.SCHEDULE, [actor for actor in actors.values() if actor])
    return actors


def _insert(rows: list[tuple[Schedule, Fired, UUID | None]]) -> list[tuple[Any, ...]]:
    if not rows:
        return []
    given = [
        {**vars(fired), "schedule_id": schedule.pk, "execution_id": key} for schedule, fired, key in rows
    ]
    return fetch(_WRITE, {"rows": jsonb(given)})
