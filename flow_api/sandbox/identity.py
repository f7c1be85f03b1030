"""A user of its own for each running flow process, when the zygote is root; otherwise no capabilities at all.

`cage` takes the uid on in the child. With it the kernel keeps runs apart, counts their processes one by one,
and can end everything that a run started, wherever it hides.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from flow_api.sandbox import kernel

SLOTS = 4096
# A range that distributions and containers leave unused; each zygote has its own block of it.
_FIRST_UID = 1_900_000_000
_BLOCKS = 48_000

# Nothing in a flow process may use real-time scheduling, so the limit on it can say whose process one is: it
# is inherited, and may be lowered but not raised.
_MARK = resource.RLIMIT_RTTIME
_FIRST_MARK = 1 << 40
_SECONDS_TO_DIE = 2.0


def uid_block(zygote: int) -> range:
    """Will return the uids of a zygote, or an empty range if this user namespace has none to spare."""
    first = _FIRST_UID + (zygote % _BLOCKS) * SLOTS
    with open("/proc/self/uid_map") as mapping:
        spans = [tuple(map(int, line.split())) for line in mapping]
    for start, _, count in spans:
        if start <= first and first + SLOTS <= start + count:
            return range(first, first + SLOTS)
    start, _, count = max(spans, key=lambda span: span[2])
    spare = min(SLOTS, count // 4)  # in a container with few ids: the upper end, where no accounts are
    return range(start + count - spare, start + count) if spare >= 64 else range(0)


def become(uid: int) -> None:
    """Will make this process that user, for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def mark(serial: int) -> tuple[int, tuple[int, int]]:
    """Will return the limit by which a process and all it starts are known to belong to one run."""
    return _MARK, (_FIRST_MARK + serial, _FIRST_MARK + serial)


def kill_all_of(uid: int, *, is_first_process: bool) -> None:
    """Will kill every process of that user at once, so that none can fork away."""
    if not is_first_process:
        _kill_from_child(uid)
        return
    try:
        # Both ids: with the real one still root's, every process of root would be meant. Nobody can answer in kind,
        # because the first process of a namespace is not killed from within it.
        os.setresuid(uid, uid, 0)
        _kill_everyone_permitted()
    finally:
        os.setresuid(0, 0, 0)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))  # a change of user cleared it


def _kill_from_child(uid: int) -> None:
    child = kernel.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        become(uid)
        _kill_everyone_permitted()
    finally:
        os._exit(0)


def _kill_everyone_permitted() -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(-1, signal.SIGKILL)


def bury_strays(is_stray: Callable[[int], bool], leaders: Iterable[int]) -> None:
    """Will kill and reap the orphans that a run left, and return when none is there any more."""
    known = set(leaders)
    deadline = time.monotonic() + _SECONDS_TO_DIE
    while strays := [pid for pid in _children() if pid not in known and is_stray(pid)]:
        for pid in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > deadline:
            return  # stuck in the kernel; what was killed executes nothing again
        time.sleep(0.001)


def belongs_to(uid: int) -> Callable[[int], bool]:
    """Will return the question whether a process is that user's."""
    line = f"\nUid:\t{uid}\t"

    def is_stray(pid: int) -> bool:
        with suppress(OSError), open(f"/proc/{pid}/status") as status:
            return line in status.read(1024)
        return False

    return is_stray


def belongs_to_none(running: Iterable[int]) -> Callable[[int], bool]:
    """Will return the question whether a process carries the mark of a run that is not running."""
    marks = {_FIRST_MARK + serial for serial in running} | {
        resource.RLIM_INFINITY
    }  # infinity: the zygote's own

    def is_stray(pid: int) -> bool:
        with suppress(OSError):
            return resource.prlimit(pid, _MARK)[1] not in marks
        return False

    return is_stray


def _children() -> list[int]:
    try:
        descriptor = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return [int(pid) for pid in os.read(descriptor, 256 * 1024).split()]
    finally:
        os.close(descriptor)
