"""What waits for long leaves memory, and comes back on any worker when its wait is over."""

import pytest

from executions.models import Execution, Transition
from executions.operations import cancel_execution
from executions.pausing import pause_execution, resume_execution
from tests.executions.stage import Stage, wait_until
from tests.savepoints.strikes import Strikes, is_waiting_unloaded

pytestmark = pytest.mark.process


def unloaded(execution: Execution) -> None:
    wait_until(lambda: is_waiting_unloaded(execution), f"{execution} left memory")


def test_a_sleeper_leaves_memory_and_wakes_on_another_worker(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start("this.sleep(4)\nthis.set_output(woke=True)")
    stage.in_status(execution, "SLEEPING")
    first = strikes.worker_of(execution)
    unloaded(execution)
    wait_until(lambda: not strikes.flow_processes(), "its process was gone")
    first.kill_all()
    ended = stage.ended(execution)
    assert (ended.status, ended.output_value, ended.attempt) == ("ENDED_SUCCESS", {"woke": True}, 2)
    late = Transition.objects.get(execution=execution, new="QUEUED", version__gt=1).at - execution.created_at
    assert 3.9 < late.total_seconds() < 8
    strikes.fleet.have(workers=2, slots=4, SLEEP_MAX_SECONDS="1")


def test_a_waiting_parent_leaves_memory_and_hears_of_its_child(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start(
        """
        def handler(system, this, inputs):
            child = this.script("import time\\ndef handler(system, this):\\n    time.sleep(3)\\n    return {'a': 1}")
            this.set_output(child.get('output_value'))
        """
    )
    unloaded(execution)
    ended = stage.ended(execution)
    assert (ended.status, ended.output_value) == ("ENDED_SUCCESS", {"a": 1})
    assert len(stage.children(execution)) == 1


def test_the_first_of_two_ends_and_a_later_wait_is_its_own(stage: Stage, strikes: Strikes) -> None:
    """What is left of the first wait must neither end the second one early nor hold it up."""
    execution = stage.start(
        """
        SLOW = "import time\\ndef handler(system, this, inputs): time.sleep(inputs['s'])"
        def handler(system, this, inputs):
            quick, slow = (this.script(SLOW, {'s': s}, wait=False) for s in (2.6, 12))
            this.wait_for(quick, slow, return_when=system.return_when.FIRST_ENDED)
            third = this.script(SLOW, {'s': 2.6}, wait=False)
            third.wait()
            this.set_output(third=third.get('status'), slow=slow.get('status'))
            slow.cancel()
        """
    )
    unloaded(execution)
    ended = stage.ended(execution)
    assert ended.output_value == {"third": "ENDED_SUCCESS", "slow": "RUNNING"}
    stage.ended(*stage.children(execution))


def test_cancel_of_an_unloaded_sleeper_runs_its_finally(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start(
        """
        def handler(system, this, inputs):
            try:
                this.sleep(3600)
            finally:
                this.log('tidied up')
        """
    )
    unloaded(execution)
    cancel_execution(execution, by=stage.cast.root)
    ended = stage.ended(execution)
    assert ended.status == "ENDED_CANCELLED"
    assert stage.log(execution) == ["tidied up"]


def test_a_time_limit_ends_an_unloaded_sleeper(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start("this.sleep(3600)", max_runtime_minutes=3 / 60)
    unloaded(execution)
    ended = stage.ended(execution)
    assert (ended.status, ended.reason) == ("ENDED_ERROR", "timeout")


def test_a_paused_sleeper_sleeps_on_and_wakes_at_its_time(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start("this.sleep(3)\nthis.set_output(woke=True)")
    unloaded(execution)
    pause_execution(execution, by=stage.cast.root)
    assert execution.status == "PAUSED" and execution.ready_at is None
    resume_execution(execution, by=stage.cast.root)
    assert stage.ended(execution).output_value == {"woke": True}
    lived = execution.ended_at - execution.started_at
    assert lived.total_seconds() > 2.9


def test_under_pressure_waiting_ones_leave_at_once(stage: Stage, strikes: Strikes) -> None:
    strikes.fleet.have(workers=1, slots=4, SLEEP_MAX_SECONDS="600", MAX_RESIDENT="2")
    sleepers = [stage.start("this.sleep(3)") for _ in range(6)]
    wait_until(lambda: sum(map(is_waiting_unloaded, sleepers)) >= 4, "all but two left memory")
    stage.ended(*sleepers)
    for each in sleepers:
        each.refresh_from_db()
    assert {each.status for each in sleepers} == {"ENDED_SUCCESS"}
