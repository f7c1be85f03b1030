"""Cancel in every state: it is dead soon, nothing of it is left, and its awaited children go with it."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import AlreadyEnded, cancel_execution, run_execution
from tests.executions.cluster import Fleet
from tests.executions.stage import Stage, wait_until

pytestmark = pytest.mark.process
GONE = Status.ENDED_CANCELLED

STATES = {
    "a loop in Python": ("this.log('ready')\nwhile True: pass", "RUNNING"),
    "a sleep in C": ("import time\nthis.log('ready')\ntime.sleep(600)", "RUNNING"),
    "a subprocess": ("import subprocess\nthis.log('ready')\nsubprocess.run(['sleep', '600'])", "RUNNING"),
    "a thread that is joined": (
        "import threading, time\nt = threading.Thread(target=time.sleep, args=[600], daemon=True)\nt.start()\n"
        "this.log('ready')\nt.join()",
        "RUNNING",
    ),
    "many calls": ("this.log('ready')\nwhile True: this.get('status')", "RUNNING"),
    "a sleep of ours": ("this.log('ready')\nthis.sleep(600)", "SLEEPING"),
    "a wait for a child": (
        "this.log('ready')\nthis.script('import time\\ndef handler(system, this): time.sleep(600)')",
        "WAITING_FOR_DEPENDENCY",
    ),
    "a wait for another": (
        "this.log('ready')\nthis.wait_for(inputs['other'])",
        "WAITING_FOR_DEPENDENCY",
    ),
}


@pytest.mark.parametrize(("body", "status"), STATES.values(), ids=STATES.keys())
def test_while_it_is_in(play: Stage, fleet: Fleet, body: str, status: str) -> None:
    (worker,) = fleet.workers
    other = play.start("this.sleep(600)")
    execution = play.start(body, inputs={"other": str(other.pk)})
    play.says(execution, "ready")
    play.in_status(execution, status)
    before = time.monotonic()
    cancel_execution(execution, by=play.cast.root)
    play.ended(execution)
    assert time.monotonic() - before < 5
    assert (execution.status, execution.reason) == (GONE, "cancelled")
    for child in play.children(execution):
        assert play.ended(child).status == GONE
    other.refresh_from_db()
    assert other.status != GONE, "what it waited for is not its own"
    cancel_execution(other, by=play.cast.root)
    play.ended(other)
    wait_until(lambda: not worker.roles()["flow"], "its processes are gone")


def test_before_it_starts(play: Stage, fleet: Fleet) -> None:
    created = play.start("return 1", run=False)
    scheduled = play.start("return 1", scheduled_for=timezone.now() + timedelta(hours=1))
    for execution in (created, scheduled):
        cancel_execution(execution, by=play.cast.root)
        assert execution.status == GONE and execution.attempt == 0


def test_while_it_is_queued(play: Stage) -> None:
    blockers = [play.start("import time\nthis.log('ready')\ntime.sleep(600)") for _ in range(4)]
    for blocker in blockers:
        play.says(blocker, "ready")
    queued = play.start("return 1")
    cancel_execution(queued, by=play.cast.root)
    assert queued.status == GONE and queued.attempt == 0
    for blocker in blockers:
        cancel_execution(blocker, by=play.cast.root)
    play.ended(*blockers)


def test_while_it_is_just_starting(play: Stage) -> None:
    """At every moment of its first tenth of a second; each ends cancelled, within two seconds nearly always."""
    took = []
    for step in range(16):
        execution = play.start("while True: pass")
        time.sleep(step * 0.006)
        before = time.monotonic()
        cancel_execution(execution, by=play.cast.root)
        play.ended(execution)
        took.append(time.monotonic() - before)
        assert execution.status == GONE
    took.sort()
    assert took[int(len(took) * 0.95)] < 2.0, took


def test_while_it_ends(play: Stage) -> None:
    """It ends one way or the other, once."""
    for step in range(16):
        execution = play.start("import time\ntime.sleep(0.03)\nreturn 1")
        time.sleep(0.02 + step * 0.005)
        try:
            cancel_execution(execution, by=play.cast.root)
        except AlreadyEnded:
            pass
        assert play.ended(execution).status in (GONE, Status.ENDED_SUCCESS)


def test_a_whole_tree(play: Stage) -> None:
    flow = play.flow(
        "grow and wait",
        """
        this.log('ready')
        if inputs['depth']:
            less = inputs['depth'] - 1
            this.wait_for(
                [this.flow('grow and wait', depth=less, wait=False, orphan=False) for _ in range(3)]
            )
        else:
            this.sleep(600)
        """,
    )
    top = play.start_flow(flow, inputs={"depth": 3})
    family = Execution.objects.filter(root_id=top.pk)
    wait_until(lambda: family.filter(status=Status.SLEEPING).count() == 27, "the tree had grown")
    before = time.monotonic()
    cancel_execution(top, by=play.cast.root)
    play.all_ended(family.values_list("pk", flat=True))
    assert time.monotonic() - before < 15
    assert set(family.values_list("status", flat=True)) == {GONE}
    assert family.count() == 40


def test_one_that_was_only_written_down_and_then_run(play: Stage) -> None:
    created = play.start("while True: pass", run=False)
    run_execution(created, by=play.cast.root)
    play.in_status(created, Status.RUNNING)
    cancel_execution(created, by=play.cast.root)
    assert play.ended(created).status == GONE


def test_scheduled_ones_start_in_time(play: Stage) -> None:
    at = timezone.now() + timedelta(seconds=1.2)
    executions = [play.start("return 1", scheduled_for=at) for _ in range(4)]
    play.ended(*executions)
    for execution in executions:
        execution.refresh_from_db()
        late = (execution.started_at - at).total_seconds()
        assert 0 <= late < 0.9, "it waited for the next turn of the claimer"
