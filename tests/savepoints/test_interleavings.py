"""Two at the same moment: for each pair one outcome of the few that are right, and the invariants.

Half of them are races from a barrier, many times over; half hold one transaction open at the named place.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from executions import end_writing, flow_calls, hosting
from executions.flow_calls import Parked
from executions.hosting import LateWrite
from executions.lifecycle import ENDED, Reason, Status
from executions.models import Execution
from executions.moves import Outcome
from executions.operations import cancel_executions
from executions.pausing import pause_executions, resume_executions
from executions.restoring import restore_execution
from executions.savepoints import Request
from tests.executions.stage import Stage, in_threads, wait_until
from tests.savepoints.actors import SUCCESS, Actor, Plan, child, drive, start_plan, sweep

ROUNDS = 8
OUTPUT = ["execution.set_output", {"values": {"a": 1}}]
SLEEP = ["sleep", {"seconds": 3600}]
TIMED_OUT = Outcome(Status.ENDED_ERROR, Reason.TIMEOUT, "timed out")


def begin(stage: Stage, plan: Plan) -> UUID:
    execution = start_plan(plan, by=stage.cast.root, project=stage.cast.workshop)
    stage.ids.append(execution.pk)
    return execution.pk


def row_of(key: UUID) -> Execution:
    return Execution.objects.get(pk=key)


def no_errors(results: list[Any]) -> list[Any]:
    raised = [each for each in results if isinstance(each, BaseException) and not isinstance(each, LateWrite)]
    assert not raised, raised
    return results


@contextmanager
def held_open(work: Callable[[], Any]) -> Iterator[None]:
    """Do the work in a transaction of another connection, which stays open until the block is left."""
    done, leave, errors = threading.Event(), threading.Event(), []

    def hold() -> None:
        try:
            with transaction.atomic():
                work()
                done.set()
                leave.wait(20)
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert done.wait(20)
    try:
        yield
    finally:
        leave.set()
        thread.join(20)
    assert not errors, errors


def in_background(work: Callable[[], Any]) -> Callable[[], Any]:
    """Begin the work in a thread, wait until it is held up by a lock; returns what fetches its result."""
    result: list[Any] = []
    backend: list[int] = []

    def do() -> None:
        try:
            connection.ensure_connection()
            backend.append(connection.connection.info.backend_pid)
            result.append(work())
        except BaseException as error:
            result.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=do)
    thread.start()

    def is_held_up() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", backend[:1] or [0]
            )
            return bool(result) or (cursor.fetchone() or [False])[0]

    wait_until(is_held_up, "the other one waits for the lock")

    def fetch_result() -> Any:
        thread.join(20)
        assert not thread.is_alive()
        return result[0]

    return fetch_result


# -- Races ---------------------------------------------------------------------------------------------------


def test_cancel_and_finish(stage: Stage, actor: Actor) -> None:
    for _ in range(ROUNDS):
        key = begin(stage, [])
        actor.claim()
        no_errors(in_threads(lambda: actor.end(key), lambda: cancel_executions([key])))  # noqa: B023
        row = row_of(key)
        assert row.status == Status.ENDED_SUCCESS, "an end that was reported stands"


def test_cancel_and_claim(stage: Stage, actor: Actor) -> None:
    for _ in range(ROUNDS):
        key = begin(stage, [SLEEP])
        no_errors(in_threads(actor.claim, lambda: cancel_executions([key])))  # noqa: B023
        row = row_of(key)
        if row.status == Status.RUNNING:
            assert row.cancel_requested_at is not None, "its host will hear of it"
            drive(actor, [key])
        assert row_of(key).status == Status.ENDED_CANCELLED


def test_a_time_limit_and_finish(stage: Stage, actor: Actor) -> None:
    for _ in range(ROUNDS):
        key = begin(stage, [])
        actor.claim()
        attempt = actor.callers[key].attempt
        results = no_errors(
            in_threads(
                lambda: end_writing.end(actor.id, [(key, attempt, SUCCESS)], []).ended,  # noqa: B023
                lambda: end_writing.end(actor.id, [(key, attempt, TIMED_OUT)], []).ended,  # noqa: B023
            )
        )
        assert sorted(map(len, results)) == [0, 1], "exactly one of them ended it"
        actor.forget(key)


def test_pause_and_claim(stage: Stage, actor: Actor) -> None:
    for _ in range(ROUNDS):
        key = begin(stage, [OUTPUT])
        no_errors(in_threads(actor.claim, lambda: pause_executions([key])))  # noqa: B023
        row = row_of(key)
        assert row.status == Status.PAUSED or row.pause_requested_at is not None
        actor.look_around()
        assert row_of(key).status == Status.PAUSED
        resume_executions([key])
        drive(actor, [key])


def test_pause_and_cancel(stage: Stage, actor: Actor) -> None:
    for _ in range(ROUNDS):
        key = begin(stage, [SLEEP])
        actor.claim()
        actor.step(key)
        no_errors(in_threads(lambda: pause_executions([key]), lambda: cancel_executions([key])))  # noqa: B023
        drive(actor, [key])
        assert row_of(key).status == Status.ENDED_CANCELLED, "the end is the stronger wish"


def test_two_pauses_and_a_resume(stage: Stage, actor: Actor) -> None:
    for _ in range(ROUNDS):
        key = begin(stage, [SLEEP])
        actor.claim()
        actor.step(key)
        works = [lambda: pause_executions([key])] * 2 + [lambda: resume_executions([key])]  # noqa: B023
        no_errors(in_threads(*works, actor.look_around))
        actor.look_around()
        resume_executions([key])
        actor.turn()
        actor.turn()
        assert row_of(key).status == Status.SLEEPING
        cancel_executions([key])
        drive(actor, [key])


@pytest.mark.parametrize("is_unloaded", [False, True], ids=["in memory", "out of memory"])
def test_a_childs_end_and_the_parents_leaving(
    stage: Stage, actors: Callable[..., Actor], is_unloaded: bool
) -> None:
    """The child ends in the moment in which its parent parks (or is put out of memory): no wake-up is lost."""
    for _ in range(ROUNDS):
        first, second = actors(), actors()
        parent = begin(stage, [child([]), ["execution.wait", {}]])
        first.claim()
        first.step(parent)
        key = Execution.objects.get(parent_id=parent).pk
        assert second.claim() == [key]
        first.plans[parent][1][1] = {"ids": [str(key)], "return_when": "ALL_ENDED"}
        if is_unloaded:
            first.step(parent)
        leave = (lambda: first.unload(parent)) if is_unloaded else (lambda: first.step(parent))  # noqa: B023
        no_errors(in_threads(leave, lambda: second.end(key)))  # noqa: B023
        drive(first, [parent], seconds=10)
        second.put_down()
        first.put_down()


def test_two_hosts_claim_what_is_resumed(stage: Stage, actors: Callable[..., Actor]) -> None:
    first, second = actors(), actors()
    for _ in range(ROUNDS):
        key = begin(stage, [])
        pause_executions([key])
        resume_executions([key])
        claims = no_errors(in_threads(first.claim, second.claim))
        assert sorted(claims, key=len) == [[], [key]]
        (first if key in first.callers else second).end(key)


def test_restore_and_finish(stage: Stage, actor: Actor) -> None:
    for _ in range(ROUNDS):
        key = begin(stage, [["savepoint.save", {"name": "x"}], OUTPUT])
        actor.claim()
        actor.step(key)
        actor.step(key)
        attempt = actor.callers[key].attempt
        results = in_threads(
            lambda: end_writing.end(actor.id, [(key, attempt, SUCCESS)], []).ended,  # noqa: B023
            lambda: restore_execution(row_of(key), 1, by=stage.cast.root),  # noqa: B023
        )
        actor.forget(key)
        row = row_of(key)
        if results[0]:
            assert type(results[1]).__name__ == "AlreadyEnded" and row.status == Status.ENDED_SUCCESS
        else:
            assert row.status == Status.QUEUED and row.host_id is None, "the late end was refused"
            drive(actor, [key])
        assert row_of(key).status == Status.ENDED_SUCCESS


# -- Held open at a place ---------------------------------------------------------------------------------------


def test_a_call_commits_while_a_cancel_waits(stage: Stage, actor: Actor) -> None:
    key = begin(stage, [OUTPUT])
    actor.claim()
    caller = actor.callers[key]
    with held_open(lambda: flow_calls.answer(caller, Request(1, *OUTPUT))):
        cancelled = in_background(lambda: cancel_executions([key]))
    assert cancelled() == [key]
    row = row_of(key)
    assert row.output_value == {"a": 1} and row.cancel_requested_at is not None


def test_a_call_of_a_host_that_is_swept_meanwhile_is_refused(
    stage: Stage, actors: Callable[..., Actor]
) -> None:
    """The sweep has taken the row and not committed; the late call waits for it, and then changes nothing."""
    old, new = actors(), actors()
    key = begin(stage, [OUTPUT, OUTPUT])
    assert old.claim() == [key]
    old.step(key)
    caller = old.callers[key]

    def take_away() -> None:
        Execution.objects.filter(pk=key).select_for_update().get()
        hosting.put_down(old.id, [key])  # what the sweep does to the row of a dead host

    with held_open(take_away):
        late = in_background(
            lambda: flow_calls.answer(caller, Request(2, "execution.set_output", {"values": {"b": 2}}))
        )
    assert isinstance(late(), LateWrite)
    old.forget(key)
    assert row_of(key).output_value == {"a": 1}
    assert new.claim() == [key]
    drive(new, [key])


def test_a_child_ends_while_its_parent_parks(stage: Stage, actors: Callable[..., Actor]) -> None:
    """The parent has looked and not committed its wait; the child's end waits, and then finds it."""
    first, second = actors(), actors()
    parent = begin(stage, [child([])])
    first.claim()
    first.step(parent)
    key = Execution.objects.get(parent_id=parent).pk
    assert second.claim() == [key]
    parked: list[Any] = []
    wait = {"ids": [str(key)], "return_when": "ALL_ENDED"}
    caller = first.callers[parent]
    with held_open(lambda: parked.append(flow_calls.answer(caller, Request(2, "execution.wait", wait)))):
        ended = in_background(lambda: second.end(key))
    assert ended() is True
    assert isinstance(parked[0], Parked)
    assert row_of(parent).ready_at is not None, "its wait is over"
    assert hosting.held_by(first.id)[parent].is_ready


def test_two_sweeps_of_one_dead_host(stage: Stage, actors: Callable[..., Actor]) -> None:
    for _ in range(ROUNDS):
        dead = actors()
        keys = [begin(stage, [OUTPUT]) for _ in range(3)]
        dead.claim()
        dead.die()
        no_errors(in_threads(sweep, sweep, sweep))
        sweep()
        rows = [row_of(key) for key in keys]
        assert [(row.status, row.host_id, row.losses) for row in rows] == [(Status.QUEUED, None, 1)] * 3
        fresh = actors()
        drive(fresh, keys)
        fresh.put_down()
    assert all(row_of(key).status in ENDED for key in stage.ids)
