"""What scripts do by mistake or malice: each ends with the right report, and leaves nothing behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

import pytest

from tests.flow_process.peer import NO_ANSWER, Process, Told, processes_of_flows

pytestmark = pytest.mark.process

Handler = Callable[..., Told]


def test_it_prints_a_lot(handler: Handler) -> None:
    told = handler("for number in range(200):\n    print('x' * 100_000)\nprint('end')")
    assert told.end and told.end["status"] == "success"
    assert sum(len(log["text"]) for log in told.logs) == 20_000_000 + 3
    assert max(len(log["text"]) for log in told.logs) <= 64 * 1024
    assert told.logs[-1]["text"] == "end"


def test_it_crashes_in_c(handler: Handler) -> None:
    told = handler("this.log('before')\nimport ctypes\nctypes.string_at(0)")
    assert told.end is None and told.lines("log") == ["before"]
    assert told.exited and told.exited.signal == signal.SIGSEGV
    assert b"Segmentation fault" in told.raw


def test_it_leaves_without_a_word(handler: Handler) -> None:
    told = handler("print('last words')\nimport os\nos._exit(7)")
    assert told.end is None and told.lines("stdout") == ["last words"]
    assert told.exited and (told.exited.exit_code, told.exited.signal) == (7, None)


def test_it_closes_every_descriptor(handler: Handler) -> None:
    told = handler("import os\nos.closerange(0, 4096)\nthis.log('x')")
    assert told.end is None
    assert told.exited and told.exited.exit_code == 70


def test_it_takes_all_memory(handler: Handler) -> None:
    told = handler("hog = []\nwhile True:\n    hog.append(bytearray(10_000_000))")
    assert told.end and told.end["status"] == "error" and told.end["message"].startswith("MemoryError")
    told = handler("import mmap\nhog = []\nwhile True:\n    hog.append(mmap.mmap(-1, 1 << 28))")
    assert told.end and told.end["status"] == "error" and "memory" in told.end["message"].lower()


def test_it_recurses_for_ever(handler: Handler) -> None:
    told = handler("def again(): again()\nagain()")
    assert told.end and told.end["message"].startswith("RecursionError")


def test_it_uses_too_much_cpu(process: Callable[..., Process]) -> None:
    told = process("def handler(s, t):\n    while True: pass", limits={"cpu_seconds": 1}).finish()
    assert told.exited and told.exited.signal == signal.SIGXCPU
    assert 0.5 < told.exited.cpu_seconds < 3


def test_it_fills_the_disk(handler: Handler) -> None:
    told = handler("with open('big', 'wb') as file:\n    while True: file.write(bytes(1 << 20))")
    assert told.end and "File too large" in told.end["message"]
    told = handler(
        "for number in range(100):\n    with open(str(number), 'wb') as file: file.write(bytes(15 << 20))",
        limits={"scratch_bytes": 64 << 20},
    )
    assert told.end and "No space left" in told.end["message"]
    assert handler("import os\nreturn os.listdir('.')").end["output"] == []  # type: ignore[index]


def test_it_forks_without_end(handler: Handler) -> None:
    told = handler(
        """
        import os, time
        children = 0
        try:
            while True:
                if os.fork() == 0:
                    time.sleep(600)
                children += 1
        except BlockingIOError:
            return children
        """
    )
    assert told.end and 10 < told.end["output"] < 64
    assert processes_of_flows() == []


def test_a_copy_of_the_handler_does_not_speak_for_it(handler: Handler) -> None:
    told = handler(
        """
        import os
        pid = os.fork()
        if pid == 0:
            print("from the copy")
            try:
                this.log("not from the copy")
            except flow_api.EngineException:
                return "copy"
        os.waitpid(pid, 0)
        return "original"
        """
    )
    assert told.end and told.end["output"] == "original"
    assert told.logs == [] and told.raw == b"from the copy\n"


DAEMONS = {
    "in its group": "pass",
    "in a session of its own": "os.setsid()",
    "forked twice": "os.setsid()\n            if os.fork(): os._exit(0)",
}


@pytest.mark.parametrize("hiding", DAEMONS.values(), ids=DAEMONS.keys())
@pytest.mark.parametrize("end", ["return 1", "os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_it_leaves_a_daemon(run: Handler, hiding: str, end: str) -> None:
    script = f"""
    import os, time, signal
    def handler(system, this, inputs):
        reader, writer = os.pipe()
        if os.fork() == 0:
            {hiding}
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(writer, b"x")
            time.sleep(600)
            os._exit(0)
        os.read(reader, 1)
        {end}
    """
    assert run(script).exited is not None
    assert processes_of_flows() == []


def test_it_leaves_a_bomb_of_daemons(run: Handler) -> None:
    script = """
    import os, time
    def handler(system, this, inputs):
        if os.fork() == 0:
            while True:
                try:
                    if os.fork():
                        os._exit(0)
                    os.setsid()
                except OSError:
                    pass
        time.sleep(0.1)
    """
    for _ in range(3):
        assert run(script).end is not None
        assert processes_of_flows() == []


def test_runs_side_by_side_are_not_hurt_by_the_end_of_one(process: Callable[..., Process]) -> None:
    waiting = """
    import subprocess
    def handler(system, this, inputs):
        child = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
        this.log("ready")
        this.get("status")
        assert child.poll() is None
        child.kill()
        return "unhurt"
    """
    neighbours = [process(waiting, {"record.get": lambda args: NO_ANSWER}) for _ in range(3)]
    for neighbour in neighbours:
        neighbour.until(partial(neighbour.told.arguments, "record.get"))
    process("import os\ndef handler(s, t):\n    os.kill(os.getpid(), 9)").finish()
    for neighbour in neighbours:
        neighbour.answer_late({"status": "RUNNING"})
    assert [neighbour.finish().end["output"] for neighbour in neighbours] == ["unhurt"] * 3  # type: ignore[index]
    assert processes_of_flows() == []
