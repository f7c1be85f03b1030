"""Ends written in one round trip: the same as the long way, and nothing at all when something is otherwise."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from executions import end_writing, hosting
from executions.calls.base import snapshot
from executions.database import Unexpected
from executions.flow_calls import Parked, answer
from executions.lifecycle import Status
from executions.log import Line, LogCounter
from executions.models import Execution, LogLine, Maintenance, Savepoint, Transition, Wait
from executions.moves import Outcome
from executions.moves_here import SoleWait
from executions.savepoints import Request
from tests.executions.hosts import FAILURE, SUCCESS, StandIn
from tests.executions.stage import Stage, in_threads

Hosts = Callable[..., StandIn]


class Family:
    """A parent parked on its host for one child that runs there."""

    def __init__(self, stage: Stage, host: StandIn, return_when: str = "ALL_SUCCEEDED") -> None:
        self.host, self.parent = host, stage.start("").pk
        host.claim()
        arguments: dict[str, Any] = {
            "type": "SCRIPT",
            "script": "x = 1",
            "inputs": {"n": 1},
            "wait": return_when,
        }
        self.caller = host.caller(self.parent)
        parked = answer(self.caller, Request(1, "execution.start", arguments))
        assert isinstance(parked, Parked) and parked.child
        self.child: UUID = parked.child["id"]

    def wait_of(self, outcome: Outcome = SUCCESS) -> list[SoleWait]:
        wait = end_writing.sole_wait(self.caller, self.child, outcome)
        return [wait] if wait else []

    def end(self, outcome: Outcome = SUCCESS, **options: Any) -> tuple[dict[UUID, Any], list[UUID]]:
        options = {"forgetful": [], "waits": self.wait_of(outcome), "lines": [], "takes_next": True} | options
        return end_writing.end_plain(self.host.id, [(self.child, 1, outcome)], **options)

    def statuses(self) -> list[str]:
        return [Execution.objects.get(pk=key).status for key in (self.parent, self.child)]


@pytest.fixture
def family(stage: Stage, hosts: Hosts) -> Family:
    return Family(stage, hosts(slots=1))


def written(execution_id: UUID) -> list[tuple[Any, ...]]:
    rows = Transition.objects.filter(execution_id=execution_id).order_by("version")
    return list(rows.values_list("old", "new", "version"))


def test_the_parent_goes_on_with_the_answer_in_the_slot_of_its_child(family: Family, stage: Stage) -> None:
    waiting = stage.start("").pk
    outcome = Outcome(Status.ENDED_SUCCESS, "", "done", {"a": [1, None]}, has_output=True, cpu_seconds=0.25)
    answers, claimed = family.end(outcome)
    assert claimed == [], "the one slot went to the parent"
    child = Execution.objects.get(pk=family.child)
    assert child.message == "done" and child.output_value == {"a": [1, None]} and child.cpu_seconds == 0.25
    expected = snapshot(child)
    got = answers[family.parent]
    assert got.keys() == expected.keys() and got["output_value"] == {"a": [1, None]}
    for name, value in expected.items():
        if isinstance(value, datetime):  # written without zeros at its end, which mean nothing
            assert datetime.fromisoformat(got[name]) == value, name
        else:
            assert got[name] == (str(value) if isinstance(value, UUID) else value), name
    recorded = Savepoint.objects.get(execution_id=family.parent, number=1)
    assert recorded.value == got and not recorded.is_pending
    assert family.statuses() == ["RUNNING", "ENDED_SUCCESS"]
    assert not Wait.objects.filter(waiter=family.parent).exists()
    waits = Status.WAITING_FOR_DEPENDENCY.value
    assert written(family.parent)[-2:] == [("RUNNING", waits, 3), (waits, "RUNNING", 4)]
    assert written(family.child) == [("", "RUNNING", 1), ("RUNNING", "ENDED_SUCCESS", 2)]
    assert Execution.objects.get(pk=waiting).status == "QUEUED"


def test_a_slot_that_nobody_here_waits_for_goes_to_the_queue(stage: Stage, hosts: Hosts) -> None:
    host = hosts(slots=2)
    first, second = stage.start("").pk, stage.start("").pk
    host.claim()
    queued = [stage.start("").pk for _ in range(3)]
    ends = [(first, 1, SUCCESS), (second, 1, FAILURE)]
    counter = LogCounter(first)
    lines: list[Line] = [line for line in [counter.line("the last")] if line]
    answers, claimed = end_writing.end_plain(host.id, ends, [], [], lines, takes_next=True)
    assert answers == {} and [each.id for each in claimed] == queued[:2] and host.running() == 2
    assert LogLine.objects.get(execution_id=first).text == "the last"
    row = Execution.objects.get(pk=second)
    assert (row.status, row.reason, row.message) == ("ENDED_ERROR", "raised", "it failed")


def test_savepoints_that_are_kept_until_the_end_go_with_it(family: Family) -> None:
    Execution.objects.filter(pk=family.child).update(savepoint_retention="none")
    caller = family.host.caller(family.child)
    answer(caller, Request(1, "execution.set_output", {"values": {"a": 1}}))
    family.end(forgetful=[family.child])
    assert not Savepoint.objects.filter(execution_id=family.child).exists()
    assert Execution.objects.get(pk=family.child).output_value == {"a": 1}


def lost_to_another(family: Family) -> None:
    hosting.put_down(family.host.id, [family.child])
    assert family.host.claim() == [family.child]


def parent_was_paused(family: Family) -> None:
    hosting.pause(family.host.id, [family.parent])


def parent_waits_no_more(family: Family) -> None:
    Wait.objects.filter(waiter=family.parent).delete()


def there_is_maintenance(family: Family) -> None:
    Maintenance.objects.create()


@pytest.mark.parametrize(
    "event", [lost_to_another, parent_was_paused, parent_waits_no_more, there_is_maintenance]
)
def test_when_something_is_otherwise_nothing_is_written(
    family: Family, event: Callable[[Family], None]
) -> None:
    waits = family.wait_of()
    event(family)
    before = (
        family.statuses(),
        written(family.child),
        Savepoint.objects.get(execution_id=family.parent).is_pending,
    )
    counter = LogCounter(family.child)
    lines = [line for line in [counter.line("the last")] if line]
    with pytest.raises(Unexpected):
        family.end(waits=waits, lines=lines)
    after = (
        family.statuses(),
        written(family.child),
        Savepoint.objects.get(execution_id=family.parent).is_pending,
    )
    Maintenance.objects.all().delete()
    assert after == before and not LogLine.objects.filter(execution_id=family.child).exists()


@pytest.mark.parametrize("with_parent", [True, False])
def test_somebody_else_who_waits_is_not_forgotten(
    family: Family, stage: Stage, hosts: Hosts, with_parent: bool
) -> None:
    """A wait of which this host knows nothing, also one that is written down at the same moment."""
    other = hosts(slots=1)
    stranger = stage.start("").pk
    assert other.claim() == [stranger]
    if not with_parent:
        parent_waits_no_more(family)
    waits = family.wait_of() if with_parent else []

    def end() -> bool:
        try:
            family.end(waits=waits)
        except Unexpected:
            return False
        return True

    waited, ended = in_threads(lambda: other.wait_for(stranger, family.child), end)
    if ended:
        assert not isinstance(waited, Parked), "it saw the end"
    else:
        assert isinstance(waited, Parked) and family.statuses()[1] == "RUNNING"
        family.host.end(family.child)
        assert other.ready() == {stranger}


def test_an_answer_that_is_too_large_takes_the_long_way(family: Family) -> None:
    outcome = Outcome(Status.ENDED_SUCCESS, "", "", "x" * 300_000, has_output=True)
    with pytest.raises(Unexpected):
        family.end(outcome)


def test_which_waits_are_plain(family: Family) -> None:
    caller, other = family.caller, UUID(int=7)
    assert [wait.target for wait in family.wait_of()] == [family.child]
    assert end_writing.sole_wait(caller, other, SUCCESS) is None
    with pytest.raises(Unexpected):
        end_writing.sole_wait(caller, family.child, FAILURE)
    waits: list[dict[str, Any] | None] = [
        None,
        {"kind": "time", "until": 1.0},
        {"kind": "executions", "ids": [str(other)], "single": True},
    ]
    for wait in waits:
        caller.pending = wait and (1, wait)
        assert end_writing.sole_wait(caller, family.child, SUCCESS) is None
    for ids, single in (([str(family.child), str(other)], True), ([str(family.child)], False)):
        caller.pending = (1, {"kind": "executions", "ids": ids, "single": single})
        with pytest.raises(Unexpected):
            end_writing.sole_wait(caller, family.child, SUCCESS)


@pytest.mark.parametrize(
    ("call", "arguments", "has_ties"),
    [
        ("execution.set_output", {"values": {"a": 1}}, False),
        ("record.exists", {"type": "flow", "select": "there is none"}, False),
        ("execution.start", {"type": "SCRIPT", "script": "x = 1"}, True),
        ("execution.start", {"type": "SCRIPT", "script": "x = 1", "run": False}, True),
        ("execution.clone", None, True),
        ("lock.acquire", {"select": "ties", "by": "name"}, True),
        ("message.create", {"fields": {"subject": "look"}}, True),
    ],
)
def test_calls_that_tie_what_ends_with_the_execution(
    family: Family, call: str, arguments: dict[str, Any] | None, has_ties: bool
) -> None:
    caller = family.host.caller(family.child)
    caller.has_ties = False
    answer(caller, Request(1, call, arguments or {"id": str(family.parent)}))
    assert caller.has_ties is has_ties
