"""The sweep: executions of dead and frozen hosts are given up by them, and nobody else's are."""

from collections.abc import Callable
from uuid import UUID

from executions.database import fetch
from executions.lifecycle import ENDED, Status
from executions.models import FROZEN_AFTER_SECONDS, Execution, Process, Transition
from executions.operations import cancel_executions
from tests.executions.hosts import StandIn, clear_queue, sweep
from tests.executions.stage import Stage, in_threads, wait_until

Hosts = Callable[..., StandIn]


def freeze(host: StandIn, seconds: float) -> None:
    """Make the heartbeat as old as that of a process which was stopped this long ago."""
    fetch(
        "UPDATE executions_process SET heartbeat_at = clock_timestamp() - %s::float8 * interval '1 second'"
        " WHERE id = %s",
        (seconds, host.id),
    )


def is_given_up(execution_id: UUID) -> bool:
    """Has it left its host: ended, or on its way to another?"""
    row = Execution.objects.get(pk=execution_id)
    return row.host_id is None and (row.status in ENDED or row.status == Status.QUEUED)


def test_the_living_are_left_alone(stage: Stage, host: StandIn) -> None:
    running, waiting = stage.start("").pk, stage.start("").pk
    host.claim()
    host.call(waiting, "sleep", seconds=60)
    freeze(host, FROZEN_AFTER_SECONDS - 5)
    assert sweep() == []
    assert Execution.objects.filter(pk__in=[running, waiting], host_id=host.id).count() == 2
    assert Process.objects.get(pk=host.id).ended_at is None


def test_a_dead_host_gives_up_at_once(stage: Stage, host: StandIn) -> None:
    running, sleeping = stage.start("").pk, stage.start("").pk
    host.claim()
    host.call(sleeping, "sleep", seconds=60)
    host.die()
    wait_until(lambda: sweep() or is_given_up(running), "the lock was free")
    assert Execution.objects.get(pk=sleeping).host_id is None
    assert Process.objects.get(pk=host.id).ended_at is not None


def test_a_frozen_host_gives_up_although_its_lock_is_held(stage: Stage, host: StandIn) -> None:
    running = stage.start("").pk
    host.claim()
    freeze(host, FROZEN_AFTER_SECONDS + 5)
    sweep()
    assert is_given_up(running)
    assert host.lease.beat() is False, "and hears of it when it thaws"
    assert host.claim() == []


def test_what_was_to_be_cancelled_is_cancelled(stage: Stage, host: StandIn) -> None:
    running = stage.start("").pk
    host.claim()
    cancel_executions([running])
    host.die()
    wait_until(lambda: sweep() or is_given_up(running), "the lock was free")
    assert Execution.objects.get(pk=running).status == Status.ENDED_CANCELLED


def test_a_waiter_on_a_living_host_is_not_left_waiting(stage: Stage, hosts: Hosts) -> None:
    """Its target was on a host that died: the wait goes on with the target's new life, or is over."""
    host, other = hosts(slots=1), hosts(slots=1)
    waiter, target = stage.start("").pk, stage.start("").pk
    host.claim()
    other.claim()
    host.wait_for(waiter, target, return_when="ALL_ENDED")
    other.die()
    wait_until(lambda: sweep() or is_given_up(target), "the lock was free")
    row = Execution.objects.get(pk=waiter)
    if Execution.objects.get(pk=target).status in ENDED:
        assert row.ready_at is not None
    else:
        assert row.waits.filter(target=target).exists()


def test_many_sweep_and_each_execution_is_given_up_once(stage: Stage, hosts: Hosts) -> None:
    for _ in range(8):
        host = hosts(slots=4)
        ids = {stage.start("").pk for _ in range(4)}
        host.claim()
        freeze(host, FROZEN_AFTER_SECONDS + 5)
        in_threads(*[sweep] * 4)
        assert all(is_given_up(key) for key in ids)
        left = Transition.objects.filter(execution_id__in=ids, old=Status.RUNNING)
        assert left.count() == len(ids), "once each"
        cancel_executions(list(ids))
        clear_queue()


def test_a_sweep_against_a_frozen_hosts_last_word(stage: Stage, hosts: Hosts) -> None:
    for _ in range(12):
        host = hosts(slots=1)
        execution = stage.start("").pk
        host.claim()
        freeze(host, FROZEN_AFTER_SECONDS + 5)
        _, ended = in_threads(sweep, lambda h=host, e=execution: h.end(e, attempt=1))
        row = Execution.objects.get(pk=execution)
        assert row.host_id is None and row.transitions.filter(old=Status.RUNNING).count() == 1, "one of them"
        assert (row.status == Status.ENDED_SUCCESS) is (ended == [execution])
        cancel_executions([execution])
        clear_queue()
