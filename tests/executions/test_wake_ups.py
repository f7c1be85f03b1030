"""No wake-up is ever lost: waits are registered while their targets end, and each way to wait ends in time."""

from collections.abc import Callable
from uuid import UUID

import pytest

from executions import hosting
from executions.flow_calls import CallRefused, Parked
from executions.lifecycle import Status
from executions.models import Execution, Wait
from tests.executions.hosts import FAILURE, SUCCESS, StandIn
from tests.executions.stage import Stage, in_threads, wait_until

Hosts = Callable[..., StandIn]
ROUNDS = 16


def crew(stage: Stage, host: StandIn, count: int) -> list[UUID]:
    """Return one that will wait and `count` others, all running on this host."""
    ids = [stage.start("").pk for _ in range(count + 1)]
    assert sorted(host.claim()) == sorted(ids)
    return ids


def is_woken(waiter: UUID) -> bool:
    """Is this wait over, or has its execution been given a slot already?"""
    row = Execution.objects.get(pk=waiter)
    return row.status == Status.RUNNING or row.ready_at is not None


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE], ids=["success", "failure"])
@pytest.mark.parametrize("return_when", ["ALL_SUCCEEDED", "ALL_ENDED", "FIRST_ENDED"])
def test_a_wait_against_the_end_of_its_target(
    stage: Stage, hosts: Hosts, return_when: str, outcome: object
) -> None:
    for _ in range(ROUNDS // 4):
        host, other = hosts(slots=1), hosts(slots=1)
        waiter, target = stage.start("").pk, stage.start("").pk
        host.claim()
        other.claim()
        waited, ended = in_threads(
            lambda h=host, w=waiter, t=target: h.wait_for(w, t, return_when=return_when),
            lambda o=other, t=target: o.end(t, outcome=outcome),
        )
        assert ended == [target]
        if isinstance(waited, Parked):
            assert is_woken(waiter), "the wake-up was lost"
            assert hosting.resume(host.id, [waiter]) == [waiter]
        elif isinstance(waited, CallRefused):
            assert (
                waited.type == "DependencyFailedError"
                and outcome is FAILURE
                and return_when == "ALL_SUCCEEDED"
            )
        else:
            assert [each["id"] for each in waited] == [target]
        assert not Wait.objects.filter(waiter=waiter).exists()
        host.end(waiter)


def test_two_targets_that_end_at_once(stage: Stage, hosts: Hosts) -> None:
    for _ in range(ROUNDS):
        host = hosts(slots=3)
        waiter, one, two = crew(stage, host, 2)
        host.wait_for(waiter, one, two, return_when="ALL_ENDED")
        in_threads(lambda h=host, k=one: h.end(k), lambda h=host, k=two: h.end(k))
        assert is_woken(waiter), "the wake-up was lost"


def test_many_who_wait_for_each_other_in_a_ring_of_ends(stage: Stage, hosts: Hosts) -> None:
    """Several waiters on the same targets, which end in several transactions: no deadlock, nobody forgotten."""
    for _ in range(ROUNDS // 4):
        host = hosts(slots=8)
        ids = crew(stage, host, 7)
        waiters, targets = ids[:4], ids[4:]
        for number, waiter in enumerate(waiters):
            order = targets if number % 2 else targets[::-1]
            host.wait_for(waiter, *order, return_when="ALL_ENDED")
        in_threads(*(lambda h=host, t=target: h.end(t) for target in targets))
        for waiter in waiters:
            assert is_woken(waiter), "the wake-up was lost"


@pytest.mark.parametrize(
    ("return_when", "first", "both"),
    [("FIRST_ENDED", True, True), ("ALL_ENDED", False, True), ("ALL_SUCCEEDED", False, True)],
)
def test_how_many_successes_end_a_wait(
    stage: Stage, host: StandIn, return_when: str, first: bool, both: bool
) -> None:
    waiter, one, two = crew(stage, host, 2)
    host.wait_for(waiter, one, two, return_when=return_when)
    assert not is_woken(waiter)
    host.end(one)
    assert is_woken(waiter) is first
    host.end(two)
    assert is_woken(waiter) is both


@pytest.mark.parametrize(
    ("return_when", "woken"), [("FIRST_ENDED", True), ("ALL_ENDED", False), ("ALL_SUCCEEDED", True)]
)
def test_whether_one_failure_ends_a_wait(stage: Stage, host: StandIn, return_when: str, woken: bool) -> None:
    waiter, one, _two = crew(stage, host, 2)
    host.wait_for(waiter, one, _two, return_when=return_when)
    host.end(one, outcome=FAILURE)
    assert is_woken(waiter) is woken


def test_a_wait_for_what_has_ended_is_over_at_once(stage: Stage, host: StandIn) -> None:
    waiter, one, two = crew(stage, host, 2)
    host.end(one, two)
    answered = host.wait_for(waiter, one, two)
    assert [each["id"] for each in answered] == [one, two]
    assert Execution.objects.get(pk=waiter).status == Status.RUNNING


def test_a_wait_that_is_over_leaves_no_others_behind(stage: Stage, host: StandIn) -> None:
    waiter, one, two = crew(stage, host, 2)
    host.wait_for(waiter, one, two, return_when="FIRST_ENDED")
    host.end(one)
    hosting.resume(host.id, [waiter])
    assert not Wait.objects.filter(waiter=waiter).exists()
    host.wait_for(waiter, two)  # and it can wait for the same one again
    host.end(two)
    assert is_woken(waiter)


def test_the_end_of_a_child_hands_its_slot_to_its_parent(stage: Stage, hosts: Hosts) -> None:
    host = hosts(slots=1)
    (parent,) = crew(stage, host, 0)
    child = host.start_child(parent, wait="ALL_SUCCEEDED")
    assert host.running() == 1 and Execution.objects.get(pk=parent).status == Status.WAITING_FOR_DEPENDENCY
    stage.start("", priority=100)  # would take the slot if it were free for a moment
    _ended, resumed = host.end_and_resume([(child, 1, SUCCESS)])
    assert resumed == [parent] and host.running() == 1 and host.claim() == []


def test_a_waiter_on_another_host_is_told(stage: Stage, hosts: Hosts) -> None:
    host, other = hosts(slots=1), hosts(slots=1)
    waiter, target = stage.start("").pk, stage.start("").pk
    host.claim()
    other.claim()
    host.lease.listen(f"engine_host_{host.id}")
    host.wait_for(waiter, target)
    other.end(target)
    assert is_woken(waiter)
    wait_until(host.lease.notes, "its host was notified")
