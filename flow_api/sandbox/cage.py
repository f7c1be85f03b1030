"""Puts each child of the zygote into its own corner: folder, user, limits, Landlock, seccomp.

The zygote makes one `Cage` at its start, which tries every layer in a child that runs nothing, and then gives a `Slot`
to each run. A layer that worked in the trial and fails later ends the child: a flow never runs with less than reported.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flow_api.sandbox import identity, kernel, landlock, limits, root, seccomp
from flow_api.sandbox.namespaces import Surroundings

SCRATCH_BYTES = 512 * 1024 * 1024

# What a user's own processes may come to when runs cannot be counted one by one.
_SHARED_PROCESSES = 4096


@dataclass
class Slot:
    """The corner of one run: its number, its folder, and its user if it has one of its own."""

    number: int
    scratch: str
    uid: int | None
    scratch_bytes: int = 0  # of the file system mounted there, 0 for a plain folder


class Cage:
    """The corners of one zygote, and which layers hold."""

    def __init__(self, surroundings: Surroundings, home: str, shelf: str, number: int) -> None:
        self._around = surroundings
        self._zygote = os.getpid()
        self._scratch = root.SCRATCH if surroundings.has_root else f"{home}/scratch"
        self._notes: dict[str, str] = {}
        self._uids = range(0)
        self._rules: landlock.Rules | None = None
        self._filter: seccomp.Filter | None = None
        self._free: list[Slot] = []
        self._used: dict[int, Slot] = {}
        self._made = 0
        os.umask(0o022)
        os.makedirs(self._scratch, mode=0o711, exist_ok=True)
        kernel.close_capability_bounds()
        self._prepare(shelf, number)
        self._try_layers(shelf)

    # at the start

    def _prepare(self, shelf: str, number: int) -> None:
        if os.geteuid() != 0:
            self._notes["users"] = "needs to be started as root; runs share one user"
        else:
            self._uids = identity.uid_block(number)
            if not self._uids:
                self._notes["users"] = "this container has no spare user ids"
        try:
            self._rules = landlock.Rules(self._readable(shelf), root.DEVICES)
            self._rules.open()
        except OSError as error:
            self._notes["landlock"] = _reason(error)
        try:
            self._filter = seccomp.Filter()
        except OSError as error:
            self._notes["seccomp"] = _reason(error)

    def _readable(self, shelf: str) -> list[str]:
        if self._around.has_root:
            tops = (f"/{name}" for name in os.listdir("/") if f"/{name}" != root.SCRATCH)
            return [top for top in tops if not os.path.islink(top)]
        paths = [os.path.realpath(path) for path in root.visible_paths()]
        paths += [shelf, *(os.path.realpath(f"{shelf}/{name}") for name in os.listdir(shelf))]
        return [*paths, "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"]

    def _try_layers(self, shelf: str) -> None:
        """Will find out what this machine permits, each layer in a child of its own."""

        def take_user() -> None:
            identity.become(self._uids[0])
            for path in (os.__file__, f"{shelf}/flow_api/__init__.py"):
                with open(path, "rb"):
                    pass

        def take_no_privileges() -> None:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)

        if self._uids and (failure := _try_in_child(take_user)):
            self._uids, self._notes["users"] = (
                range(0),
                f"another user cannot read what flows need: {failure}",
            )
        if self._rules:
            rules = self._rules
            if failure := _try_in_child(
                lambda: (take_no_privileges(), rules.enter(self._scratch, "/proc/self"))
            ):
                self._rules, self._notes["landlock"] = None, failure
        if self._filter:
            if failure := _try_in_child(
                lambda: (take_no_privileges(), self._filter and self._filter.enter())
            ):
                self._filter, self._notes["seccomp"] = None, failure

    def describe(self) -> list[tuple[str, bool, str]]:
        """Will return every layer as (name, is active, note)."""
        around, rules = self._around, self._rules
        missing = around.note or "not permitted here"
        scopes = "" if rules is None or rules.abi >= 6 else ", without scopes for signals and sockets"
        return [
            ("own file system root", around.has_root, "" if around.has_root else missing),
            ("own process namespace", around.has_processes, "" if around.has_processes else missing),
            ("own user per run", bool(self._uids), self._notes.get("users", "")),
            ("no new privileges, no capabilities", True, ""),
            ("landlock", rules is not None, f"ABI {rules.abi}{scopes}" if rules else self._notes["landlock"]),
            ("seccomp", self._filter is not None, self._notes.get("seccomp", "")),
            ("limits", True, "" if self._uids else "processes are counted for all runs together"),
            ("network", False, "open: flows may connect to anything that this machine reaches"),
        ]

    # for each run

    def take(self, limits_of_run: Mapping[str, int | None]) -> Slot:
        """Will return a corner that no other run is in, with an empty folder."""
        slot = self._free.pop() if self._free else self._new_slot()
        size = (limits_of_run.get("scratch_bytes") or SCRATCH_BYTES) if self._around.has_root else 0
        if size != slot.scratch_bytes or not os.path.isdir(slot.scratch):
            self._make_scratch(slot, size)
        self._used[slot.number] = slot
        return slot

    def _new_slot(self) -> Slot:
        number = self._made
        if self._uids and number >= len(self._uids):
            raise OSError(f"all {len(self._uids)} user ids are in use")
        self._made += 1
        return Slot(number, f"{self._scratch}/{number}", self._uids[number] if self._uids else None)

    def _make_scratch(self, slot: Slot, size: int) -> None:
        if slot.scratch_bytes:
            kernel.unmount(slot.scratch)
            slot.scratch_bytes = 0
        os.makedirs(slot.scratch, mode=0o700, exist_ok=True)
        if size:
            owner = slot.uid if slot.uid is not None else os.geteuid()
            options = (
                f"mode=700,uid={owner},gid={owner if slot.uid is not None else os.getegid()},size={size}"
            )
            kernel.mount("tmpfs", slot.scratch, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
            slot.scratch_bytes = size
        elif slot.uid is not None:
            os.chown(slot.scratch, slot.uid, slot.uid)

    def release(self, slot: Slot, leaders: Iterable[int]) -> None:
        """Will end what the run left behind and empty its folder; `leaders` are the processes of the other runs."""
        del self._used[slot.number]
        if slot.uid is not None:
            identity.kill_all_of(slot.uid, is_first_process=self._around.has_processes)
        else:
            identity.kill_strays(self._used, leaders)
        self._empty(slot)
        self._free.append(slot)

    def _empty(self, slot: Slot) -> None:
        if slot.scratch_bytes:
            if os.listdir(slot.scratch) or os.listxattr(slot.scratch):
                kernel.unmount(slot.scratch)  # takes a million files as fast as one
                slot.scratch_bytes = 0
            else:
                os.chmod(slot.scratch, 0o700)
            return
        try:
            os.rmdir(slot.scratch)
        except OSError:
            _remove_in_background(slot.scratch)

    # in the child

    def enter(self, slot: Slot, limits_of_run: Mapping[str, int | None], name: str) -> None:
        """Will confine this process, for good. Raises if anything that was promised cannot be kept."""
        limits.prefer_for_out_of_memory()
        os.chdir(slot.scratch)
        identity.mark(slot.number)
        if slot.uid is None:
            _limit_shared_processes(limits_of_run)
        limits.set_limits(limits_of_run, counts_processes=slot.uid is not None)
        if slot.uid is not None:
            identity.become(slot.uid)
        else:
            kernel.drop_capabilities()
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else its own /proc/self is root's
        kernel.prctl(kernel.PR_SET_NAME, f"flow:{name}".encode()[:15])
        kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != self._zygote:
            raise OSError("the zygote died")
        if self._rules:
            self._rules.enter(slot.scratch, *(() if self._around.has_root else ("/proc/self",)))
        if self._filter:
            self._filter.enter()
        variables = {"HOME": slot.scratch, "TMPDIR": slot.scratch, "PWD": slot.scratch, "USER": "flow"}
        os.environ.update(variables, LOGNAME="flow")


def _limit_shared_processes(limits_of_run: Mapping[str, int | None]) -> None:
    if limits_of_run.get("processes"):
        _, ceiling = resource.getrlimit(resource.RLIMIT_NPROC)
        most = _SHARED_PROCESSES if ceiling == resource.RLIM_INFINITY else min(_SHARED_PROCESSES, ceiling)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _remove_in_background(path: str) -> None:
    aside = f"{path}.old-{time.monotonic_ns()}"
    os.rename(path, aside)
    if os.fork() == 0:
        try:
            os.closerange(3, 65536)
            for folder, _, _ in os.walk(aside):
                with suppress(OSError):
                    os.chmod(folder, 0o700)
            shutil.rmtree(aside, ignore_errors=True)
        finally:
            os._exit(0)


def _try_in_child(attempt: Callable[[], Any]) -> str | None:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            attempt()
            os.write(writable, json.dumps("").encode())
        except OSError as error:
            os.write(writable, json.dumps(_reason(error)).encode())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said) or None if said else "the trial crashed"


def _reason(error: OSError) -> str:
    return str(error.strerror or error)
