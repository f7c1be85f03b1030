"""What the end of a parent means for its children: the written table, one test per cell.

Three kinds of child: one that is awaited, one that lives on (`wait=False`), one that belongs (`orphan=False`).
"""

from uuid import UUID

import pytest

from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import cancel_executions
from tests.executions.hosts import FAILURE, SUCCESS, StandIn
from tests.executions.stage import Stage

KINDS = ("awaited", "lives on", "belongs")


def family(stage: Stage, host: StandIn, kind: str) -> tuple[UUID, UUID]:
    """Return a parent and its child of this kind. The parent runs, or waits for an awaited child."""
    parent = stage.start("").pk
    assert host.claim() == [parent]
    match kind:
        case "awaited":
            child = host.start_child(parent, wait="ALL_SUCCEEDED")
        case "lives on":
            child = host.start_child(parent)
        case _:
            child = host.start_child(parent, orphan=False)
    stage.ids.append(child)
    return parent, child


def is_stopped(execution_id: UUID) -> bool:
    """Has it been cancelled, or been told to end?"""
    row = Execution.objects.get(pk=execution_id)
    return row.status == Status.ENDED_CANCELLED or row.cancel_requested_at is not None


@pytest.mark.parametrize(("kind", "stopped"), list(zip(KINDS, (True, False, True), strict=True)))
@pytest.mark.parametrize("is_claimed", [False, True], ids=["queued child", "running child"])
def test_the_parent_is_cancelled(
    stage: Stage, host: StandIn, kind: str, stopped: bool, is_claimed: bool
) -> None:
    parent, child = family(stage, host, kind)
    if is_claimed:
        host.claim()
    cancel_executions([parent])
    assert is_stopped(parent)
    assert is_stopped(child) is stopped


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE], ids=["success", "error"])
@pytest.mark.parametrize(("kind", "stopped"), [("lives on", False), ("belongs", True)])
@pytest.mark.parametrize("is_claimed", [False, True], ids=["queued child", "running child"])
def test_the_parent_ends(
    stage: Stage, host: StandIn, kind: str, stopped: bool, is_claimed: bool, outcome: object
) -> None:
    parent, child = family(stage, host, kind)
    if is_claimed:
        assert host.claim() == [child]
    assert host.end(parent, outcome=outcome) == [parent]
    assert is_stopped(child) is stopped
    row = Execution.objects.get(pk=child)
    if stopped and not is_claimed:
        assert (row.status, row.reason) == (Status.ENDED_CANCELLED, "parent_ended")
    if stopped and is_claimed:
        assert row.status == Status.RUNNING, "its host stops it and has the last word"
        assert host.told_to_stop() == {child}


def test_the_awaited_childs_end_does_not_end_the_parent(stage: Stage, host: StandIn) -> None:
    parent, child = family(stage, host, "awaited")
    cancel_executions([child])
    host.end(child, outcome=FAILURE)
    assert not is_stopped(parent)
    assert Execution.objects.get(pk=parent).status == Status.RUNNING


def test_cancel_goes_down_the_whole_tree(stage: Stage, host: StandIn) -> None:
    top = stage.start("").pk
    host.claim()
    line = [top]
    for _ in range(4):
        line.append(host.start_child(line[-1], wait="ALL_SUCCEEDED"))
    stray = host.start_child(line[-1])
    stage.ids += [*line, stray]
    cancelled = cancel_executions([top])
    assert set(cancelled) == set(line)
    assert all(is_stopped(key) for key in line) and not is_stopped(stray)


def test_the_end_goes_down_through_children_that_end_with_it(stage: Stage, host: StandIn) -> None:
    top = stage.start("").pk
    host.claim()
    middle = host.start_child(top, orphan=False)
    host.claim()
    bottom = host.start_child(middle, orphan=False)  # queued
    stage.ids += [middle, bottom]
    host.end(top)
    assert is_stopped(middle) and not is_stopped(bottom), "the middle one still runs"
    host.end(middle, outcome=FAILURE)
    assert is_stopped(bottom)


def test_a_child_that_only_exists_is_cancelled_with_its_parent(stage: Stage, host: StandIn) -> None:
    parent = stage.start("").pk
    host.claim()
    created = host.call(
        parent,
        "execution.start",
        type="SCRIPT",
        script="def handler(system, this): pass",
        fields={"orphan": False},
        run=False,
        wait=None,
    )["id"]
    stage.ids.append(created)
    cancel_executions([parent])
    assert Execution.objects.get(pk=created).status == Status.ENDED_CANCELLED


def test_a_waiter_elsewhere_hears_of_the_cancel(stage: Stage, host: StandIn) -> None:
    waiter, target = stage.start("").pk, stage.start("").pk
    host.claim()
    queued = stage.start("").pk
    host.wait_for(waiter, target, queued, return_when="ALL_SUCCEEDED")
    cancel_executions([queued])
    row = Execution.objects.get(pk=waiter)
    assert row.ready_at is not None, "one of those it waits for can no longer succeed"
