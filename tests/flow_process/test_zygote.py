"""The client's side: events, real process numbers, and nothing left over when either side dies."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executions.zygote import Event, Exited, Spawned, Zygote, ZygoteDied, describe_isolation
from tests.flow_process.peer import LIMITS, NO_ANSWER, Process

pytestmark = pytest.mark.process

PARKED = "def handler(system, this):\n    this.sleep(600)"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_zygote(tmp_path: Path) -> Iterator[Zygote]:
    """A zygote that a test may kill."""
    tmp_path.chmod(0o755)
    zygote = Zygote(directory=tmp_path)
    zygote.start()
    yield zygote
    zygote.close()


def park(zygote: Zygote) -> Process:
    process = Process(zygote, PARKED, {"sleep": lambda args: NO_ANSWER}, {}).spawn()
    process.until(lambda: bool(process.told.arguments("sleep")) and process.pid > 0)
    return process


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soon(happened: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    return happened()


def read_until_death(zygote: Zygote) -> None:
    for _ in range(100):
        select.select([zygote], [], [], 5)
        zygote.read_events()


def test_a_run_is_told_by_two_events_with_its_real_number(zygote: Zygote) -> None:
    channel, output = zygote.spawn("k", LIMITS, "a name that is far too long for the kernel " * 20)
    assert channel.getblocking() is False and os.get_blocking(output) is False
    events: list[Event] = []
    while not any(isinstance(event, Spawned) for event in events):
        select.select([zygote], [], [], 5)
        events += zygote.read_events()
    assert isinstance(events[0], Spawned) and events[0].key == "k" and is_alive(events[0].pid)
    zygote.signal("k", signal.SIGKILL)
    zygote.signal("unknown", signal.SIGKILL)
    while not any(isinstance(event, Exited) for event in events):
        select.select([zygote], [], [], 5)
        events += zygote.read_events()
    exited = events[-1]
    assert isinstance(exited, Exited) and exited.pid == events[0].pid and exited.signal == signal.SIGKILL
    assert exited.max_rss_bytes > 1_000_000 and exited.cpu_seconds >= 0 and exited.error is None
    assert zygote.read_events() == []
    channel.close()
    os.close(output)


def test_many_runs_at_once(zygote: Zygote) -> None:
    runs = [
        Process(zygote, "def handler(s, t, i):\n    return i", {}, {"inputs": [n]}).spawn() for n in range(60)
    ]
    assert [run.finish().end["output"] for run in runs] == [[n] for n in range(60)]  # type: ignore[index]


def test_a_killed_zygote_takes_its_runs_along_and_is_noticed(own_zygote: Zygote) -> None:
    parked = [park(own_zygote) for _ in range(2)]
    os.kill(own_zygote.pid, signal.SIGKILL)
    with pytest.raises(ZygoteDied):
        read_until_death(own_zygote)
    assert soon(lambda: not any(is_alive(process.pid) for process in parked))
    with pytest.raises(ZygoteDied):
        own_zygote.spawn("k", LIMITS)
    for process in parked:
        process.close_channel()


def test_closing_ends_all_and_leaves_no_trace(own_zygote: Zygote, tmp_path: Path) -> None:
    parked, pid = park(own_zygote), own_zygote.pid
    own_zygote.close()
    assert not is_alive(pid)
    assert soon(lambda: not is_alive(parked.pid))
    assert list(tmp_path.iterdir()) == []
    parked.close_channel()


HOST = """
import os, select, sys, time
from pathlib import Path
from executions.zygote import Zygote
from tests.flow_process.peer import Process, NO_ANSWER
zygote = Zygote(directory=Path(sys.argv[1]))
zygote.start()
process = Process(zygote, {script!r}, {{"sleep": lambda args: NO_ANSWER}}, {{}}).spawn()
process.until(lambda: bool(process.told.arguments("sleep")) and process.pid > 0)
print(zygote.pid, process.pid, flush=True)
time.sleep(600)
"""


def test_a_killed_host_takes_its_zygote_and_its_runs_along(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    command = [sys.executable, "-c", HOST.format(script=PARKED), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout
        pids = [int(pid) for pid in host.stdout.readline().split()]
        assert len(pids) == 2 and all(map(is_alive, pids))
        host.kill()
    assert soon(lambda: not any(map(is_alive, pids)))
    left = Zygote(directory=tmp_path)
    left.start()
    assert len(list(tmp_path.iterdir())) == 1  # its own; the dead one's is gone
    left.close()


def test_a_thread_of_the_host_that_ends_is_not_its_death(tmp_path: Path) -> None:
    import threading

    tmp_path.chmod(0o755)
    zygote = Zygote(directory=tmp_path)
    thread = threading.Thread(target=zygote.start)
    thread.start()
    thread.join()
    time.sleep(0.2)
    process = Process(zygote, "def handler(s, t):\n    return 1", {}, {}).spawn()
    assert process.finish().end
    zygote.close()


def test_a_zygote_that_cannot_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zygote = Zygote(directory=tmp_path)
    monkeypatch.setattr("executions.zygote._BOOT", "raise SystemExit(3)")
    with pytest.raises(ZygoteDied):
        zygote.start()
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_is_told_every_layer() -> None:
    layers = describe_isolation()
    assert {name for name, _, _ in layers} >= {
        "own file system root",
        "landlock",
        "seccomp",
        "own user per run",
        "network",
    }
    for name, active, note in layers:
        assert active or note, f"{name} is off, and nothing says why"


def test_the_folder_is_where_it_was_asked_for(own_zygote: Zygote, tmp_path: Path) -> None:
    assert [path.name.startswith("engine-flow-") for path in tmp_path.iterdir()] == [True]


def test_a_host_that_asks_for_much_still_hears_of_the_ends(zygote: Zygote) -> None:
    """Each run that ends lets the next one begin, so that the zygote never runs out of requests."""
    waiting = 40
    order: list[str] = []
    open_runs = {}
    for number in range(4):
        open_runs[f"busy-{number}"] = zygote.spawn(f"busy-{number}", LIMITS)
    while order.count("exited") < 40:
        select.select([zygote], [], [], 5)
        for event in zygote.read_events():
            order.append(type(event).__name__.lower())
            if isinstance(event, Spawned):
                channel, output = open_runs.pop(event.key)
                channel.close()  # which ends it
                os.close(output)
                if waiting > 4:
                    waiting -= 1
                    open_runs[f"busy-{waiting + 4}"] = zygote.spawn(f"busy-{waiting + 4}", LIMITS)
    assert order.index("exited") < 30
