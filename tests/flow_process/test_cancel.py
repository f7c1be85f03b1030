"""TERM becomes a signal that `finally` sees and `except` does not keep; and nothing keeps a process that gets KILL."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.flow_process.peer import NO_ANSWER, Process

pytestmark = pytest.mark.process

Start = Callable[..., Process]


def cancelled(process: Process, word: str = "ready") -> Any:
    process.until(lambda: word in [log["text"] for log in process.told.logs])
    process.signal(signal.SIGTERM)
    return process.finish(10)


BUSY = {
    "python loop": "while True: pass",
    "time.sleep": "import time; time.sleep(600)",
    "subprocess": "import subprocess; subprocess.run(['/bin/sleep', '600'])",
    "lock": "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "a call that is not answered": "this.sleep(600)",
    "swallowing Exception": "\n            while True:\n                try:\n                    this.sleep(600)\n"
    "                except Exception: pass",
    "swallowing everything": "\n            while True:\n                try:\n                    this.sleep(600)\n"
    "                except: break\n            this.set_output(a=1)",
}


@pytest.mark.parametrize("busy", BUSY.values(), ids=BUSY.keys())
def test_a_cancel_runs_finally_and_ends(process: Start, busy: str) -> None:
    script = f"""
    def handler(system, this, inputs):
        try:
            this.log("ready")
            {busy}
        finally:
            this.log("cleaned up")
            print("printed")
    """
    told = cancelled(
        process(script, {"sleep": lambda args: NO_ANSWER, "execution.set_output": lambda args: None})
    )
    assert told.end and told.end["status"] == "cancelled", told
    assert [log["text"] for log in told.logs] == ["ready", "cleaned up", "printed"]
    assert told.exited and (told.exited.exit_code, told.exited.signal) == (0, None)


def test_a_cancel_before_the_script_began_is_not_lost(process: Start) -> None:
    for pause in (0, 0.001, 0.003, 0.005, 0.01) * 4:
        started = process("def handler(system, this):\n    while True: pass")
        time.sleep(pause)
        started.signal(signal.SIGTERM)
        told = started.finish(10)
        assert told.end and told.end["status"] == "cancelled", (pause, told)


def test_a_second_term_does_not_disturb_the_cleaning_up(process: Start) -> None:
    script = """
    import time
    def handler(system, this):
        try:
            this.log("ready")
            time.sleep(600)
        finally:
            this.log("cleaning")
            time.sleep(0.3)
            this.log("cleaned")
    """
    started = process(script)
    started.until(lambda: bool(started.told.logs))
    started.signal()
    started.until(lambda: len(started.told.logs) == 2)
    started.signal()
    told = started.finish(10)
    assert [log["text"] for log in told.logs] == ["ready", "cleaning", "cleaned"]


def test_a_term_in_the_middle_of_much_output_breaks_no_message(process: Start) -> None:
    script = """
    def handler(system, this):
        this.log("ready")
        while True:
            print("x" * 3000)
    """
    for _ in range(5):
        told = cancelled(process(script))
        assert told.end and told.end["status"] == "cancelled"
        assert [log["seq"] for log in told.logs] == list(range(1, len(told.logs) + 1))


def test_a_script_that_ignores_term_is_ended_by_kill(process: Start) -> None:
    script = """
    import signal
    def handler(system, this):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        this.log("ready")
        while True: pass
    """
    started = process(script)
    started.until(lambda: bool(started.told.logs))
    started.signal(signal.SIGTERM)
    started.turn(0.3)
    assert started.told.exited is None
    started.signal(signal.SIGKILL)
    told = started.finish(10)
    assert told.end is None
    assert told.exited and (told.exited.exit_code, told.exited.signal) == (None, signal.SIGKILL)
    assert told.exited.cpu_seconds > 0


def test_a_host_that_goes_away_ends_the_run(process: Start) -> None:
    started = process("def handler(system, this):\n    this.sleep(600)", {"sleep": lambda args: NO_ANSWER})
    started.until(lambda: bool(started.told.arguments("sleep")))
    started.close_channel()
    assert started.finish(10).exited is not None
