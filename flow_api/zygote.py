"""The zygote: a small process that has imported what its flows use, and forks one child per execution.

The host starts it (`executions/zygote.py` is the client) and talks to it over one SOCK_SEQPACKET socket, JSON messages:

host to zygote
    ``{"spawn": key, "limits": {...}, "name": str, "modules": [str, ...]}`` with two descriptors: the run's channel,
    and where its raw output goes; ``{"kill": key, "signal": n}`` for the whole process group of a run;
    ``{"stop": true}``.
zygote to host
    ``{"ready": true, "isolation": [[layer, is_active, note], ...]}`` once; ``{"spawned": key, "pid": n}``;
    ``{"exited": key, "pid": n, "exit_code": n | null, "signal": n | null, "cpu_seconds": f, "max_rss_bytes": n,
    "error": str | null}``. Before it says `exited` it has ended everything that the run left behind.

It holds no secrets, knows no database, runs no code of a script itself, and has one thread, so that forking is safe.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from flow_api import determinism
from flow_api.frame import Frame
from flow_api.preloading import preload
from flow_api.sandbox import kernel, namespaces
from flow_api.sandbox.cage import Cage, Plan, Slot

EXIT_NOT_CONFINED = 72
LENGTH_OF_SHORT_RUN = 3  # milliseconds in which a fork would be in the way of telling that it has ended
CALM_SECONDS = 0.002  # without work for so long, a spare child may spend a millisecond to begin one earlier


@dataclass
class Run:
    """One child, from its fork to its reaping."""

    key: str
    pid: int
    slot: Slot


@dataclass
class Spare:
    """A child that waits, confined and with nothing to do, for what it shall run."""

    pid: int
    slot: Slot
    assignments: socket.socket


class Zygote:
    """Forks children, gives them what they are to run when told, and tells when they are gone.

    One child is forked ahead while there is nothing else to do: a run that is wanted then begins at once.
    """

    def __init__(self, control: socket.socket, cage: Cage, frame: Frame, *, translates: bool) -> None:
        self._control = control
        self._cage = cage
        self._frame = frame
        self._translates = (
            translates  # our numbers of processes mean nothing to the host; the kernel knows both
        )
        self._runs: dict[int, Run] = {}
        self._spare: Spare | None = None
        self._may_have_spare = True
        self._has_just_begun = False
        self._outbox: list[tuple[bytes, list[Any]]] = []
        self._poll = select.poll()
        self._woken, waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        control.setblocking(False)
        self._poll.register(self._woken, select.POLLIN)

    def serve(self) -> None:
        """Will work until the host says stop or is gone."""
        self._tell({"ready": True, "isolation": self._cage.describe()})
        while True:
            self._poll.register(self._control, select.POLLIN | (select.POLLOUT if self._outbox else 0))
            for descriptor, _ in self._poll.poll(self._patience()) or self._idle():
                if descriptor == self._woken:
                    with suppress(BlockingIOError):
                        os.read(self._woken, 4096)
                elif not self._listen():
                    return
            self._reap()
            self._send_outbox()

    def _patience(self) -> int | None:
        """The milliseconds to wait for something to do before a child is forked ahead; None if there is one."""
        if self._spare is not None or not self._may_have_spare:
            return None
        return LENGTH_OF_SHORT_RUN if self._has_just_begun else 0

    def _idle(self) -> tuple[()]:
        self._make_spare()
        return ()

    def end_all(self) -> None:
        """Will kill every run that is left, and all that they started."""
        if self._spare is not None:
            self._dismiss(self._spare)
        runs, self._runs = list(self._runs.values()), {}
        for run in runs:
            _signal_group(run.pid, signal.SIGKILL)
        for run in runs:
            os.waitpid(run.pid, 0)
            self._cage.release(run.slot, ())

    # the host's side

    def _listen(self) -> bool:
        """One message at a time: a host that asks for much must not keep us from burying what has ended."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, 256 * 1024, 2)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        try:
            message: dict[str, Any] = json.loads(data) if data else {"stop": True}
            if "stop" in message:
                return False
            if "spawn" in message:
                self._spawn(message, descriptors)
            elif "kill" in message:
                self._signal(message["kill"], message["signal"])
            return True
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _tell(self, message: dict[str, Any], ancillary: list[Any] | None = None) -> None:
        self._outbox.append((json.dumps(message).encode(), ancillary or []))
        self._send_outbox()

    def _send_outbox(self) -> None:
        # Never blocks: a host that is busy sending to us would wait for us, and we for it.
        while self._outbox:
            try:
                self._control.sendmsg([self._outbox[0][0]], self._outbox[0][1])
            except BlockingIOError:
                return
            except OSError:
                self._outbox.clear()  # the host is gone, which the next read tells
                return
            self._outbox.pop(0)

    # the children's side

    def _spawn(self, message: dict[str, Any], descriptors: list[int]) -> None:
        key, limits = message["spawn"], message["limits"]
        spare, self._spare = self._spare, None
        self._may_have_spare = self._has_just_begun = True
        if preload(message["modules"]):
            _settle()
            if spare is not None:  # which has not got them
                self._dismiss(spare)
                spare = None
        try:
            if spare is not None and not self._cage.fits(spare.slot, limits):
                self._dismiss(spare)
                spare = None
            spare = spare or self._fork(limits)
            self._assign(spare, message, descriptors)
        except (OSError, ValueError) as error:
            if spare is not None:
                self._dismiss(spare)
            self._tell_exited(key, 0, error=f"cannot start a process: {error}")
            return
        self._runs[spare.pid] = Run(key, spare.pid, spare.slot)
        self._tell_spawned(key, spare.pid)

    def _assign(self, spare: Spare, message: dict[str, Any], descriptors: list[int]) -> None:
        channel, output = descriptors
        rlimits = self._cage.rlimits(spare.slot, message["limits"])
        assignment = json.dumps({"rlimits": rlimits, "name": message["name"]}).encode()
        with spare.assignments as assignments:
            socket.send_fds(assignments, [assignment], [channel, output])

    def _fork(self, limits: Mapping[str, int | None]) -> Spare:
        slot = self._cage.take(limits)
        try:
            plan = self._cage.plan(slot)
            ours, theirs = socket.socketpair()
            with theirs:
                pid = kernel.fork()
                if pid == 0:
                    _be_child(theirs, plan, self._frame)
        except OSError:
            self._cage.release(slot, self._runs)
            raise
        return Spare(pid, slot, ours)

    def _make_spare(self) -> None:
        try:
            self._spare = self._fork({})
        except OSError:
            self._may_have_spare = False  # until the next run is wanted, and told why if it still fails

    def _dismiss(self, spare: Spare) -> None:
        spare.assignments.close()
        os.kill(spare.pid, signal.SIGKILL)
        os.waitpid(spare.pid, 0)
        self._cage.release(spare.slot, self._runs)

    def _tell_spawned(self, key: str, pid: int) -> None:
        ancillary = []
        if self._translates:
            credentials = struct.pack("iII", pid, os.getuid(), os.getgid())
            ancillary = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)]
        self._tell({"spawned": key, "pid": pid, "translated": self._translates}, ancillary)

    def _signal(self, key: str, signum: int) -> None:
        for run in self._runs.values():
            if run.key == key:
                _signal_group(run.pid, signum)

    def _reap(self) -> None:
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            run = self._runs.pop(found.si_pid, None)
            if run is not None:
                self._bury(run)
            elif self._spare is not None and self._spare.pid == found.si_pid:
                spare, self._spare, self._may_have_spare = self._spare, None, False
                self._dismiss(spare)
            else:
                os.waitpid(found.si_pid, 0)

    def _bury(self, run: Run) -> None:
        _signal_group(run.pid, signal.SIGKILL)  # its leader is not reaped yet: the number is still its own
        _, status, usage = os.wait4(run.pid, 0)
        self._has_just_begun = False
        self._cage.release(run.slot, self._runs)
        self._tell_exited(run.key, run.pid, status, usage)

    def _tell_exited(
        self,
        key: str,
        pid: int,
        status: int | None = None,
        usage: resource.struct_rusage | None = None,
        error: str | None = None,
    ) -> None:
        has_exited = status is not None and os.WIFEXITED(status)
        was_signalled = status is not None and os.WIFSIGNALED(status)
        self._tell(
            {
                "exited": key,
                "pid": pid,
                "exit_code": os.WEXITSTATUS(status) if status is not None and has_exited else None,
                "signal": os.WTERMSIG(status) if status is not None and was_signalled else None,
                "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 6) if usage else 0.0,
                "max_rss_bytes": usage.ru_maxrss * 1024 if usage else 0,
                "error": error,
            }
        )


def _signal_group(pid: int, signum: int) -> None:
    try:
        os.killpg(pid, signum)
    except ProcessLookupError:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)  # it has not made its group yet
    except PermissionError:
        pass  # only zombies are left of it


def _be_child(assignments: socket.socket, plan: Plan, frame: Frame) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        failure = plan.follow()
        os.closerange(3, assignments.fileno())
        os.closerange(assignments.fileno() + 1, 65536)
        if not select.select([assignments], [], [], CALM_SECONDS)[0]:
            frame.rehearse(1)
        data, descriptors, _, _ = socket.recv_fds(assignments, 64 * 1024, 2)
        if data:
            assignments.close()
            _begin(json.loads(data), descriptors, failure, frame)
    finally:
        os._exit(EXIT_NOT_CONFINED)


def _begin(assignment: dict[str, Any], descriptors: list[int], failure: OSError | None, frame: Frame) -> None:
    channel, output = descriptors
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    try:
        if failure is not None:
            raise failure
        for kind, values in assignment["rlimits"]:
            resource.setrlimit(kind, values)
        kernel.prctl(kernel.PR_SET_NAME, f"flow:{assignment['name']}".encode()[:15])
    except (OSError, ValueError) as error:
        os.write(2, f"the flow process could not be confined, and did not start: {error}\n".encode())
        os._exit(EXIT_NOT_CONFINED)
    frame.run(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, channel))


def _settle() -> None:
    """Will take all that is in memory out of the collector's sight: a child that collected would copy it all."""
    gc.collect()
    gc.freeze()


def main() -> None:
    """Will be the zygote; its one argument is its configuration in JSON."""
    config: dict[str, Any] = json.loads(sys.argv[1])
    number = os.getpid()
    surroundings = namespaces.enter(config["home"], config["shelf"], config["hidden"], config["host_pid"])
    if not surroundings.has_processes:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        namespaces.die_with(config["host_pid"], sys.exit)
    cage = Cage(surroundings, config["home"], config["shelf"], number)
    control = socket.socket(fileno=config["control"])
    determinism.install()
    # A child lets it through once it can act on it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    frame = Frame()
    frame.rehearse()
    zygote = Zygote(control, cage, frame, translates=surroundings.has_processes)
    _settle()
    gc.disable()
    try:
        zygote.serve()
    finally:
        zygote.end_all()
