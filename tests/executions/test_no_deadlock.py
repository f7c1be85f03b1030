"""Trees of any shape end on one worker with one slot: who waits holds none."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from executions.lifecycle import Status
from executions.models import Execution
from tests.executions.cluster import Fleet
from tests.executions.stage import Stage
from tests.invariants import check_invariants

pytestmark = pytest.mark.process

SHAPES = {
    "chain": "def handler(system, this, inputs):\n"
    "    n = inputs['n']\n"
    "    deeper = this.flow('chain', n=n - 1).get('output_value') if n else 0\n"
    "    return deeper + 1",
    "leaf": "def handler(system, this, inputs): return inputs.get('n', 1)",
    "rabbits": "def handler(system, this, inputs):\n"
    "    n = inputs['n']\n"
    "    if not n: return 1\n"
    "    young = [this.flow('rabbits', n=n - 1, wait=False) for _ in range(3)]\n"
    "    this.wait_for(young)\n"
    "    return 1 + sum(each.get('output_value') for each in young)",
    "two levels": "def handler(system, this, inputs):\n"
    "    if not inputs['n']:\n"
    "        each = [this.flow('leaf', wait=False) for _ in range(4)]\n"
    "    else:\n"
    "        each = [this.flow('two levels', n=0, wait=False) for _ in range(6)]\n"
    "    this.wait_for(*each)\n"
    "    return sum(one.get('output_value') for one in each)",
}


@pytest.fixture
def narrow(stage: Stage, fleet: Fleet) -> Iterator[Stage]:
    """A stage with one worker of one slot; the shapes are there. No more than one may ever run."""
    fleet.have(workers=1, slots=1)
    for name, body in SHAPES.items():
        stage.flow(name, body)
    done, most = threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], Execution.objects.filter(status=Status.RUNNING).count())
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield stage
    finally:
        done.set()
        watcher.join()
    check_invariants(stage.ids)
    assert most[0] <= 1, "two ran in one slot"


def grown(stage: Stage, name: str, seconds: float = 90, **inputs: object) -> Execution:
    top = stage.start_flow(stage.flow(name, SHAPES[name]), inputs=inputs)
    stage.ended(top, seconds=seconds)
    assert top.status == Status.ENDED_SUCCESS, top.message
    assert not Execution.objects.filter(root_id=top.pk).exclude(status=Status.ENDED_SUCCESS).exists()
    return top


def test_a_chain_of_ten(narrow: Stage) -> None:
    assert grown(narrow, "chain", n=10).output_value == 11


def test_a_hundred_side_by_side(narrow: Stage) -> None:
    top = narrow.run(
        """
        each = [this.flow('leaf', n=n, wait=False) for n in range(100)]
        this.wait_for(each)
        return [one.get('output_value') for one in each]
        """
    )
    assert top.output_value == list(range(100)), top.message


def test_rabbits(narrow: Stage) -> None:
    top = grown(narrow, "rabbits", n=5)
    assert top.output_value == 364
    assert Execution.objects.filter(root_id=top.pk).count() == 364


def test_waits_within_waits(narrow: Stage) -> None:
    assert grown(narrow, "two levels", n=1).output_value == 24


def test_several_trees_at_once(narrow: Stage) -> None:
    flow = narrow.flow("chain", SHAPES["chain"])
    tops = [narrow.start_flow(flow, inputs={"n": 4}) for _ in range(5)]
    narrow.ended(*tops)
    for top in tops:
        top.refresh_from_db()
        assert (top.status, top.output_value) == (Status.ENDED_SUCCESS, 5)


def test_one_that_waits_for_a_stranger_in_the_queue(narrow: Stage) -> None:
    waiter = narrow.start(
        """
        import time
        while not inputs:
            found = system.executions(filter_={'field': 'name', 'op': 'eq', 'value': 'the stranger'})
            if found: break
            time.sleep(0.05)
        found[0].wait()
        return found[0].get('output_value')
        """
    )
    narrow.in_status(waiter, Status.RUNNING)
    stranger = narrow.start("return 5", name="the stranger")
    narrow.ended(waiter, stranger)
    assert waiter.output_value == 5


def test_sleepers_hold_no_slot(narrow: Stage) -> None:
    sleepers = [narrow.start("this.sleep(0.5)\nreturn 1") for _ in range(10)]
    narrow.ended(*sleepers)
    began = min(each.started_at for each in Execution.objects.filter(pk__in=[s.pk for s in sleepers]))
    ended = max(each.ended_at for each in Execution.objects.filter(pk__in=[s.pk for s in sleepers]))
    assert (ended - began).total_seconds() < 4.5, "they slept one after the other"
