"""Named savepoints, going back to one, and new executions from one; on real workers."""

import pytest

from executions.models import Execution, Savepoint
from executions.operations import AlreadyEnded
from executions.pausing import pause_execution, resume_execution
from executions.restoring import NoSuchSavepoint, fork_execution, restore_execution
from executions.starting import Start, start_execution
from tests.executions.stage import Stage, script, wait_until
from tests.savepoints.strikes import Strikes, answered, is_waiting_unloaded

pytestmark = pytest.mark.process

COMMAND = Execution.Origin.COMMAND


def number_of(execution: Execution, name: str) -> int:
    return Savepoint.objects.get(execution=execution, name=name).number


def test_load_dump_goes_back_and_on(stage: Stage, strikes: Strikes) -> None:
    ended = stage.run(
        """
        def handler(system, this, inputs):
            this.log('before')
            this.save_dump('here')
            this.log('after')
            mark = system.flow('mark ' + this.get('id'))
            if not mark.exists():
                mark.save()
                this.load_dump('here')
            return {'second': True}
        """
    )
    assert (ended.status, ended.output_value, ended.attempt) == ("ENDED_SUCCESS", {"second": True}, 2)
    assert stage.log(ended) == ["before", "after", "after"], "what was written stays readable"


def test_there_must_be_such_a_savepoint(stage: Stage, strikes: Strikes) -> None:
    ended = stage.run(
        """
        import flow_api
        def handler(system, this, inputs):
            try:
                this.load_dump('nowhere')
            except flow_api.ResourceNotFoundError as error:
                return {'said': str(error)}
        """
    )
    assert ended.output_value == {"said": "There is no savepoint 'nowhere'."}


STEPS = """
def handler(system, this, inputs):
    this.save_dump('begin')
    child = this.script("def handler(system, this): return {'n': 1}", name='child').get('output_value')
    this.log('in the middle')
    this.save_dump('middle')
    this.set_output(child=child)
    this.sleep(inputs['seconds'])
    this.set_output(end=True)
"""


@pytest.mark.parametrize("state", ["sleeping", "out of memory", "paused"])
def test_restore(stage: Stage, strikes: Strikes, state: str) -> None:
    execution = stage.start(STEPS, inputs={"seconds": 5 if state == "out of memory" else 2})
    stage.in_status(execution, "SLEEPING")
    stage.says(execution, "in the middle")
    if state == "out of memory":
        wait_until(lambda: is_waiting_unloaded(execution))
    if state == "paused":
        pause_execution(execution, by=stage.cast.root)
        stage.in_status(execution, "PAUSED")
    restore_execution(execution, number_of(execution, "begin"), by=stage.cast.root)
    ended = stage.ended(execution)
    assert (ended.status, ended.output_value) == ("ENDED_SUCCESS", {"child": {"n": 1}, "end": True})
    assert len(stage.children(execution)) == 2, "what it did stays done, and it is done again"
    assert stage.log(execution) == ["in the middle", "in the middle"]


def test_restore_of_a_running_one(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start(
        """
        import time
        def handler(system, this, inputs):
            this.save_dump('begin')
            for n in range(12):
                this.set_output(n=n)
                this.log(n)
                time.sleep(0.1)
        """
    )
    wait_until(lambda: answered(execution) >= 5)
    restore_execution(execution, 1, by=stage.cast.root)
    ended = stage.ended(execution)
    assert (ended.status, ended.output_value) == ("ENDED_SUCCESS", {"n": 11})
    assert stage.log(execution)[-12:] == [str(n) for n in range(12)]
    assert answered(execution) == 13


def test_an_ended_one_is_not_restored_but_forked(stage: Stage, strikes: Strikes) -> None:
    execution = stage.run(STEPS, inputs={"seconds": 0.01})
    with pytest.raises(AlreadyEnded, match="Fork"):
        restore_execution(execution, 1, by=stage.cast.root)
    with pytest.raises(NoSuchSavepoint):
        fork_execution(execution, 99, by=stage.cast.root, origin=COMMAND)
    fork = fork_execution(execution, number_of(execution, "middle"), by=stage.cast.root, origin=COMMAND)
    stage.ids.append(fork.pk)
    ended = stage.ended(fork)
    assert (ended.status, ended.output_value) == ("ENDED_SUCCESS", {"child": {"n": 1}, "end": True})
    assert ended.forked_from_id == execution.pk
    assert stage.children(fork) == [], "the child was started by the other one"
    execution.refresh_from_db()
    assert execution.status == "ENDED_SUCCESS"


def test_a_fork_survives_kills_like_any_other(stage: Stage, strikes: Strikes) -> None:
    execution = stage.run(STEPS, inputs={"seconds": 1.0})
    fork = fork_execution(execution, number_of(execution, "middle"), by=stage.cast.root, origin=COMMAND)
    stage.ids.append(fork.pk)
    stage.in_status(fork, "SLEEPING")
    strikes.kill(fork, "flow")
    ended = stage.ended(fork)
    assert (ended.status, ended.output_value) == ("ENDED_SUCCESS", {"child": {"n": 1}, "end": True})


def test_savepoints_go_with_the_end_when_none_are_to_be_kept(stage: Stage, strikes: Strikes) -> None:
    start = Start(script=script("this.set_output(a=1)\nthis.sleep(0.3)"), savepoint_retention="none")
    execution, _ = start_execution(start, by=stage.cast.root, origin=COMMAND)
    stage.ids.append(execution.pk)
    stage.in_status(execution, "SLEEPING")
    assert answered(execution) == 1
    strikes.kill(execution, "flow")
    ended = stage.ended(execution)
    assert (ended.status, ended.output_value) == ("ENDED_SUCCESS", {"a": 1})
    assert not Savepoint.objects.filter(execution=execution).exists()
    with pytest.raises(NoSuchSavepoint):
        fork_execution(execution, 1, by=stage.cast.root, origin=COMMAND)


def test_resume_of_a_restored_one_that_was_paused_is_not_needed(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start("this.set_output(a=1)\nthis.pause()\nthis.set_output(b=2)")
    stage.in_status(execution, "PAUSED")
    restore_execution(execution, 1, by=stage.cast.root)
    stage.in_status(execution, "PAUSED")  # it came to the same pause again
    wait_until(lambda: Execution.objects.get(pk=execution.pk).attempt == 2)
    stage.in_status(execution, "PAUSED")
    resume_execution(execution, by=stage.cast.root)
    assert stage.ended(execution).output_value == {"a": 1, "b": 2}
