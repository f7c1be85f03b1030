"""The host's client of its zygote: starts it, asks it for flow processes, and hears what becomes of them.

The host uses `Zygote`, the doctor `describe_isolation`. What a flow process may see is decided in
`flow_api.sandbox`.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executions.flow_libraries import FLOW_LIBRARIES, build_shelf

PROJECT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 20.0
SEND_TIMEOUT = 10
STOP_TIMEOUT = 3.0
_BOOT = "import sys; sys.path.append(sys.argv[2]); from flow_api.zygote import main; main()"
_PREFIX = "engine-flow-"


class ZygoteDied(Exception):
    """The zygote is gone, and every flow process with it."""


@dataclass(frozen=True)
class Spawned:
    """A flow process has been forked."""

    key: str
    pid: int


@dataclass(frozen=True)
class Exited:
    """A flow process and all it started are gone. `error` says why one could not be started at all."""

    key: str
    pid: int
    exit_code: int | None
    signal: int | None
    cpu_seconds: float
    max_rss_bytes: int
    error: str | None = None


@dataclass(frozen=True)
class Ready:
    """The zygote forks from now on; `isolation` is what it could build, as (layer, is active, note)."""

    isolation: tuple[tuple[str, bool, str], ...]


Event = Ready | Spawned | Exited


class Zygote:
    """One zygote process, and the sockets to it. Not to be shared between processes."""

    def __init__(
        self,
        libraries: Sequence[str] = FLOW_LIBRARIES,
        directory: Path | None = None,
        hidden: Sequence[Path] = (PROJECT,),
    ) -> None:
        """`directory` is where its folder is made; `hidden` are folders of ours that may lie beneath visible ones."""
        self.isolation: tuple[tuple[str, bool, str], ...] = ()
        self._libraries = libraries
        self._directory = directory
        self._hidden = [path.resolve() for path in hidden]
        self._pids: dict[str, int] = {}
        self._home: Path | None = None
        self._lock: int | None = None
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Will start the process and return when it is ready; raises `ZygoteDied` if it cannot start."""
        parent = self._directory or _default_directory()
        remove_stale_homes(parent)
        self._home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._home.chmod(0o755)
        self._lock = _lock(self._home)
        shelf = build_shelf(self._home / "lib", self._libraries)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT, 0))
        with theirs:
            self._process = subprocess.Popen(
                self._command(theirs.fileno(), shelf),
                env=_environment(self._home),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), self._lock],
                start_new_session=True,  # a Ctrl-C at the terminal is the host's to act on
                cwd="/",
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def _command(self, control: int, shelf: Path) -> list[str]:
        places = {
            "home": str(self._home),
            "shelf": str(shelf),
            "hidden": [str(path) for path in self._hidden],
        }
        config = places | {"control": control, "host_pid": os.getpid()}
        # Not the virtual environment's link to it, which lies in the clone, where flows do not see it.
        interpreter = os.path.realpath(sys.executable)
        return [interpreter, "-I", "-S", "-X", "utf8", "-c", _BOOT, json.dumps(config), str(shelf)]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            select.select([self.fileno()], [], [], max(deadline - time.monotonic(), 0))
            for event in self.read_events():
                if isinstance(event, Ready):
                    self.isolation = event.isolation
                    return
            if time.monotonic() > deadline:
                raise ZygoteDied(f"the zygote was not ready within {START_TIMEOUT:.0f} s")

    @property
    def pid(self) -> int:
        """The process that the host started."""
        assert self._process is not None
        return self._process.pid

    def fileno(self) -> int:
        """Will be readable when there are events."""
        assert self._control is not None
        return self._control.fileno()

    def spawn(
        self, key: str, limits: Mapping[str, int | None], name: str = "", modules: Sequence[str] = ()
    ) -> tuple[socket.socket, int]:
        """Will ask for a flow process and return our ends, non-blocking: its channel, and its raw output to read.

        It has the `modules` of `flow_api.preloading` imported.
        """
        ours, theirs = socket.socketpair()
        output_read, output_write = os.pipe()
        try:
            wanted = {"spawn": key, "limits": dict(limits), "name": name[:200], "modules": list(modules)}
            self._send(wanted, [theirs.fileno(), output_write])
        except BaseException:
            ours.close()
            os.close(output_read)
            raise
        finally:
            theirs.close()
            os.close(output_write)
        ours.setblocking(False)
        os.set_blocking(output_read, False)
        return ours, output_read

    def signal(self, key: str, signum: int) -> None:
        """Will signal the whole process group of a run; one that has ended is passed over."""
        self._send({"kill": key, "signal": int(signum)}, [])

    def _send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        assert self._control is not None
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)
        except (BlockingIOError, ConnectionError) as error:
            raise ZygoteDied(f"the zygote does not listen: {error}") from error

    def read_events(self) -> list[Event]:
        """Will return what has happened since the last time, without waiting; raises `ZygoteDied` at its end."""
        assert self._control is not None
        events: list[Event] = []
        while True:
            try:
                data, ancillary, _, _ = self._control.recvmsg(256 * 1024, 256, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return events
            except ConnectionError:
                data, ancillary = b"", []
            if data:
                events.append(self._event(json.loads(data), ancillary))
            elif events:
                return events  # the end is told by the next call
            else:
                raise ZygoteDied("the zygote has ended")

    def _event(self, message: dict[str, Any], ancillary: Sequence[tuple[int, int, bytes]]) -> Event:
        if "spawned" in message:
            key = message["spawned"]
            self._pids[key] = _sender(ancillary) if message["translated"] else message["pid"]
            return Spawned(key, self._pids[key])
        if "exited" in message:
            key = message.pop("exited")
            return Exited(key, **message | {"pid": self._pids.pop(key, message["pid"])})
        return Ready(
            tuple((str(layer), bool(active), str(note)) for layer, active, note in message["isolation"])
        )

    def close(self) -> None:
        """Will end the zygote with everything that it forked, and remove what it left."""
        if self._control is not None:
            with suppress(OSError):
                self._control.send(b'{"stop": true}')
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self._control = self._process = self._home = self._lock = None


def _sender(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    # The zygote may count processes in a namespace of its own; the kernel translates the number in the
    # credentials.
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int(struct.unpack("iII", data[:12])[0])
    return 0


def _default_directory() -> Path:
    # Not /tmp if it can be helped: flows see the folder by its own path, and /tmp is for what they write themselves.
    default = Path("/var/tmp")
    return default if os.access(default, os.W_OK) else Path(tempfile.gettempdir())


def _environment(home: Path) -> dict[str, str]:
    """The allow-list: nothing else of the host's environment is seen by a flow."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    # Every thread reserves an arena otherwise, and a limit on memory would be met by reservations alone.
    return kept | {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "MALLOC_ARENA_MAX": "2"}


def _lock(home: Path) -> int:
    descriptor = os.open(home / "lock.new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    (home / "lock.new").rename(home / "lock")  # nobody may find it free before it is ours
    return descriptor


def remove_stale_homes(parent: Path) -> None:
    """Will remove what zygotes left that were killed together with their host: the lock of those is free."""
    for home in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(home / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(home, ignore_errors=True)
            finally:
                os.close(descriptor)


def describe_isolation() -> list[tuple[str, bool, str]]:
    """Will start a zygote for a moment and return the layers that this machine allows, as (layer, is active, note)."""
    zygote = Zygote()
    try:
        zygote.start()
        return list(zygote.isolation)
    finally:
        zygote.close()
