"""Operations that meet on the same executions: each has its way in the end, whatever the database had to break off."""

from collections.abc import Callable
from functools import partial

from executions.lifecycle import Status
from executions.operations import cancel_executions
from executions.pausing import pause_executions, resume_executions
from tests.executions.hosts import StandIn, sweep
from tests.executions.stage import Stage, in_threads

ROUNDS = 3


def test_operations_on_one_tree_at_once(stage: Stage, hosts: Callable[..., StandIn]) -> None:
    for _ in range(ROUNDS):
        host, other = hosts(slots=50), hosts(slots=50)
        parent = stage.start("").pk
        host.claim()
        children = [host.start_child(parent, orphan=False) for _ in range(6)]
        waiter = stage.start("").pk
        other.claim()
        host.wait_for(parent, *children, return_when="ALL_ENDED")
        other.wait_for(waiter, parent, *children[::-1], return_when="ALL_ENDED")
        results = in_threads(
            partial(cancel_executions, [parent]),
            partial(cancel_executions, [waiter, *children[::-1]]),
            partial(pause_executions, [parent]),
            partial(resume_executions, [parent, waiter]),
            partial(other.end, *children[:3]),
            sweep,
        )
        errors = [result for result in results if isinstance(result, BaseException)]
        assert not errors, "they broke each other for good"
        assert stage.statuses(children[:3]) <= {Status.ENDED_SUCCESS, Status.ENDED_CANCELLED}
