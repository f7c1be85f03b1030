"""What a schedule does now: a pure decision from its times, its policies, and what it started before.

`schedules.firing` reads what is needed, asks `decide`, and carries the decision out in one transaction.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from schedules.models import CatchUp, Firing, Overlap, Schedule
from schedules.recurrence import Recurrence

Cause, Outcome = Firing.Cause, Firing.Outcome
MOST_AT_ONCE = 100  # times that one schedule deals with in one turn
MOST_QUEUED = 1_000
_CLOSE = timedelta(seconds=1)


@dataclass(frozen=True)
class Queued:
    """A time that waits for earlier starts to end."""

    nominal_at: datetime
    cause: str = Cause.TIME


@dataclass(frozen=True)
class Situation:
    """What a schedule started before: what of that lives, what waits, and a failure since it was enabled."""

    living: tuple[UUID, ...] = ()
    queued: tuple[Queued, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Fired:
    """One time and what becomes of it."""

    nominal_at: datetime
    outcome: str
    message: str = ""
    cause: str = Cause.TIME


@dataclass
class Decision:
    """What is to be done: the times dealt with, whom to cancel, and how it goes on."""

    fired: dict[datetime, Fired] = field(default_factory=dict)  # by the time, which has one outcome
    cancels: tuple[UUID, ...] = ()
    next_at: datetime | None = None  # the next time to deal with; None when there is none
    wake_at: datetime | None = None  # None: only when something it waits for ends
    waits: bool = False  # it wants to hear of the end of what it started
    finished: str = ""  # it is over, because…
    failed: str = ""  # it is stopped, because…

    @property
    def iterations(self) -> int:
        """How many of the schedule's own times it starts."""
        return sum(
            (each.outcome, each.cause) == (Outcome.STARTED, Cause.TIME) for each in self.fired.values()
        )

    def note(self, nominal: datetime, outcome: str, message: str = "", cause: str = Cause.TIME) -> None:
        self.fired[nominal] = Fired(nominal, outcome, message, cause)


def decide(schedule: Schedule, recurrence: Recurrence, situation: Situation, now: datetime) -> Decision:
    """Return what the schedule does now. Changes nothing."""
    if schedule.pause_on_failure and situation.failure:
        return Decision(next_at=schedule.next_at, failed=situation.failure)
    decision = Decision(next_at=schedule.next_at)
    line = _Line(schedule, situation, decision)
    line.move_up()
    for nominal in [] if line.is_full else _due_times(schedule, recurrence, decision, now):
        if line.is_full:
            break
        line.join(nominal)
        decision.next_at = recurrence.next_after(nominal)
    if line.is_full or not _is_in_time(schedule, decision.next_at):
        decision.next_at = None
    decision.cancels = line.cancels
    if decision.next_at is None and not line.queued:
        decision.finished = _end_of(schedule, line)
    decision.waits = bool(line.queued) or schedule.pause_on_failure
    decision.wake_at = decision.next_at and due_at(schedule, decision.next_at)
    return decision


def due_at(schedule: Schedule, nominal: datetime) -> datetime:
    """Return when a time is due: later by a part of the jitter that is always the same for this time."""
    if not schedule.jitter_seconds:
        return nominal
    seed = hashlib.sha256(f"{schedule.pk} {nominal.timestamp()}".encode()).digest()
    part = int.from_bytes(seed[:6], "big") / 2**48
    return nominal + timedelta(seconds=schedule.jitter_seconds * part)


def _is_in_time(schedule: Schedule, nominal: datetime | None) -> bool:
    return nominal is not None and (schedule.ends_at is None or nominal <= schedule.ends_at)


def _due_times(
    schedule: Schedule, recurrence: Recurrence, decision: Decision, now: datetime
) -> list[datetime]:
    """Return the times to deal with now, in order. What is passed over is noted as missed."""
    window = now - timedelta(seconds=schedule.catch_up_seconds)
    first = decision.next_at
    if first is not None and first < window:
        decision.next_at = recurrence.next_after(window - timedelta(microseconds=1))
        words = "No worker was there, and it is longer ago than times are made up for."
        decision.note(first, Outcome.MISSED, words)
    due: list[datetime] = []
    nominal = decision.next_at
    while nominal is not None and _is_in_time(schedule, nominal) and due_at(schedule, nominal) <= now:
        due.append(nominal)
        nominal = recurrence.next_after(nominal)
        if len(due) == MOST_AT_ONCE or (len(due) == 2 and schedule.catch_up == CatchUp.LATEST):
            break
    if len(due) < 2 or schedule.catch_up == CatchUp.ALL:
        return due
    # No time is due after this one, however many there were.
    limit = now - timedelta(seconds=schedule.jitter_seconds)
    latest = _latest(recurrence, due[1], min(limit, schedule.ends_at or limit))
    words = "No worker was there; of several times only the latest is made up for."
    decision.note(due[0], Outcome.MISSED, words)
    return [latest]


def _latest(recurrence: Recurrence, known: datetime, until: datetime) -> datetime:
    """Return the latest time up to `until`; `known` is one. Halving: there may be very many."""
    low, high = known, until
    while high - low > _CLOSE:
        middle = low + (high - low) / 2
        following = recurrence.next_after(middle)
        if following is not None and following <= until:
            known, low = following, max(middle, min(following, until))
        else:
            high = middle
    while (following := recurrence.next_after(known)) is not None and following <= until:
        known = following
    return known


class _Line:
    """The starts of a schedule one behind the other, as its overlap policy wants it."""

    def __init__(self, schedule: Schedule, situation: Situation, decision: Decision) -> None:
        self._overlap, self._note = schedule.overlap, decision.note
        self._living = situation.living
        self.queued = list(situation.queued)
        self._is_busy = bool(situation.living)
        self._left = (
            None if schedule.max_iterations is None else schedule.max_iterations - schedule.iterations
        )
        # What waits counts: it will be started.
        self._taken = sum(each.cause == Cause.TIME for each in self.queued)
        self.cancels: tuple[UUID, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether it may not start any further time."""
        return self._left is not None and self._taken >= self._left

    def move_up(self) -> None:
        """Start what waits and may start now."""
        while self.queued and (not self._is_busy or self._overlap == Overlap.ALLOW):
            first = self.queued.pop(0)
            self._note(first.nominal_at, Outcome.STARTED, cause=first.cause)
            self._is_busy = True

    def join(self, nominal: datetime) -> None:
        """Deal with a time that is due."""
        if self._overlap == Overlap.ALLOW or not (self._is_busy or self.queued):
            self._note(nominal, Outcome.STARTED)
            self._is_busy, self._taken = True, self._taken + 1
        elif self._overlap == Overlap.CANCEL_OTHER:
            self._take_over(nominal)
        elif self._has_room():
            self._note(nominal, Outcome.QUEUED)
            self.queued.append(Queued(nominal))
            self._taken += 1
        else:
            self._note(nominal, Outcome.SKIPPED, "An earlier start had not ended.")

    def _has_room(self) -> bool:
        if self._overlap == Overlap.QUEUE_ONE:
            return not any(each.cause == Cause.TIME for each in self.queued)
        return self._overlap == Overlap.QUEUE_ALL and len(self.queued) < MOST_QUEUED

    def _take_over(self, nominal: datetime) -> None:
        for each in self.queued:
            self._note(each.nominal_at, Outcome.SKIPPED, "A later time took its place.", cause=each.cause)
            self._taken -= each.cause == Cause.TIME
        self._note(nominal, Outcome.QUEUED)
        self.queued, self.cancels = [Queued(nominal)], self._living
        self._taken += 1


END_HAS_COME = "Its end has come."


def ran_enough(schedule: Schedule) -> str:
    times = schedule.max_iterations
    return f"It ran {'once' if times == 1 else f'{times:,} times'}, as often as it may."


def _end_of(schedule: Schedule, line: _Line) -> str:
    if line.is_full:
        return ran_enough(schedule)
    return END_HAS_COME if schedule.ends_at is not None else "There is no further time."
