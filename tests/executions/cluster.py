"""Real workers for tests: `manage.py worker` processes against the test database, found, stopped and killed by pid.

`Fleet` keeps them between tests; `Worker` is one. Nothing outside our own process trees is ever signalled.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil
from django.conf import settings

from executions.models import Process
from tests.executions.stage import wait_until

PR_SET_PDEATHSIG = 1
ROLES = ("command", "sentinel", "pusher", "monitor", "host", "zygote", "flow")


@dataclass(frozen=True)
class Shape:
    """What a fleet is asked to be."""

    workers: int
    slots: int
    variables: tuple[tuple[str, str], ...]  # more of the environment


class Worker:
    """One `manage.py worker` with all its processes."""

    def __init__(self, url: str, shape: Shape, output: IO[bytes]) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "ENGINE_ROLE": "worker",
            "SLOTS": str(shape.slots),
            "LOG_LEVEL": "INFO",
            "PYTHONUNBUFFERED": "1",
            **dict(shape.variables),
        }
        self.slots = shape.slots
        self.process = subprocess.Popen(
            [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "worker"],
            cwd=settings.BASE_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_die_with_the_tests,
        )
        self.seen: dict[int, float] = {}  # every process that was ever ours: pid and when it was made

    # knowing

    def tree(self) -> list[psutil.Process]:
        """Return the worker's living processes, the command first."""
        try:
            command = psutil.Process(self.process.pid)
            found = [command, *command.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        for each in found:
            with suppress(psutil.NoSuchProcess):
                self.seen[each.pid] = each.create_time()
        return found

    def roles(self) -> dict[str, list[psutil.Process]]:
        """Return the living processes by what they do."""
        by_role: dict[str, list[psutil.Process]] = {role: [] for role in ROLES}
        tree = self.tree()
        parents = {each.pid: _parent(each) for each in tree}
        leases = dict(Process.objects.filter(ended_at=None).values_list("pid", "role"))
        command = self.process.pid
        for each in tree:
            parent = parents[each.pid]
            if each.pid == command:
                by_role["command"].append(each)
            elif parent == command:
                by_role["sentinel"].append(each)
            elif parents.get(parent) == command:
                by_role[{"host": "host", "worker": "pusher"}.get(leases.get(each.pid, ""), "monitor")].append(
                    each
                )
            else:
                by_role["flow" if _is_flow(each) else "zygote"].append(each)
        return by_role

    def pids(self, role: str) -> list[int]:
        return [each.pid for each in self.roles()[role]]

    def host(self) -> Process | None:
        """Return the lease of the host that is at work in this worker, None while there is none."""
        pids = [each.pid for each in self.tree()]
        return (
            Process.objects.filter(role=Process.Role.HOST, pid__in=pids, ended_at=None)
            .order_by("-id")
            .first()
        )

    def is_ready(self) -> bool:
        host = self.host()
        pids = [each.pid for each in self.tree()]
        return (
            host is not None
            and Process.objects.filter(role=Process.Role.WORKER, pid__in=pids, ended_at=None).exists()
        )

    def leftovers(self) -> list[int]:
        """Return those of our processes that live although the command is gone."""
        return [pid for pid, made in self.seen.items() if _is_same(pid, made)]

    # acting

    def kill(self, role: str, signum: int = signal.SIGKILL) -> list[int]:
        """Send a signal to every process of this role; returns their pids."""
        pids = self.pids(role)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signum)
        return pids

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to end in good order and wait; returns its exit code. Kills what does not obey."""
        self.tree()
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(seconds)
        self.kill_all()
        return self.process.wait(10)

    def kill_all(self) -> None:
        """Kill the command and all that is left of its processes, and wait for their end."""
        self.tree()
        if self.process.poll() is None:
            self.process.kill()
        for pid in self.leftovers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        wait_gone(self.leftovers())


class Fleet:
    """Workers that stay from test to test while the same kind is wanted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.workers: list[Worker] = []
        self.shape: Shape | None = None
        self.output = Path(f"/tmp/engine-test-workers-{os.getpid()}.log")

    def have(self, *, workers: int = 1, slots: int = 4, **variables: str) -> list[Worker]:
        """Return this many workers of this kind, ready for work; others are stopped."""
        shape = Shape(workers, slots, tuple(sorted(variables.items())))
        if shape != self.shape or any(worker.process.poll() is not None for worker in self.workers):
            self.stop()
            with self.output.open("ab") as output:
                self.workers = [Worker(self.url, shape, output) for _ in range(workers)]
            self.shape = shape
        wait_until(
            lambda: all(worker.is_ready() for worker in self.workers),
            f"the workers were ready: {self.tail()}",
        )
        return self.workers

    def have_again(self, worker: Worker) -> None:
        """Start a worker whose command was killed again: nobody but us does that."""
        assert self.shape is not None
        worker.process.wait(10)
        wait_until(lambda: not worker.leftovers(), "its processes went with it", 10)
        with self.output.open("ab") as output:
            self.workers[self.workers.index(worker)] = Worker(self.url, self.shape, output)

    def stop(self) -> None:
        """Stop every worker in good order."""
        for worker in self.workers:
            worker.tree()
            if worker.process.poll() is None:
                worker.process.terminate()
        for worker in self.workers:
            worker.stop()
        self.workers, self.shape = [], None

    def tail(self) -> str:
        """Return the last words of the workers, for messages."""
        return self.output.read_text(errors="replace")[-3000:] if self.output.exists() else ""


def _die_with_the_tests() -> None:
    """Get SIGTERM when the process that runs the tests is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


def _is_flow(process: psutil.Process) -> bool:
    """Does it run a script, or something that a script started? Else it is a zygote, or waits to be given a script."""
    try:
        return process.name().startswith("flow:") or "flow_api.zygote" not in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def _is_same(pid: int, made: float) -> bool:
    try:
        process: Any = psutil.Process(pid)
        return process.create_time() == made and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def alive(pid: int) -> bool:
    """Tell whether there is a process with this number that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_gone(pids: list[int], seconds: float = 15.0) -> None:
    """Wait until none of these processes lives."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)
