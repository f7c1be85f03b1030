"""Claiming: each execution is won once, in order, and never more than there are slots."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from executions import end_writing, hosting
from executions.database import transacted
from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import cancel_executions
from executions.starting import Start, start_execution
from tests.executions.hosts import FAILURE, StandIn
from tests.executions.stage import Stage, in_threads

Hosts = Callable[..., StandIn]
ROUNDS = 12


def test_a_claim_is_noted_on_the_row(stage: Stage, host: StandIn) -> None:
    execution = stage.start("")
    assert execution.status == Status.QUEUED and execution.ready_at is not None
    assert host.claim() == [execution.pk]
    execution.refresh_from_db()
    assert (execution.status, execution.host_id, execution.attempt) == (Status.RUNNING, host.id, 1)
    assert execution.ready_at is None and execution.started_at is not None


def test_priority_goes_before_age(stage: Stage, hosts: Hosts) -> None:
    old, urgent, new, last = (stage.start("", priority=priority) for priority in (0, 5, 0, -1))
    host = hosts(slots=1)
    order = []
    for _ in range(4):
        (won,) = host.claim()
        order.append(won)
        host.end(won)
    assert order == [urgent.pk, old.pk, new.pk, last.pk]


def test_no_more_than_there_are_slots(stage: Stage, hosts: Hosts) -> None:
    for _ in range(5):
        stage.start("")
    host = hosts(slots=2)
    first = host.claim()
    assert len(first) == 2 and host.claim() == []
    host.end(first[0])
    assert len(host.claim()) == 1 and host.running() == 2


def test_a_waiting_execution_holds_no_slot(stage: Stage, hosts: Hosts) -> None:
    parent, other = stage.start(""), stage.start("")
    host = hosts(slots=1)
    assert host.claim() == [parent.pk]
    child = host.start_child(parent.pk)
    host.wait_for(parent.pk, child)
    assert host.claim() == [other.pk]


def test_connections_are_claimed_beside_the_slots(stage: Stage, hosts: Hosts) -> None:
    host = hosts(slots=1, connections=2)
    flows = [stage.start("").pk for _ in range(2)]
    start = Start(connector_type="REST", inputs={"url": "http://127.0.0.1:1"}, project=stage.cast.workshop)
    others = [start_execution(start, by=stage.cast.root, origin="API")[0].pk for _ in range(3)]
    stage.ids += others
    assert set(host.claim()) == {flows[0], *others[:2]} and host.claim() == []
    host.end(flows[0])
    assert host.claim() == [flows[1]]
    done = transacted(end_writing.end)(
        host.id, [(others[0], 1, FAILURE)], [], takes_next=True, of_connections=True
    )
    assert [each.id for each in done.claimed] == [others[2]]


def test_full_slots_hold_no_connection_up(stage: Stage, hosts: Hosts) -> None:
    host = hosts(slots=1, connections=1)
    for _ in range(3):
        stage.start("", priority=5)
    start = Start(connector_type="REST", inputs={"url": "http://127.0.0.1:1"}, project=stage.cast.workshop)
    late, _ = start_execution(start, by=stage.cast.root, origin="API")
    stage.ids.append(late.pk)
    assert late.pk in host.claim()


def test_an_ended_lease_claims_nothing(stage: Stage, host: StandIn) -> None:
    stage.start("")
    host.leave()
    assert host.claim() == []


def test_two_claimers_never_win_the_same(stage: Stage, hosts: Hosts) -> None:
    one, two = hosts(slots=1000), hosts(slots=1000)
    for _ in range(ROUNDS):
        ids = {stage.start("").pk for _ in range(4)}
        won = in_threads(one.claim, two.claim, one.claim, two.claim)
        everything = [key for part in won for key in part]
        while rest := one.claim():  # a row that both looked at may have been left by both
            everything += rest
        assert sorted(everything) == sorted(ids)
    hosted = Execution.objects.filter(pk__in=stage.ids)
    assert not hosted.exclude(attempt=1, status=Status.RUNNING).exists()


def test_claimers_of_one_host_never_exceed_its_slots(stage: Stage, hosts: Hosts) -> None:
    for _ in range(ROUNDS):
        host = hosts(slots=3)
        ids = [stage.start("").pk for _ in range(5)]
        won = in_threads(*[host.claim] * 4)
        assert sum(map(len, won)) == 3 == host.running()
        host.end(*(key for part in won for key in part))
        cancel_executions(ids)


def test_a_claim_and_a_resume_never_exceed_the_slots(stage: Stage, hosts: Hosts) -> None:
    for _ in range(ROUNDS):
        host, other = hosts(slots=1), hosts(slots=2)
        parent, child = stage.start("").pk, stage.start("").pk
        assert sorted([*host.claim(), *other.claim()]) == sorted([parent, child])
        host.wait_for(parent, child, return_when="ALL_ENDED")
        other.end(child)  # the wait is over, and the parent wants its slot back
        stage.start("")  # so does another
        claimed, resumed = in_threads(
            host.claim, lambda host=host, parent=parent: hosting.resume(host.id, [parent])
        )
        assert len(claimed) + len(resumed) == 1 == host.running()
        cancel_executions(stage.ids)
        host.end(*stage.ids, outcome=FAILURE)


def test_cancel_against_claim(stage: Stage, host: StandIn) -> None:
    seen = set()
    for _ in range(ROUNDS * 2):
        execution = stage.start("")
        claimed, cancelled = in_threads(host.claim, lambda e=execution: cancel_executions([e.pk]))
        assert cancelled == [execution.pk]
        execution.refresh_from_db()
        if claimed:  # the host got it: it knows that it is to stop
            assert execution.status == Status.RUNNING and execution.cancel_requested_at is not None
            assert host.told_to_stop() == {execution.pk}
            host.end(execution.pk)
        else:
            assert execution.status == Status.ENDED_CANCELLED and execution.host_id is None
        seen.add(bool(claimed))
    assert seen, "at least one of the two ways was taken"


def test_what_is_scheduled_is_queued_when_its_time_has_come(stage: Stage, host: StandIn) -> None:
    soon = stage.start("", scheduled_for=timezone.now() + timedelta(seconds=0.3))
    later = stage.start("", scheduled_for=timezone.now() + timedelta(hours=1))
    assert soon.status == later.status == Status.SCHEDULED
    _, due_in = hosting.queue_due()
    assert due_in is not None and 0 <= due_in <= 0.3
    assert host.claim() == []
    stage.in_status_after(lambda: hosting.queue_due(), soon, Status.QUEUED)
    assert host.claim() == [soon.pk]
    later.refresh_from_db()
    assert later.status == Status.SCHEDULED
    _, due_in = hosting.queue_due()
    assert due_in is not None and 3000 < due_in <= 3600


def test_what_is_due_is_queued_once(stage: Stage, host: StandIn) -> None:
    for _ in range(ROUNDS):
        execution = stage.start("", scheduled_for=timezone.now() + timedelta(milliseconds=5))
        stage.in_status_after(lambda: in_threads(*[hosting.queue_due] * 3), execution, Status.QUEUED)
        assert execution.transitions.filter(new=Status.QUEUED).count() == 1
        assert host.claim() == [execution.pk]
        host.end(execution.pk)


@pytest.mark.parametrize("same_request", [True, False])
def test_one_idempotency_key_starts_one_execution(stage: Stage, same_request: bool) -> None:
    def start(key: str, number: int) -> tuple[Execution, bool]:
        inputs = {} if same_request else {"number": number}
        start = Start(script="def handler(system, this): pass", inputs=inputs, idempotency_key=key)
        return start_execution(start, by=stage.cast.root, origin="API")

    for round_number in range(ROUNDS // 2):
        key = f"{same_request}-{round_number}"
        results = in_threads(*(lambda n=n, key=key: start(key, n) for n in range(4)))
        stage.ids += [execution.pk for execution, _ in results]
        assert len({execution.pk for execution, _ in results}) == 1
        assert sorted(is_new for _, is_new in results) == [False, False, False, True]


def test_keys_of_different_people_do_not_meet(stage: Stage) -> None:
    start = Start(
        script="def handler(system, this): pass", project=stage.cast.workshop, idempotency_key="mine"
    )
    first, _ = start_execution(start, by=stage.cast.alice, origin="API")
    second, is_new = start_execution(start, by=stage.cast.bob, origin="API")
    stage.ids += [first.pk, second.pk]
    assert is_new and first.pk != second.pk
