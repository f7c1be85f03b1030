"""Child processes: one part of a running Engine, how long its restart waits, and that it dies with its parent.

The supervisor starts parts and looks after them; the embedded PostgreSQL is tied to its parent here, too.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from engine_site.environment import CLONE

PR_SET_PDEATHSIG = 1
GATE = "ENGINE_GATE"  # names the pipe whose end a part waits for before it uses the database
FIRST_BACK_OFF_SECONDS = 0.1
LONGEST_BACK_OFF_SECONDS = 10.0
CALM_SECONDS = 60.0  # a part that ran this long has recovered
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int, order: int) -> Callable[[], None]:
    """Return what a child runs before its program: it will get this signal when its parent dies."""

    def arrange() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, order, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


@dataclass
class BackOff:
    """How long to wait before the next restart: ever longer, until a calm time has passed."""

    seconds: float = 0.0
    restarted_at: float = field(default_factory=time.monotonic)

    def next_wait(self) -> float:
        """Return the seconds to wait now."""
        if time.monotonic() - self.restarted_at > CALM_SECONDS:
            self.seconds = 0.0
        self.seconds = min(LONGEST_BACK_OFF_SECONDS, max(FIRST_BACK_OFF_SECONDS, self.seconds * 2))
        self.restarted_at = time.monotonic() + self.seconds
        return self.seconds


@dataclass
class Part:
    """One process of ours, how to start it, and how it fares."""

    name: str
    command: list[str]
    variables: dict[str, str]
    sockets: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    start_at: float | None = None
    back_off: BackOff = field(default_factory=BackOff)
    unfinished_line: bytes = b""

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process; it dies with us, however we die."""
        self.start_at = None
        self.process = subprocess.Popen(
            self.command,
            cwd=CLONE,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.sockets,
            # Ctrl-C in the terminal reaches us alone, and we stop the parts in order.
            start_new_session=True,
            preexec_fn=die_with(os.getpid(), signal.SIGKILL),
        )

    def send(self, order: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(order)


def describe_end(code: int) -> str:
    """Say in words how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
