"""Starting flows when schedules are due: many schedules in one transaction, each time exactly once.

Every worker's claimer calls `fire_due`. The live execution of a schedule is its timer and its lock; the unique
constraint on schedule and time stands behind that. What goes wrong with one schedule stops no other.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from executions.database import fetch, jsonb, transacted
from executions.endings import after_end, living_tree, request_cancel
from executions.lifecycle import Reason, Status
from executions.snapshots import one_line
from executions.timers import sleep_until
from schedules import live
from schedules.models import Firing, Overlap, Schedule
from schedules.policy import Decision, Queued, Situation, decide
from schedules.reading import read_schedules
from schedules.starting import write_down

logger = logging.getLogger("engine.schedules")

AT_ONCE = 100  # schedules in one transaction
_LOOK_AGAIN = timedelta(seconds=0.2)

_IS_LIVE = (
    "e.type = 'SCHEDULE' AND e.script_id IS NULL AND e.status = 'SLEEPING' AND e.schedule_id IS NOT NULL"
)
_DUE = f"""
SELECT e.schedule_id, e.id FROM executions_execution e
WHERE {_IS_LIVE} AND e.ready_at <= %(now)s AND NOT EXISTS (SELECT 1 FROM executions_maintenance)
ORDER BY e.ready_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
"""
_ONE = f"""
SELECT e.schedule_id, e.id FROM executions_execution e
WHERE {_IS_LIVE} AND e.schedule_id = %(id)s FOR NO KEY UPDATE SKIP LOCKED
"""
_NEXT = f"""
SELECT extract(epoch FROM min(e.ready_at) - %(now)s)::float8 FROM executions_execution e
WHERE {_IS_LIVE} AND e.ready_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM executions_maintenance)
"""


@dataclass
class Turn:
    """One schedule that is due, in the hands of this transaction."""

    schedule: Schedule
    execution_id: UUID
    living: tuple[UUID, ...] = ()  # what it started and what has not ended
    is_unsure: bool = False  # some of that is being changed right now, and may have ended
    decision: Decision = field(default_factory=Decision)
    started: list[UUID] = field(default_factory=list)
    iterations: int = 0

    @property
    def has_ended(self) -> bool:
        return bool(self.decision.finished or self.decision.failed)


def fire_due(now: datetime | None = None, most: int = AT_ONCE) -> float | None:
    """Do what is due, for up to `most` schedules; returns the seconds until the next is due, None without any."""
    moment = now or _database_now()
    try:
        _fire(_DUE, {"now": moment, "most": most}, moment)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("a batch of schedules failed; each of them is tried by itself")
        with transaction.atomic():
            due = fetch(_DUE, {"now": moment, "most": most})
        for schedule_id, _ in due:
            _fire_alone(schedule_id, moment)
    rows = fetch(_NEXT, {"now": now or _database_now()})
    return None if rows[0][0] is None else max(rows[0][0], 0.0)


def _database_now() -> datetime:
    """Return the time by the clock that all workers share."""
    now: datetime = fetch("SELECT clock_timestamp()")[0][0]
    return now


@transacted
def _fire(sql: str, params: dict[str, Any], now: datetime) -> None:
    due = fetch(sql, params)
    if due:
        carry_out(_read(due), now)


def _fire_alone(schedule_id: UUID, now: datetime) -> None:
    """Do what one schedule is due to do. If that fails its execution ends; another one begins in a minute."""
    try:
        _fire(_ONE, {"id": schedule_id}, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("the schedule %s failed", schedule_id)
        words = f"{type(error).__name__}: {error}"
        transacted(live.end)(schedule_id, Status.ENDED_ERROR, words, reason=Reason.RAISED)


# -- Reading ------------------------------------------------------------------------------------------------

_STARTED = """
SELECT x.schedule_id, x.id FROM executions_execution x
WHERE x.schedule_id = ANY(%(ids)s) AND x.type <> 'SCHEDULE' AND x.ended_at IS NULL
"""
_QUEUED = """
SELECT schedule_id, nominal_at, cause FROM schedules_firing
WHERE schedule_id = ANY(%(ids)s) AND outcome = 'queued' ORDER BY nominal_at
"""
_FAILURES = """
SELECT s.id, f.name, f.id, f.message, f.reason FROM schedules_schedule s JOIN LATERAL (
    SELECT x.name, x.id, x.message, x.reason FROM executions_execution x
    WHERE x.schedule_id = s.id AND x.status = 'ENDED_ERROR' AND x.type <> 'SCHEDULE' AND x.ended_at >= s.enabled_at
    ORDER BY x.ended_at LIMIT 1) f ON true
WHERE s.id = ANY(%(ids)s)
"""


def _read(due: list[tuple[Any, ...]]) -> list[Turn]:
    found = read_schedules([row[0] for row in due])
    turns = [
        Turn(found[schedule_id], execution_id) for schedule_id, execution_id in due if schedule_id in found
    ]
    concerned = [
        turn for turn in turns if turn.schedule.overlap != Overlap.ALLOW or turn.schedule.pause_on_failure
    ]
    if concerned:
        ids = {"ids": [turn.schedule.pk for turn in concerned]}
        # An end that happens now waits for our commit, so that it finds our waits. To wait for one that is under way
        # could be a deadlock: it is looked at again.
        locked = _grouped(fetch(_STARTED + "ORDER BY x.id FOR SHARE SKIP LOCKED", ids))
        living = _grouped(fetch(_STARTED, ids))
        for turn in concerned:
            turn.living = tuple(key for (key,) in living.get(turn.schedule.pk, []))
            turn.is_unsure = len(turn.living) > len(locked.get(turn.schedule.pk, []))
    return turns


def _situations(turns: list[Turn]) -> dict[UUID, Situation]:
    queued = _grouped(fetch(_QUEUED, {"ids": [turn.schedule.pk for turn in turns]}))
    watched = [turn.schedule.pk for turn in turns if turn.schedule.pause_on_failure]
    failures = _grouped(fetch(_FAILURES, {"ids": watched})) if watched else {}
    return {
        turn.schedule.pk: Situation(
            living=turn.living,
            queued=tuple(Queued(*row) for row in queued.get(turn.schedule.pk, [])),
            failure=_words_of(failures.get(turn.schedule.pk, [])),
        )
        for turn in turns
    }


def _words_of(failures: list[tuple[Any, ...]]) -> str:
    if not failures:
        return ""
    name, key, message, reason = failures[0]
    return f"The execution {name!r} ({key}) failed. {one_line(message, reason)}".strip()


def _grouped(rows: Iterable[tuple[Any, ...]]) -> dict[UUID, list[tuple[Any, ...]]]:
    found: dict[UUID, list[tuple[Any, ...]]] = {}
    for first, *rest in rows:
        found.setdefault(first, []).append(tuple(rest))
    return found


# -- Carrying out -------------------------------------------------------------------------------------------


def carry_out(turns: list[Turn], now: datetime) -> None:
    """Decide what these schedules do now and do it, in the caller's transaction."""
    situations = _situations(turns)
    for turn in turns:
        turn.decision = _decide(turn, situations[turn.schedule.pk], now)
    written = write_down([(turn.schedule, each) for turn in turns for each in turn.decision.fired.values()])
    for turn in turns:
        for fired, key in written.get(turn.schedule.pk, []):
            if key:
                turn.started.append(key)
                turn.iterations += fired.cause == Firing.Cause.TIME
            elif fired.outcome == Firing.Outcome.FAILED and turn.schedule.pause_on_failure:
                turn.decision.failed = f"It could not be started: {fired.message}"
    _wait(turns)
    _note(turns)
    sleep_until({turn.execution_id: _rest(turn, now) for turn in turns if not turn.has_ended})
    _cancel(turns)  # last: what ends at once wakes its schedule
    for turn in turns:
        if turn.has_ended:
            _end(turn)


def _decide(turn: Turn, situation: Situation, now: datetime) -> Decision:
    try:
        recurrence = turn.schedule.recurrence
        assert recurrence is not None
        return decide(turn.schedule, recurrence, situation, now)
    except Exception as error:  # a configuration that means nothing any more stops this schedule alone
        logger.exception("the schedule %s cannot go on", turn.schedule.pk)
        return Decision(next_at=turn.schedule.next_at, failed=f"{type(error).__name__}: {error}")


_WAIT = """
INSERT INTO executions_wait (waiter_id, target_id)
SELECT * FROM unnest(%(waiters)s::uuid[], %(targets)s::uuid[]) ON CONFLICT DO NOTHING
"""


def _wait(turns: list[Turn]) -> None:
    """Let the end of what was started wake those that want to hear of it."""
    pairs = [
        (turn.execution_id, key)
        for turn in turns
        if turn.decision.waits and not turn.has_ended
        for key in (*turn.living, *turn.started)
    ]
    if pairs:
        fetch(_WAIT, {"waiters": [pair[0] for pair in pairs], "targets": [pair[1] for pair in pairs]})


_NOTE = """
UPDATE schedules_schedule s SET next_at = g.next_at, iterations = s.iterations + g.iterations
FROM jsonb_to_recordset(%(rows)s) AS g(id uuid, next_at timestamptz, iterations int) WHERE s.id = g.id
"""


def _note(turns: list[Turn]) -> None:
    rows = [
        {"id": turn.schedule.pk, "next_at": turn.decision.next_at, "iterations": turn.iterations}
        for turn in turns
    ]
    fetch(_NOTE, {"rows": jsonb(rows)})


def _cancel(turns: list[Turn]) -> None:
    ids = sorted({key for turn in turns for key in turn.decision.cancels})
    ended = request_cancel(living_tree(ids), Reason.CANCELLED) if ids else []
    if ended:
        after_end(ended)


def _rest(turn: Turn, now: datetime) -> tuple[datetime | None, dict[str, Any]]:
    """Return until when the schedule sleeps, and what its execution's page says."""
    wake_at = turn.decision.wake_at
    shown = live.waiting_for(wake_at)
    if turn.decision.waits and turn.is_unsure:
        soon = now + _LOOK_AGAIN
        wake_at = soon if wake_at is None else min(wake_at, soon)
    return wake_at, shown


def _end(turn: Turn) -> None:
    failed, finished = turn.decision.failed, turn.decision.finished
    live.disable(turn.schedule, failed or finished)
    status = Status.ENDED_ERROR if failed else Status.ENDED_SUCCESS
    live.end(turn.schedule.pk, status, failed or finished, reason=Reason.REPORTED if failed else "")
