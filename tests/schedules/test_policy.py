"""What a schedule decides to do: overlap, catch-up, ends. Pure, so every case is quick to look at."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.models import Schedule
from schedules.policy import MOST_AT_ONCE, Cause, Decision, Queued, Situation, decide
from schedules.recurrence import Recurrence, recurrence_of

START = datetime(2026, 1, 1, tzinfo=UTC)
ALIVE = Situation(living=(UUID(int=1),))
IDLE = Situation()


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def every_minute(**fields: Any) -> tuple[Schedule, Recurrence]:
    schedule = Schedule(id=UUID(int=9), **{"next_at": minute(1), "enabled_at": START, **fields})
    return schedule, recurrence_of("interval", {"seconds": 60}, "UTC", START)


def decided(now: float, situation: Situation = IDLE, **fields: Any) -> Decision:
    schedule, recurrence = every_minute(**fields)
    return decide(schedule, recurrence, situation, minute(now))


def outcomes(decision: Decision) -> list[tuple[float, str]]:
    return [
        ((each.nominal_at - START) / timedelta(minutes=1), each.outcome) for each in decision.fired.values()
    ]


def waiting(*numbers: float, cause: str = Cause.TIME) -> tuple[Queued, ...]:
    return tuple(Queued(minute(number), cause) for number in numbers)


def test_too_early_is_nothing() -> None:
    decision = decided(0.99)
    assert outcomes(decision) == [] and decision.wake_at == decision.next_at == minute(1)
    assert not decision.finished and not decision.waits


def test_a_time_that_came_is_started() -> None:
    decision = decided(1)
    assert outcomes(decision) == [(1, "started")] and decision.next_at == minute(2)


@pytest.mark.parametrize(
    ("overlap", "situation", "expected"),
    [
        ("skip", IDLE, [(1, "started")]),
        ("skip", ALIVE, [(1, "skipped")]),
        ("allow", ALIVE, [(1, "started")]),
        ("queue_one", ALIVE, [(1, "queued")]),
        ("queue_one", Situation(ALIVE.living, waiting(0)), [(1, "skipped")]),
        ("queue_one", Situation((), waiting(0)), [(0, "started"), (1, "queued")]),
        ("queue_all", Situation(ALIVE.living, waiting(-1, 0)), [(1, "queued")]),
        ("queue_all", Situation((), waiting(-1, 0)), [(-1, "started"), (1, "queued")]),
        ("cancel_other", IDLE, [(1, "started")]),
        ("cancel_other", ALIVE, [(1, "queued")]),
        ("cancel_other", Situation(ALIVE.living, waiting(0)), [(0, "skipped"), (1, "queued")]),
        ("allow", Situation(ALIVE.living, waiting(0)), [(0, "started"), (1, "started")]),
    ],
)
def test_overlap(overlap: str, situation: Situation, expected: list[tuple[float, str]]) -> None:
    decision = decided(1, situation, overlap=overlap)
    assert outcomes(decision) == expected
    assert decision.cancels == (situation.living if overlap == "cancel_other" else ())
    assert decision.waits == any(
        outcome == "queued" for _, outcome in [*expected, *left(situation, expected)]
    )


def left(situation: Situation, expected: list[tuple[float, str]]) -> list[tuple[float, str]]:
    done = [number for number, _ in expected]
    queued = [((each.nominal_at - START) / timedelta(minutes=1), "queued") for each in situation.queued]
    return [each for each in queued if each[0] not in done]


def test_what_waits_moves_up_one_by_one() -> None:
    decision = decided(0.5, Situation((), waiting(-2, -1, 0)), overlap="queue_all")
    assert outcomes(decision) == [(-2, "started")] and decision.waits and decision.wake_at == minute(1)


def test_of_several_times_the_latest_is_made_up_for() -> None:
    decision = decided(100.5)
    assert outcomes(decision) == [(1, "missed"), (100, "started")] and decision.next_at == minute(101)


def test_each_time_is_made_up_for() -> None:
    decision = decided(5.5, catch_up="all", overlap="allow")
    assert outcomes(decision) == [(number, "started") for number in range(1, 6)]


def test_making_up_does_not_overlap() -> None:
    decision = decided(5.5, catch_up="all", overlap="skip")
    assert outcomes(decision) == [(1, "started"), *[(number, "skipped") for number in range(2, 6)]]


def test_what_is_too_long_ago_is_not_made_up_for() -> None:
    decision = decided(3 * 24 * 60 + 0.5, catch_up="all", catch_up_seconds=120, overlap="allow")
    last = 3 * 24 * 60
    assert outcomes(decision) == [(1, "missed"), (last - 1, "started"), (last, "started")]


def test_three_days_are_made_up_for_in_pieces() -> None:
    decision = decided(3 * 24 * 60, catch_up="all", catch_up_seconds=4 * 86400, overlap="allow")
    assert len(decision.fired) == MOST_AT_ONCE
    assert decision.next_at == decision.wake_at == minute(MOST_AT_ONCE + 1)


@settings(deadline=None)
@given(st.integers(60, 10_000), st.integers(1, 1_200_000), st.integers(0, 100))
def test_however_late_it_is_the_latest_time_is_found(window: int, seconds: int, jitter: int) -> None:
    schedule, recurrence = every_minute(catch_up_seconds=window, jitter_seconds=jitter)
    now = START + timedelta(seconds=seconds)
    started = []
    for _ in range(4):  # with much jitter, times are due out of turn
        decision = decide(schedule, recurrence, IDLE, now)
        started += [each.nominal_at for each in decision.fired.values() if each.outcome == "started"]
        schedule.next_at = decision.next_at
    assert schedule.next_at is not None and schedule.next_at > now - timedelta(seconds=jitter + 60)
    if jitter == 0:
        assert started == ([minute(seconds // 60)] if seconds >= 60 else [])


def test_it_ends_when_it_ran_often_enough() -> None:
    decision = decided(1, max_iterations=3, iterations=2)
    assert outcomes(decision) == [(1, "started")] and decision.next_at is None
    assert decision.finished == "It ran 3 times, as often as it may."


def test_what_waits_counts_as_a_run() -> None:
    situation = Situation(ALIVE.living, waiting(0))
    decision = decided(1, situation, max_iterations=3, iterations=2, overlap="queue_all")
    assert outcomes(decision) == [] and decision.next_at is None and decision.waits and not decision.finished
    situation = Situation((), waiting(0))
    decision = decided(2, situation, max_iterations=3, iterations=2, overlap="queue_all", next_at=None)
    assert outcomes(decision) == [(0, "started")] and decision.finished


def test_what_was_skipped_does_not_count() -> None:
    decision = decided(1, ALIVE, max_iterations=3, iterations=2)
    assert outcomes(decision) == [(1, "skipped")] and not decision.finished and decision.next_at == minute(2)


def test_it_ends_at_its_end() -> None:
    decision = decided(2, ends_at=minute(2.5), next_at=minute(2))
    assert outcomes(decision) == [(2, "started")] and decision.finished == "Its end has come."
    decision = decided(9.5, ends_at=minute(3.5))
    assert outcomes(decision) == [(1, "missed"), (3, "started")] and decision.finished


def test_a_single_time_ends_it() -> None:
    schedule, _ = every_minute()
    once = recurrence_of("once", {"at": "2026-01-01T00:01"}, "UTC", START)
    decision = decide(schedule, once, IDLE, minute(1))
    assert outcomes(decision) == [(1, "started")] and decision.finished == "There is no further time."


def test_a_failure_stops_it_before_anything_else() -> None:
    failed = Situation(failure="it broke")
    decision = decided(1, failed, pause_on_failure=True)
    assert outcomes(decision) == [] and decision.failed == "it broke"
    assert outcomes(decided(1, failed)) == [(1, "started")]
    assert decided(1, pause_on_failure=True).waits
