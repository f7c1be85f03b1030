"""Scripts that misbehave, in real flow processes: each ends with its cause named, and its neighbours go on unharmed."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from executions import log
from executions.lifecycle import ENDED, Status
from executions.models import Execution, LogLine
from executions.operations import cancel_execution
from tests.executions.cluster import Fleet, Worker, alive
from tests.executions.stage import Stage, wait_until

pytestmark = pytest.mark.process
OK, BAD, GONE = Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED


@pytest.fixture
def worker(play: Stage, fleet: Fleet) -> Iterator[Worker]:
    """The worker, which must come through with the same host and nothing left of the scripts."""
    (found,) = fleet.workers
    before = found.host()
    yield found
    assert found.host() == before, f"the host did not live through it: {fleet.tail()}"
    wait_until(lambda: not found.roles()["flow"], "nothing is left of the scripts")


def crashes(play: Stage, execution: Execution, cause: str) -> None:
    play.ended(execution)
    assert execution.status == BAD, execution.message
    assert execution.reason in ("crashed", "attempts_exhausted"), execution.message
    assert cause in execution.message
    assert 1 <= execution.attempt <= 3


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
        ("import os\nos._exit(7)", "code 7"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import os\nos.abort()", "SIGABRT"),
    ],
    ids=["segfault", "exit", "kill", "abort"],
)
def test_processes_that_die(play: Stage, worker: Worker, body: str, cause: str) -> None:
    neighbour = play.start("import time\ntime.sleep(0.3)\nreturn 1")
    crashes(play, play.start(f"print('before')\n{body}"), cause)
    assert play.ended(neighbour).status == OK and neighbour.attempt == 1


def test_what_was_said_before_the_crash_is_kept(play: Stage, worker: Worker) -> None:
    execution = play.run(
        """
        import os, sys
        for n in range(50):
            this.log(f'line {n}')
        os.write(1, b'raw words\\n')
        os._exit(3)
        """
    )
    lines = play.log(execution)
    assert [line for line in lines if line.startswith("line ")] == [f"line {n}" for n in range(50)], (
        "and once only"
    )
    assert "raw words" in lines


def test_a_crash_goes_on_from_the_last_savepoint(play: Stage, worker: Worker) -> None:
    """Its first attempt waits for the kill, the second finds by the count of its attempts that it was killed."""
    execution = play.start(
        """
        import time
        this.set_output(first=1)
        child = this.script('def handler(system, this): this.set_output(n=1)')
        this.log('half way')
        until = time.monotonic() + 60
        while not system.executions(filter_={'field': 'name', 'op': 'eq', 'value': 'the word to go on'}):
            assert time.monotonic() < until
            time.sleep(0.05)
        this.set_output(second=child.get('output_value'))
        """
    )
    play.says(execution, "half way")
    os.kill(worker.pids("flow")[0], signal.SIGKILL)
    play.in_attempt(execution, 2)
    play.run("return 1", name="the word to go on")
    play.ended(execution)
    assert execution.status == OK, execution.message
    assert execution.output_value == {"first": 1, "second": {"n": 1}}
    assert len(play.children(execution)) == 1 and execution.attempt == 2
    assert play.log(execution).count("half way") == 1


def test_a_hundred_megabytes_of_output(play: Stage, worker: Worker) -> None:
    loud = play.start("for _ in range(100_000): print('x' * 1000)\nreturn 'done'")
    raw = play.start("import os\nfor _ in range(1000): os.write(1, b'y' * 100_000)\nreturn 'done'")
    play.says(loud, "x")
    before = time.monotonic()
    quick = play.run("this.set_output(a=1)\nreturn 2")
    assert quick.status == OK and time.monotonic() - before < 10, "the neighbour had to wait"
    for execution in (loud, raw):
        assert play.ended(execution, seconds=60).status == OK, execution.message
        lines = LogLine.objects.filter(execution=execution)
        assert lines.count() <= log.MAX_LINES + 2
        size = sum(len(text) for text in lines.values_list("text", flat=True))
        assert size <= log.MAX_BYTES + 200_000
        assert "were not kept" in play.log(execution)[-1]


def test_an_endless_loop_is_stopped_by_its_time_limit_only(play: Stage, worker: Worker) -> None:
    loops = [
        play.start(body, max_runtime_minutes=0.02)
        for body in ("while True: pass", "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')")
    ]
    quick = play.run("return 1")
    assert quick.status == OK
    for loop in loops:
        play.ended(loop)
        assert (loop.status, loop.reason) == (BAD, "timeout")


def test_a_recursion_without_end_is_an_ordinary_error(play: Stage, worker: Worker) -> None:
    execution = play.run("def deeper(): return deeper()\ndeeper()")
    assert (execution.status, execution.reason) == (BAD, "raised")
    assert "RecursionError" in execution.message and len(execution.message) < 10_000


def test_forks_of_a_script_end_with_it(play: Stage, worker: Worker) -> None:
    execution = play.run(
        """
        import os, time
        for _ in range(3):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        return 'done'
        """
    )
    assert (execution.status, execution.output_value) == (OK, "done")


def test_a_fork_that_returns_from_the_handler_too(play: Stage, worker: Worker) -> None:
    execution = play.run(
        "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nreturn 'parent' if pid else 'child'"
    )
    assert (execution.status, execution.output_value) == (OK, "parent")


def test_a_daemonised_grandchild_is_gone(play: Stage, worker: Worker) -> None:
    execution = play.run(
        """
        import os, subprocess, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                subprocess.Popen(['sleep', '77'], start_new_session=True)
                time.sleep(60)
            os._exit(0)
        time.sleep(0.3)
        return 'done'
        """
    )
    assert execution.status == OK, execution.message  # the fixture looks for what is left


def test_a_fork_bomb_is_bounded(play: Stage, worker: Worker) -> None:
    neighbour = play.start("import subprocess\nreturn subprocess.run(['true']).returncode")
    bomb = play.run(
        """
        import os, time
        made = 0
        try:
            while made < 5000:
                if os.fork() == 0:
                    time.sleep(30)
                    os._exit(0)
                made += 1
        except OSError:
            return made
        return -1
        """
    )
    assert bomb.status == OK, bomb.message
    assert 0 < bomb.output_value < 500
    assert play.ended(neighbour).output_value == 0, neighbour.message


def test_a_memory_hog_is_refused_its_memory(play: Stage, worker: Worker) -> None:
    caught = play.start("try:\n    x = bytearray(8 << 30)\nexcept MemoryError:\n    return 'refused'")
    greedy = play.start("x = []\nwhile True: x.append(bytearray(64 << 20))")
    assert play.ended(caught).output_value == "refused", caught.message
    assert play.ended(greedy).status == BAD
    assert "MemoryError" in greedy.message or "SIGKILL" in greedy.message
    assert greedy.peak_memory_bytes is None or greedy.peak_memory_bytes < 2 << 30


def test_a_file_that_grows_too_large(play: Stage, worker: Worker) -> None:
    execution = play.run(
        """
        with open('big', 'wb') as file:
            for _ in range(1000):
                file.write(bytes(1 << 20))
        """
    )
    assert execution.status == BAD
    assert (
        "File too large" in execution.message
        or "SIGXFSZ" in execution.message
        or "No space" in execution.message
    )


def test_scratch_files_do_not_reach_the_next(play: Stage, worker: Worker) -> None:
    body = "import os\nfound = os.listdir('.')\nopen('left', 'w').write('x')\nreturn found"
    for _ in range(3):
        execution = play.run(body)
        assert (execution.status, execution.output_value) == (OK, []), execution.message


def test_those_that_ignore_a_cancel_are_killed_after_their_grace_time(play: Stage, worker: Worker) -> None:
    deaf = play.start(
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        this.log('ready')
        while True: time.sleep(1)
        """
    )
    swallowing = play.start(
        """
        import time
        this.log('ready')
        while True:
            try:
                time.sleep(1)
            except BaseException:
                this.log('swallowed')
        """
    )
    for stubborn in (deaf, swallowing):
        play.says(stubborn, "ready")
    before = time.monotonic()
    for stubborn in (deaf, swallowing):
        cancel_execution(stubborn, by=play.cast.root)
    play.ended(deaf, swallowing)
    assert 4 < time.monotonic() - before < 12
    swallowing.refresh_from_db()
    assert deaf.status == swallowing.status == GONE
    assert play.log(swallowing) == ["ready", "swallowed"], (
        "it was told once; a log line in `finally` is welcome"
    )


def test_finally_runs_when_it_is_cancelled(play: Stage, worker: Worker) -> None:
    execution = play.start(
        """
        import time
        try:
            this.log('ready')
            try:
                time.sleep(60)
            except Exception:
                print('not an exception')
        finally:
            print('tidied up')
        """
    )
    play.says(execution, "ready")
    cancel_execution(execution, by=play.cast.root)
    play.ended(execution)
    assert execution.status == GONE
    assert "tidied up" in play.log(execution) and "not an exception" not in play.log(execution)


def test_closed_output(play: Stage, worker: Worker) -> None:
    execution = play.run("import os, sys\nos.close(1)\nos.close(2)\nprint('x')\nsys.stdout = None\nreturn 1")
    assert execution.status in ENDED
    assert execution.status == OK, execution.message


def test_a_script_cannot_signal_its_worker(play: Stage, worker: Worker) -> None:
    pids = [
        each.pid for role, found in worker.roles().items() if role not in ("zygote", "flow") for each in found
    ]
    execution = play.run(
        f"""
        import os, signal
        for pid in {[*pids, 1, -1]!r}:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        return os.getppid()
        """
    )
    assert execution.status in ENDED
    assert all(alive(pid) for pid in pids)


def test_one_that_says_it_has_ended_and_goes_on_is_killed(play: Stage, worker: Worker) -> None:
    execution = play.run(
        """
        import json, os, struct, time
        body = json.dumps({"end": {"status": "success", "message": "so it says", "cpu_seconds": "much"}}).encode()
        os.write(1, b"no line end")
        system._channel._socket.sendall(struct.pack("!I", len(body)) + body)
        while True:
            os.write(1, b"still here")
            time.sleep(0.01)
        """
    )
    assert (execution.status, execution.message, execution.cpu_seconds) == (OK, "so it says", 0.0)
    wait_until(lambda: not worker.roles()["flow"], "its process is killed", seconds=5)
    assert play.log(execution)[0].startswith("no line end")
