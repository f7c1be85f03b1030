"""Namespaces of the zygote's own: processes, mounts with a new root, and interprocess memory; once, for all children.

The zygote enters them before it imports anything big. As root they need nothing more; another user needs a
kernel that permits user namespaces. It is tried in a child first, so that a machine that forbids half of it
is not left half done.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import NoReturn

from flow_api.sandbox import kernel, root


class Surroundings:
    """What was entered: `has_root` a root of our own, `has_processes` a process namespace, `has_users` a user one."""

    def __init__(self, note: str = "") -> None:
        self.has_root = self.has_processes = self.has_users = False
        self.note = note


def die_with(parent: int, when_it_died: Callable[[], None]) -> None:
    """Will call back when that parent has died. The kernel tells when a *thread* of it ends, hence the second look."""

    us = os.getpid()

    def look(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == us and os.getppid() != parent:
            when_it_died()

    signal.signal(signal.SIGUSR1, look)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGUSR1))
    look(0, None)


def enter(home: str, shelf: str, hidden: Sequence[str], host: int) -> Surroundings:
    """Will return in the process that is to be the zygote, which may be a child of the one that called."""
    os.makedirs(f"{home}/root", exist_ok=True)
    notes = []
    for with_processes in (True, False):
        attempt = partial(_enter, home, shelf, hidden, with_processes=with_processes)
        failure = _try_in_child(attempt)
        if failure is None:
            return attempt(host=host)
        notes.append(failure)
    return Surroundings(notes[0])


def _enter(
    home: str, shelf: str, hidden: Sequence[str], *, with_processes: bool, host: int | None = None
) -> Surroundings:
    entered = Surroundings()
    if os.geteuid() != 0:
        _enter_user_namespace()
        entered.has_users = True
    if with_processes:
        kernel.unshare(kernel.CLONE_NEWPID)
        child = os.fork()
        if child:
            _stay_behind(child, home, host)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
        entered.has_processes = True
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)
    new_root = f"{home}/root"
    root.build(new_root, shelf, hidden)
    if with_processes:
        options = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
        kernel.mount("proc", f"{new_root}/proc", "proc", options, "hidepid=2")
    else:
        kernel.mount("/proc", f"{new_root}/proc", None, kernel.MS_BIND | kernel.MS_REC)
    kernel.pivot_root(new_root)
    root.close()
    entered.has_root = True
    return entered


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _stay_behind(child: int, home: str, host: int | None) -> NoReturn:
    """Will wait for the first process of the namespace, and end it (and so all others) when the host has died."""

    def end() -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        shutil.rmtree(home, ignore_errors=True)
        os._exit(1)

    status = 1
    try:
        os.closerange(3, 65536)
        if host is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            die_with(host, end)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os._exit(status if status >= 0 else 128 - status)


def _try_in_child(attempt: Callable[[], object]) -> str | None:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            attempt()
            os.write(writable, b"ok")
        except OSError as error:
            os.write(writable, str(error.strerror or error).encode())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as answer:
        said = answer.read().decode(errors="replace")
    os.waitpid(child, 0)
    return None if said == "ok" else said or "the attempt crashed"
