"""What dies costs seconds, not executions: crashes, poison, lost and frozen hosts, and a stop in good order."""

import signal
import time

import psutil
import pytest

from executions import hosting
from executions.database import fetch
from executions.models import Execution, LogLine, Process, Transition
from tests.executions.cluster import Worker
from tests.executions.stage import Stage, wait_until
from tests.savepoints.strikes import Strikes, answered, send

pytestmark = pytest.mark.process

POISON = {
    "segfault": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "exit": ("import os; os._exit(7)", "code 7"),
    "kill": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
}


@pytest.mark.parametrize("kind", POISON)
def test_poison_ends_after_three_crashes_and_says_why(stage: Stage, strikes: Strikes, kind: str) -> None:
    deed, cause = POISON[kind]
    ended = stage.run(f"this.log('before')\n{deed}")
    assert (ended.status, ended.reason) == ("ENDED_ERROR", "attempts_exhausted")
    assert cause in ended.message and "3 times" in ended.message
    assert ended.attempt == 3
    assert stage.log(ended).count("before") == 1
    assert stage.run("return {'alive': True}").output_value == {"alive": True}, "the neighbours are unharmed"


def test_progress_forgives_crashes(stage: Stage, strikes: Strikes) -> None:
    """Five crashes, each after a new savepoint: none of them is the third without progress."""
    ended = stage.run(
        """
        import os, signal, time
        def handler(system, this, inputs):
            for n in range(5):
                begin = time.monotonic()
                time.sleep(0.05)  # a replay does not sleep again: so we know whether we were here before
                is_first_time = time.monotonic() - begin > 0.04
                this.set_output(reached=n)
                if is_first_time:
                    os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert ended.status == "ENDED_SUCCESS", ended.message
    assert ended.output_value == {"reached": 4}
    assert ended.attempt == 6
    assert ended.crashes == 1


@pytest.mark.parametrize("state", ["running", "sleeping", "waiting"])
def test_a_lost_host_costs_seconds(stage: Stage, strikes: Strikes, state: str) -> None:
    body = {
        "running": "time.sleep(1.5)",
        "sleeping": "this.sleep(1.5)",
        "waiting": "this.script('def handler(system, this): this.sleep(1.5)')",
    }[state]
    execution = stage.start(
        f"import time\ndef handler(system, this, inputs):\n    this.set_output(a=1)\n    {body}"
    )
    wait_until(lambda: answered(execution) >= 1)
    stage.in_status(
        execution, *{"running": ["RUNNING"], "sleeping": ["SLEEPING"]}.get(state, ["WAITING_FOR_DEPENDENCY"])
    )
    killed_at = time.monotonic()
    strikes.kill(execution, "host")
    wait_until(lambda: _is_taken_up(execution), "another host had taken it up")
    assert time.monotonic() - killed_at < 10, "at once, if this machine were idle"
    ended = stage.ended(execution)
    assert (ended.status, ended.output_value) == ("ENDED_SUCCESS", {"a": 1})
    assert len(stage.children(execution)) == (1 if state == "waiting" else 0)


def _is_taken_up(execution: Execution) -> bool:
    row = Execution.objects.select_related("host").get(pk=execution.pk)
    return row.is_ended or (row.attempt > 1 and row.host is not None and row.host.ended_at is None)


def test_what_was_claimed_and_never_handed_over(stage: Stage, strikes: Strikes) -> None:
    """The claim was committed and its answer lost: a living host runs it by its row, and nobody told the host."""
    pushers = [pid for worker in strikes.fleet.workers for pid in worker.pids("pusher")]
    for pid in pushers:
        send(pid, signal.SIGSTOP)
    try:
        host = strikes.fleet.workers[0].host()
        assert host is not None
        execution = stage.start("this.set_output(a=1)")
        assert [moved.id for moved in hosting.claim(host.pk)] == [execution.pk]
    finally:
        for pid in pushers:
            send(pid, signal.SIGCONT)
    ended = stage.ended(execution)
    assert (ended.status, ended.output_value, ended.attempt) == ("ENDED_SUCCESS", {"a": 1}, 1)


@pytest.mark.parametrize("role", ["command", "sentinel", "pusher", "monitor", "zygote"])
def test_the_death_of_any_other_process_costs_seconds_too(stage: Stage, strikes: Strikes, role: str) -> None:
    execution = stage.start(
        """
        import time
        def handler(system, this, inputs):
            for n in range(6):
                this.script("def handler(system, this): this.log('once')", name=str(n))
                time.sleep(0.1)
            this.sleep(0.2)
        """
    )
    strikes.kill_at(execution, 2, role)
    ended = stage.ended(execution)
    assert ended.status == "ENDED_SUCCESS", ended.message
    assert sorted(each.name for each in stage.children(execution)) == list("012345")
    assert all(stage.log(each) == ["once"] for each in stage.children(execution))
    if role == "command":
        strikes.fleet.have(workers=2, slots=4, SLEEP_MAX_SECONDS="1")


def test_a_stop_in_good_order_puts_everything_down(stage: Stage, strikes: Strikes) -> None:
    """Running, waiting and sleeping ones: nothing is lost when all workers stop, and all goes on with new ones."""
    looping = stage.start(
        "import time\ndef handler(system, this, inputs):\n"
        "    for n in range(25):\n        this.set_output(n=n)\n        time.sleep(0.1)"
    )
    deaf = stage.start("import time\ntime.sleep(3)\nthis.set_output(done=True)")
    sleeping = stage.start("this.sleep(3)\nthis.set_output(woke=True)")
    waiting = stage.start(
        "this.script('def handler(system, this): this.sleep(3)')\nthis.set_output(joined=True)"
    )
    stage.in_status(sleeping, "SLEEPING")
    stage.in_status(waiting, "WAITING_FOR_DEPENDENCY")
    wait_until(lambda: answered(looping) >= 3)
    strikes.fleet.stop()
    family = [looping, deaf, sleeping, waiting, *stage.children(waiting)]
    for each in family:
        each.refresh_from_db()
        assert each.host_id is None and not each.is_ended, (each, each.status)
    assert looping.status == "QUEUED" and looping.reason == "put_down"
    strikes.fleet.have(workers=2, slots=4, SLEEP_MAX_SECONDS="1")
    stage.ended(*family)
    for each, output in (
        (looping, {"n": 24}),
        (deaf, {"done": True}),
        (sleeping, {"woke": True}),
        (waiting, {"joined": True}),
    ):
        each.refresh_from_db()
        assert (each.status, each.output_value) == ("ENDED_SUCCESS", output)
        assert each.crashes == each.losses == 0, "a stop in good order is nobody's failure"
    assert len(stage.children(waiting)) == 1


def test_a_frozen_host_is_replaced_and_its_late_words_refused(stage: Stage, strikes: Strikes) -> None:
    """SIGSTOP beyond the lease, then SIGCONT: the second attempt has won, and the old host ends itself."""
    execution = stage.start(
        """
        import time
        def handler(system, this, inputs):
            for n in range(40):
                this.set_output(n=n)
                print('turn', n)
                time.sleep(0.1)
        """
    )
    wait_until(lambda: answered(execution) >= 5)
    worker = strikes.worker_of(execution)
    frozen = _freeze(worker)
    old_host = Execution.objects.values_list("host_id", flat=True).get(pk=execution.pk)
    # Nobody renews its lease; here its last sign of life grows old faster than the clock.
    fetch(
        "UPDATE executions_process SET heartbeat_at = heartbeat_at - interval '15 s' WHERE id = %s",
        (old_host,),
    )
    wait_until(lambda: Process.objects.get(pk=old_host).ended_at is not None, "its lease was ended")
    wait_until(lambda: _is_taken_up(execution), "another host had taken it up")
    second = Execution.objects.get(pk=execution.pk)
    assert (second.attempt, second.losses) == (2, 1)
    for each in frozen:
        send(each.pid, signal.SIGCONT)
    ended = stage.ended(execution)
    assert (ended.status, ended.output_value, ended.attempt) == ("ENDED_SUCCESS", {"n": 39}, 2)
    turns = [line for line in stage.log(execution) if line.startswith("turn")]
    assert turns == [f"turn {n}" for n in range(40)]
    wait_until(
        lambda: not any(_lives(each) for each in frozen if each.name_ == "host"), "the old host was gone"
    )
    assert "this host's lease was ended" in strikes.fleet.output.read_text(errors="replace")
    assert Transition.objects.filter(execution=execution, new="RUNNING").count() == 2
    strikes.revived()


class _Frozen(psutil.Process):
    name_ = ""


def _freeze(worker: Worker) -> list[_Frozen]:
    frozen = []
    for role, found in worker.roles().items():
        for each in found:
            mine = _Frozen(each.pid)
            mine.name_ = role
            frozen.append(mine)
            send(each.pid, signal.SIGSTOP)
    return frozen


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_the_log_says_how_a_process_died(stage: Stage, strikes: Strikes) -> None:
    execution = stage.start("import time\nthis.log('here')\ntime.sleep(1.5)")
    stage.says(execution, "here")
    strikes.kill(execution, "flow")
    ended = stage.ended(execution)
    assert ended.status == "ENDED_SUCCESS"
    (line,) = LogLine.objects.filter(execution=execution, stream="engine")
    assert "SIGKILL" in line.text and line.level == "warning"
