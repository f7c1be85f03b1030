"""Locks and waits at the same moment: one holder, an order, no wake-up lost, and of every circle one is refused."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError

from executions.database import TRIES, was_deadlock
from executions.flow_calls import CallRefused, Parked
from executions.lifecycle import Status
from executions.models import Execution, Lock
from executions.operations import cancel_executions
from executions.pausing import pause_executions, resume_executions
from tests.executions.stage import Stage, in_threads, wait_until
from tests.savepoints.actors import Actor, drive
from tests.savepoints.test_interleavings import begin, held_open, in_background, no_errors, row_of

ROUNDS = 4


def acquire(name: str, timeout: float | None = None) -> list[Any]:
    return ["lock.acquire", {"select": name, "by": "name", "timeout": timeout}]


def release(name: str) -> list[Any]:
    return ["lock.release", {"select": name, "by": "name"}]


def wait_for(*keys: UUID, return_when: str = "ALL_ENDED", timeout: float | None = None) -> list[Any]:
    return ["execution.wait", {"ids": list(map(str, keys)), "return_when": return_when, "timeout": timeout}]


def ask(actor: Actor, key: UUID, call: list[Any]) -> Any:
    """Make a call as a host does: again when the database broke it off."""
    caller = actor.callers[key]
    for _ in range(TRIES):
        pending = caller.pending
        try:
            return actor.call(key, *call)
        except OperationalError as error:
            if not was_deadlock(error):
                raise
            caller.pending = pending
    raise AssertionError("broken off too often")


def holder_of(name: str) -> UUID | None:
    return (
        Lock.objects.filter(setting__name=name)
        .exclude(since=None)
        .values_list("execution", flat=True)
        .first()
    )


def started(stage: Stage, actor: Actor, *plans: list[Any]) -> list[UUID]:
    """Start executions with these plans and let the host take them."""
    keys = [begin(stage, list(plan)) for plan in plans]
    wait_until(lambda: actor.claim() or all(key in actor.callers for key in keys))
    return keys


def test_two_that_take_a_free_lock(stage: Stage, actor: Actor) -> None:
    for number in range(ROUNDS):
        name = f"free {number}"
        keys = started(stage, actor, [acquire(name)], [acquire(name)])
        # Half of the rounds: the setting is made by one of them, too.
        if number % 2:
            ask(actor, started(stage, actor, [acquire(name)])[0], release(name))
        results = no_errors(in_threads(*[lambda k=k: ask(actor, k, acquire(name)) for k in keys]))  # noqa: B023
        assert sorted(isinstance(each, Parked) for each in results) == [False, True]
        drive(actor, keys)
        assert holder_of(name) is None


@pytest.mark.parametrize("is_end", [False, True], ids=["release", "end"])
def test_one_comes_while_the_owner_leaves(stage: Stage, actors: Callable[..., Actor], is_end: bool) -> None:
    first, second = actors(), actors()
    for number in range(ROUNDS):
        name = f"left {is_end} {number}"
        owner = started(stage, first, [acquire(name)])[0]
        ask(first, owner, acquire(name))
        comer = started(stage, second, [acquire(name)])[0]
        leave = (lambda: first.end(owner)) if is_end else (lambda: ask(first, owner, release(name)))  # noqa: B023
        no_errors(in_threads(leave, lambda: ask(second, comer, acquire(name))))  # noqa: B023
        assert holder_of(name) == comer
        drive(second, [comer])
        if not is_end:
            drive(first, [owner])


def test_the_first_in_line_goes_while_the_lock_is_handed_on(
    stage: Stage, actors: Callable[..., Actor]
) -> None:
    first, second, third = actors(), actors(), actors()
    for number in range(ROUNDS):
        name = f"gone {number}"
        owner, leaver, next_one = (
            started(stage, actor, [acquire(name)])[0] for actor in (first, second, third)
        )
        for actor, key in ((first, owner), (second, leaver), (third, next_one)):
            ask(actor, key, acquire(name))
        cancel_executions([leaver])
        no_errors(in_threads(lambda: ask(first, owner, release(name)), second.look_around))  # noqa: B023
        assert row_of(leaver).status == Status.ENDED_CANCELLED
        assert holder_of(name) == next_one
        drive(third, [next_one])
        drive(first, [owner])


def test_the_time_is_over_while_the_lock_is_handed_on(stage: Stage, actors: Callable[..., Actor]) -> None:
    first, second = actors(), actors()
    parked = 0
    for number in range(ROUNDS):
        name = f"late {number}"
        owner, waiter = started(stage, first, [acquire(name)])[0], started(stage, second, [acquire(name)])[0]
        ask(first, owner, acquire(name))
        if not isinstance(ask(second, waiter, acquire(name, timeout=0.05)), Parked):
            continue  # on a busy machine the time was over before the question was put
        parked += 1
        time.sleep(0.045)  # so that the end of its time and the release meet
        no_errors(in_threads(lambda: ask(first, owner, release(name)), second.go_on))  # noqa: B023
        wait_until(lambda: second.go_on() or waiter not in second.parked)  # noqa: B023
        assert holder_of(name) in (None, waiter)
        assert not Lock.objects.filter(setting__name=name, since=None).exists()
        drive(second, [waiter])
        drive(first, [owner])
    assert parked


def test_the_owner_s_release_waits_for_one_that_queues(stage: Stage, actors: Callable[..., Actor]) -> None:
    """The comer has seen the owner and not committed its place; the release waits, and then finds it."""
    first, second = actors(), actors()
    owner, comer = started(stage, first, [acquire("seen")])[0], started(stage, second, [acquire("seen")])[0]
    ask(first, owner, acquire("seen"))
    with held_open(lambda: second.call(comer, *acquire("seen"))):
        released = in_background(lambda: first.call(owner, *release("seen")))
    assert not isinstance(released(), BaseException)
    assert holder_of("seen") == comer
    assert row_of(comer).ready_at is not None
    drive(second, [comer])
    drive(first, [owner])


def test_a_pause_while_the_lock_is_handed_on(stage: Stage, actors: Callable[..., Actor]) -> None:
    first, second = actors(), actors()
    for number in range(ROUNDS):
        name = f"paused {number}"
        owner, waiter = started(stage, first, [acquire(name)])[0], started(stage, second, [acquire(name)])[0]
        ask(first, owner, acquire(name))
        ask(second, waiter, acquire(name))
        second.unload(waiter)
        works = (lambda: ask(first, owner, release(name)), lambda: pause_executions([waiter]))  # noqa: B023
        no_errors(in_threads(*works))
        assert row_of(waiter).status in (Status.PAUSED, Status.QUEUED)
        resume_executions([waiter])
        drive(second, [waiter])
        drive(first, [owner])
        assert holder_of(name) is None


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("kind", ["locks", "ends", "both"])
def test_of_a_circle_exactly_one_is_refused(
    stage: Stage, actors: Callable[..., Actor], kind: str, size: int
) -> None:
    actor = actors(slots=16)
    for number in range(ROUNDS):
        names = [f"{kind} {size} {number} {place}" for place in range(size)]
        keys = started(stage, actor, *[[acquire(name)] for name in names])
        for key, name in zip(keys, names, strict=True):
            ask(actor, key, acquire(name))

        def wait(place: int) -> Any:
            key, after = keys[place], (place + 1) % size  # noqa: B023
            by_lock = kind == "locks" or (kind == "both" and place % 2)
            return ask(actor, key, acquire(names[after]) if by_lock else wait_for(keys[after]))  # noqa: B023

        results = in_threads(*[lambda p=place: wait(p) for place in range(size)])
        refused = [each for each in results if isinstance(each, CallRefused)]
        assert len(refused) == 1, results
        assert refused[0].type == ("DeadlockError" if kind == "ends" else "LockDeadlockError")
        assert {each["execution_id"] for each in refused[0].data["circle"]} == set(keys)
        assert sum(isinstance(each, Parked) for each in results) == size - 1
        drive(actor, keys)


def test_what_ends_by_itself_is_no_circle(stage: Stage, actor: Actor) -> None:
    timed, other, third = started(stage, actor, [acquire("a")], [acquire("b")], [])
    ask(actor, timed, acquire("a"))
    ask(actor, other, acquire("b"))
    assert isinstance(ask(actor, timed, wait_for(other, timeout=0.2)), Parked)
    assert isinstance(ask(actor, other, wait_for(timed)), Parked), "the first one waits no longer than 0.2 s"
    drive(actor, [timed, other, third])

    one, two, three = started(stage, actor, [], [], [])
    assert isinstance(ask(actor, one, wait_for(two, three, return_when="FIRST_ENDED")), Parked)
    assert isinstance(ask(actor, two, wait_for(one)), Parked), "the end of the third frees the first"
    drive(actor, [one, two, three])
    assert set(Execution.objects.filter(pk__in=stage.ids).values_list("status", flat=True)) == {
        Status.ENDED_SUCCESS
    }
