"""Ends are written once, and only by the host and the attempt that hold the execution."""

from collections.abc import Callable
from typing import Any

import pytest

from executions.database import fetch
from executions.flow_calls import answer
from executions.hosting import LateWrite
from executions.lifecycle import Status
from executions.models import Execution
from executions.moves import Outcome
from executions.operations import AlreadyEnded, cancel_execution, cancel_executions
from executions.savepoints import Request
from tests.executions.hosts import FAILURE, SUCCESS, StandIn, sweep
from tests.executions.stage import Stage, in_threads, wait_until

Hosts = Callable[..., StandIn]
ROUNDS = 12


def claimed(stage: Stage, host: StandIn) -> Execution:
    execution = stage.start("")
    assert execution.pk in host.claim()
    execution.refresh_from_db()
    return execution


def state(execution: Execution) -> tuple[Any, ...]:
    row = fetch(
        "SELECT status, reason, version, attempt, host_id, message, output_value, ended_at,"
        " (SELECT count(*) FROM executions_transition WHERE execution_id = e.id)"
        " FROM executions_execution e WHERE id = %s",
        (execution.pk,),
    )
    return row[0]


def has_left(execution: Execution) -> bool:
    return Execution.objects.get(pk=execution.pk).host_id is None


def test_an_end_is_written_with_what_is_known(stage: Stage, host: StandIn) -> None:
    execution = claimed(stage, host)
    outcome = Outcome(Status.ENDED_SUCCESS, "", "all done", {"a": [1]}, True, 0.5, 1 << 20)
    assert host.end(execution.pk, outcome=outcome) == [execution.pk]
    execution.refresh_from_db()
    assert (execution.status, execution.message, execution.output_value) == (
        Status.ENDED_SUCCESS,
        "all done",
        {"a": [1]},
    )
    assert (execution.cpu_seconds, execution.peak_memory_bytes) == (0.5, 1 << 20)
    assert execution.host_id is None and execution.ended_at is not None


def test_a_second_end_changes_nothing(stage: Stage, host: StandIn) -> None:
    execution = claimed(stage, host)
    host.end(execution.pk)
    before = state(execution)
    assert host.end(execution.pk, outcome=FAILURE) == []
    assert state(execution) == before


def test_two_ends_at_once(stage: Stage, host: StandIn) -> None:
    for _ in range(ROUNDS):
        execution = claimed(stage, host)
        ends = in_threads(
            lambda e=execution: host.end(e.pk, attempt=1, outcome=SUCCESS),
            lambda e=execution: host.end(e.pk, attempt=1, outcome=FAILURE),
        )
        assert sorted(ends, key=len) == [[], [execution.pk]]


def test_an_end_of_another_attempt_changes_nothing(stage: Stage, host: StandIn) -> None:
    execution = claimed(stage, host)
    before = state(execution)
    assert host.end(execution.pk, attempt=2) == []
    assert state(execution) == before
    assert host.end(execution.pk, attempt=1) == [execution.pk]


def test_an_end_by_another_host_changes_nothing(stage: Stage, hosts: Hosts) -> None:
    mine, other = hosts(), hosts()
    execution = claimed(stage, mine)
    before = state(execution)
    assert other.end(execution.pk) == []
    assert state(execution) == before


@pytest.mark.parametrize("call", ["execution.set_output", "sleep", "execution.start", "record.save"])
def test_a_call_of_another_attempt_is_refused(stage: Stage, host: StandIn, call: str) -> None:
    execution = claimed(stage, host)
    arguments: dict[str, dict[str, Any]] = {
        "execution.set_output": {"values": {"a": 1}},
        "sleep": {"seconds": 1},
        "execution.start": {"type": "SCRIPT", "script": "def handler(system, this): pass", "fields": {}},
        "record.save": {
            "type": "execution",
            "select": str(execution.pk),
            "by": "id",
            "fields": {"message": "m"},
        },
    }
    stale = host.caller(execution.pk)
    stale.attempt = 2
    before = state(execution)
    with pytest.raises(LateWrite):
        answer(stale, Request(1, call, arguments[call]))
    assert state(execution) == before
    assert stage.children(execution) == []


def test_a_call_after_the_end_is_refused(stage: Stage, host: StandIn) -> None:
    execution = claimed(stage, host)
    host.end(execution.pk)
    before = state(execution)
    with pytest.raises(LateWrite):
        host.call(execution.pk, "execution.set_output", values={"a": 1})
    assert state(execution) == before


def test_a_host_that_lost_its_lease_cannot_end_what_it_ran(stage: Stage, hosts: Hosts) -> None:
    mine = hosts()
    execution = claimed(stage, mine)
    mine.die()
    wait_until(lambda: sweep() or has_left(execution), "the lock was free")
    before = state(execution)
    assert mine.end(execution.pk, attempt=1) == []
    assert state(execution) == before


def test_cancel_against_end(stage: Stage, host: StandIn) -> None:
    for _ in range(ROUNDS):
        execution = claimed(stage, host)
        ended, cancelled = in_threads(
            lambda e=execution: host.end(e.pk, attempt=1),
            lambda e=execution: cancel_executions([e.pk]),
        )
        assert ended == [execution.pk], "its host has the last word"
        execution.refresh_from_db()
        assert execution.status == Status.ENDED_SUCCESS
        assert cancelled in ([], [execution.pk])


def test_cancel_of_what_has_ended_is_refused(stage: Stage, host: StandIn) -> None:
    execution = claimed(stage, host)
    host.end(execution.pk)
    before = state(execution)
    with pytest.raises(AlreadyEnded):
        cancel_execution(execution, by=stage.cast.root)
    assert state(execution) == before


def test_the_output_that_was_set_is_not_lost_to_the_returned_one(stage: Stage, host: StandIn) -> None:
    execution = claimed(stage, host)
    host.call(execution.pk, "execution.set_output", values={"a": 1})
    host.call(execution.pk, "execution.set_output", values={"b": 2})
    host.end(execution.pk, outcome=Outcome(Status.ENDED_SUCCESS, output=5, has_output=True))
    execution.refresh_from_db()
    assert execution.output_value == {"a": 1, "b": 2}
