"""Everything starts for real and stops for real, by the words that people use, and mends itself in between."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from engine_site.environment import CLONE

pytestmark = pytest.mark.process

START_SECONDS = 90.0  # on a busy machine; a quiet one needs three


class Running:
    """A start of Engine in a process group of its own, like one in a terminal."""

    def __init__(self, command: list[str], data: Path, port: int) -> None:
        self.data = data
        self.port = port
        foreign = {"DATABASE_URL", "DJANGO_SETTINGS_MODULE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        kept = {name: value for name, value in os.environ.items() if name not in foreign}
        self.process = subprocess.Popen(
            command,
            cwd=CLONE,
            env=kept | {"ENGINE_DATA": str(data), "PORT": str(port), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line

    def wait_for(self, words: str, seconds: float = START_SECONDS, after: int = 0) -> None:
        wait_until(lambda: words in self.said[after:], seconds, lambda: self.said)

    def family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def is_ready(self) -> bool:
        try:
            return self.get("/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self.listener.join(10)
        if self.process.stdout:
            self.process.stdout.close()


def wait_until(condition: Callable[[], object], seconds: float, tell: Callable[[], object] = str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {tell()}"
        time.sleep(0.05)


def alive(family: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Start]:
    """Starts Engine with data of this test's own; whatever still runs at the end is killed."""
    started: list[Running] = []

    def begin(*command: str, port: int | None = None, data: Path | None = None) -> Running:
        words = list(command) or [sys.executable, "manage.py", "up"]
        running = Running(words, data or tmp_path / "data", port or free_port())
        started.append(running)
        return running

    yield begin
    for running in started:
        running.end()


def part(family: list[psutil.Process], words: str) -> psutil.Process:
    return next(one for one in family if words in " ".join(one.cmdline()))


def test_up_serves_mends_itself_and_leaves_nothing(start: Start) -> None:
    engine = start()
    engine.wait_for("Ctrl-C\n")
    assert engine.is_ready(), engine.said
    assert re.search(rf"Open +http://localhost:{engine.port}/\n", engine.said)
    assert re.search(r"Password +(\w{4}-){3}\w{4} ", engine.said)
    assert engine.get("/alive").json() == {"status": "ok"}
    assert engine.get("/admin/login/").status_code == 200 or engine.get("/admin/").status_code == 302

    for words, news in [("daphne", "web started again."), ("manage.py worker", "worker 1 started again.")]:
        before = len(engine.said)
        part(engine.family(), words).kill()
        engine.wait_for(news, 30, before)
        wait_until(engine.is_ready, START_SECONDS, lambda: engine.said)

    before = len(engine.said)
    part(engine.family(), "cluster_name=engine-").kill()
    engine.wait_for("PostgreSQL started again.", 30, before)
    wait_until(engine.is_ready, START_SECONDS, lambda: engine.said)

    family = engine.family()
    assert len(family) > 5
    engine.process.terminate()
    assert engine.process.wait(30) == 0, engine.said
    wait_until(lambda: not alive(family), 5, lambda: alive(family))
    engine.wait_for("Stopped.", 5)
    assert "killed." not in engine.said
    assert "Traceback" not in engine.said.split("Stopping;")[-1]


def test_killing_the_supervisor_leaves_nothing_and_the_next_start_works(start: Start) -> None:
    engine = start()
    engine.wait_for("Ctrl-C\n")
    family = engine.family()
    engine.process.kill()
    engine.process.wait(10)
    wait_until(lambda: not alive(family), 20, lambda: alive(family))

    again = start(data=engine.data)
    again.wait_for("Ctrl-C\n")
    assert again.is_ready()
    assert "Password" not in again.said, "it is shown once only"
    for one in again.family():
        with suppress(psutil.NoSuchProcess):  # one of the server's may end by itself, or with another
            one.kill()


def test_a_first_start_that_was_killed_is_finished_by_the_next(start: Start) -> None:
    engine = start()
    engine.wait_for("PostgreSQL started")
    family = engine.family()
    engine.process.kill()
    engine.process.wait(10)
    wait_until(lambda: not alive(family), 20, lambda: alive(family))
    assert "Password" not in engine.said, "the tables and the first user were yet to be made"

    again = start(data=engine.data)
    again.wait_for("Ctrl-C\n")
    assert again.is_ready()
    assert re.search(r"migrations applied.*Password +(\w{4}-){3}\w{4} ", again.said, re.DOTALL), again.said


def test_what_is_taken_is_said_in_one_line(start: Start, free_port: Callable[[], int]) -> None:
    engine = start()
    engine.wait_for("PostgreSQL started")

    on_same_port = start(port=engine.port, data=engine.data.with_name("other"))
    assert on_same_port.process.wait(60) == 2
    on_same_port.listener.join(10)
    assert on_same_port.said.count("\n") == 1
    assert f"port {engine.port}" in on_same_port.said
    assert "PORT=" in on_same_port.said

    on_same_data = start(data=engine.data)
    assert on_same_data.process.wait(60) == 2
    on_same_data.listener.join(10)
    assert on_same_data.said.count("\n") == 1
    assert "ENGINE_DATA" in on_same_data.said


def test_make_run_starts_and_ctrl_c_stops(start: Start) -> None:
    engine = start("make", "run", f"VENV={sys.prefix}")
    engine.wait_for("Ctrl-C\n", START_SECONDS * 2)
    assert engine.is_ready()
    family = engine.family()
    assert len(family) > 6, "make, the supervisor and its parts"
    # What a terminal does: the whole foreground group gets it.
    os.killpg(engine.process.pid, signal.SIGINT)
    engine.process.wait(30)
    wait_until(lambda: not alive(family), 10, lambda: alive(family))
    assert "Stopped." in engine.said


def test_a_command_joins_the_running_database_and_has_its_own_without(start: Start, tmp_path: Path) -> None:
    def count_users() -> str:
        code = "from access.models import User; print('users', User.objects.count())"
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
            cwd=CLONE,
            env=kept
            | {"ENGINE_DATA": str(tmp_path / "data"), "DJANGO_SETTINGS_MODULE": "engine_site.settings"},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    engine = start()
    engine.wait_for("Ctrl-C\n")
    assert count_users() == "users 1"
    assert engine.is_ready(), "the command has left the server running"
    engine.process.terminate()
    assert engine.process.wait(30) == 0
    assert count_users() == "users 1"
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists(), "the command has stopped its own"
