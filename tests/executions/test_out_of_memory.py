"""Executions that leave memory whenever they wait: all that holds for those that stay must hold for them.

The worker unloads at once instead of after a minute; every wait is a resume by replay, with another process.
"""

from collections.abc import Iterator

import pytest

from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import cancel_execution
from tests.executions.cluster import Fleet, Worker
from tests.executions.stage import Stage, wait_until
from tests.invariants import check_invariants

pytestmark = pytest.mark.process
OK = Status.ENDED_SUCCESS


@pytest.fixture
def worker(stage: Stage, fleet: Fleet) -> Iterator[Worker]:
    (found,) = fleet.have(workers=1, slots=2, SLEEP_MAX_SECONDS="0")
    yield found
    check_invariants(stage.ids)


def unloaded(stage: Stage, execution: Execution, worker: Worker) -> None:
    def is_out() -> bool:
        execution.refresh_from_db()
        return execution.is_waiting and execution.host_id is None

    wait_until(is_out, "it left memory")


def test_a_sleeper_costs_no_process_and_wakes_in_time(stage: Stage, worker: Worker) -> None:
    execution = stage.start("this.log('before')\nthis.sleep(2)\nthis.log('after')\nreturn 1")
    unloaded(stage, execution, worker)
    wait_until(lambda: not worker.roles()["flow"], "its process is gone")
    stage.ended(execution)
    assert (execution.status, execution.output_value) == (OK, 1), execution.message
    assert stage.log(execution) == ["before", "after"]
    assert execution.attempt == 2


def test_logs_and_output_are_not_doubled(stage: Stage, worker: Worker) -> None:
    execution = stage.run(
        """
        import subprocess
        for n in range(4):
            for m in range(30):
                this.log(f'{n}.{m}')
            print(f'printed {n}')
            this.set_output(f'k{n}', n)
            this.sleep(1.2)
        """
    )
    assert execution.status == OK, execution.message
    said = stage.log(execution)
    assert [line for line in said if "." in line] == [f"{n}.{m}" for n in range(4) for m in range(30)]
    assert [line for line in said if line.startswith("printed")] == [f"printed {n}" for n in range(4)]
    assert execution.output_value == {f"k{n}": n for n in range(4)}


def test_a_tree_of_those_that_leave(stage: Stage, worker: Worker) -> None:
    top = stage.run(
        """
        leaf = 'def handler(s, t, i):\\n    t.sleep(1.5)\\n    return i["n"]'
        found = [this.script(leaf, n=n, wait=False) for n in range(6)]
        this.wait_for(found)
        return [each.get('output_value') for each in found]
        """
    )
    assert top.output_value == list(range(6)), top.message
    assert len(stage.children(top)) == 6


def test_cancel_runs_finally_out_of_memory_too(stage: Stage, worker: Worker) -> None:
    execution = stage.start(
        """
        try:
            this.sleep(600)
        finally:
            print('tidied up')
        """
    )
    unloaded(stage, execution, worker)
    cancel_execution(execution, by=stage.cast.root)
    stage.ended(execution)
    assert execution.status == Status.ENDED_CANCELLED
    assert stage.log(execution).count("tidied up") == 1


def test_the_time_limit_reaches_those_that_are_out(stage: Stage, worker: Worker) -> None:
    execution = stage.start("this.sleep(600)", max_runtime_minutes=0.03)
    unloaded(stage, execution, worker)
    stage.ended(execution)
    assert (execution.status, execution.reason) == (Status.ENDED_ERROR, "timeout")


def test_one_that_takes_another_path_is_told_so(stage: Stage, worker: Worker) -> None:
    """What it reads outside of the engine is not recorded: when its path depends on it, its journal does not fit."""
    execution = stage.run(
        """
        import hashlib
        for bit in f"{hashlib.sha256(open('/proc/self/stat', 'rb').read()).digest()[0]:08b}" * 2:
            if bit == '1':
                this.get('name')
            else:
                this.set_output(a=1)
        this.sleep(1.2)
        this.get('status')
        this.sleep(1.2)
        """
    )
    if execution.status != OK:  # which is one chance in many
        assert (execution.status, execution.reason) == (Status.ENDED_ERROR, "replay_mismatch"), (
            execution.message
        )
        assert "record.get" in execution.message and "execution.set_output" in execution.message
    else:
        assert execution.attempt == 3
