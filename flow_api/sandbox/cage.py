"""Puts each child of the zygote into its own corner: folder, user, limits, Landlock; and the zygote under seccomp.

The zygote makes one `Cage` at its start, which tries every layer in a child that runs nothing, and then gives
a `Slot` to each run. A layer that worked in the trial and fails later ends the child: a flow never runs with
less than reported. All that can be done before the fork is done there, because whatever a child touches it
has to copy first.
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


@dataclass
class Slot:
    """The corner of one run: its number, its folder, and its user if it has one of its own."""

    number: int
    scratch: str
    uid: int | None
    scratch_bytes: int = 0  # of the file system mounted there, 0 for a plain folder
    ruleset: int | None = None  # Landlock's, for this folder as it is now


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
        self._last_wanted: tuple[tuple[str, int | None], ...] | None = None
        self._last_limits: limits.Limits = []
        os.umask(0o022)
        os.makedirs(self._scratch, mode=0o711, exist_ok=True)
        kernel.close_capability_bounds()
        limits.prefer_for_out_of_memory()
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
            devices = ("/dev",) if self._around.has_root else root.DEVICES
            self._rules = landlock.Rules(self._readable(shelf), devices)
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
        return [
            *paths,
            "/proc/cpuinfo",
            "/proc/meminfo",
            "/proc/stat",
        ]  # /proc/self would be the zygote's own

    def _try_layers(self, shelf: str) -> None:
        """Will find out what this machine permits, each layer in a child of its own, and enter what is for all."""

        def take_user() -> None:
            identity.become(self._uids[0])
            for path in (os.__file__, f"{shelf}/flow_api/__init__.py"):
                with open(path, "rb"):
                    pass

        if self._uids and (failure := _try_in_child(take_user)):
            self._uids, self._notes["users"] = (
                range(0),
                f"another user cannot read what flows need: {failure}",
            )
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        if (rules := self._rules) and (
            failure := _try_in_child(lambda: landlock.enter(rules.make(self._scratch)))
        ):
            self._rules, self._notes["landlock"] = None, failure
        if (filter_ := self._filter) and (failure := _try_in_child(filter_.enter)):
            self._filter, self._notes["seccomp"] = None, failure
        if self._filter:
            self._filter.enter()

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
        if not self.fits(slot, limits_of_run) or not os.path.isdir(slot.scratch):
            self._make_scratch(slot, self._scratch_bytes(limits_of_run))
        if self._rules and slot.ruleset is None:
            slot.ruleset = self._rules.make(slot.scratch)
        self._used[slot.number] = slot
        return slot

    def fits(self, slot: Slot, limits_of_run: Mapping[str, int | None]) -> bool:
        """Is the folder of this corner as large as the run may have it?"""
        return slot.scratch_bytes == self._scratch_bytes(limits_of_run)

    def _scratch_bytes(self, limits_of_run: Mapping[str, int | None]) -> int:
        return (limits_of_run.get("scratch_bytes") or SCRATCH_BYTES) if self._around.has_root else 0

    def _new_slot(self) -> Slot:
        number = self._made
        if self._uids and number >= len(self._uids):
            raise OSError(f"all {len(self._uids)} user ids are in use")
        self._made += 1
        return Slot(number, f"{self._scratch}/{number}", self._uids[number] if self._uids else None)

    def _make_scratch(self, slot: Slot, size: int) -> None:
        self._forget_scratch(slot)
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
            identity.bury_strays(identity.belongs_to(slot.uid), leaders)
        else:
            identity.bury_strays(identity.belongs_to_none(self._used), leaders)
        if not _is_untouched(slot.scratch):
            self._forget_scratch(slot)
        self._free.append(slot)

    def _forget_scratch(self, slot: Slot) -> None:
        if slot.ruleset is not None:
            os.close(slot.ruleset)
            slot.ruleset = None
        if slot.scratch_bytes:
            kernel.unmount(slot.scratch)  # takes a million files as fast as one
            slot.scratch_bytes = 0
        elif not self._around.has_root and os.path.lexists(slot.scratch):
            _remove_in_background(slot.scratch)

    def rlimits(self, slot: Slot, limits_of_run: Mapping[str, int | None]) -> limits.Limits:
        """Will return the limits that the process in this corner has to set."""
        wanted = tuple(limits_of_run.items())
        if wanted != self._last_wanted:
            self._last_wanted = wanted
            self._last_limits = limits.rlimits(limits_of_run, counts_processes=slot.uid is not None)
        return self._last_limits

    def plan(self, slot: Slot) -> Plan:
        """Will work out, before the fork, what the child has to do to itself."""
        return Plan(slot, None if self._around.has_processes else self._zygote)


class Plan:
    """What one child does to itself before it hears what it shall run."""

    def __init__(self, slot: Slot, parent: int | None) -> None:
        self._slot = slot
        self._parent = parent  # to die with; None where the first process of the namespace takes all with it
        if os.environ.get("HOME") != slot.scratch:  # a child inherits them
            variables = {"HOME": slot.scratch, "TMPDIR": slot.scratch, "PWD": slot.scratch}
            os.environ.update(variables, USER="flow", LOGNAME="flow")

    def follow(self) -> OSError | None:
        """Will confine this process, for good. Returns what failed: then it must not run anything."""
        try:
            self._confine(self._slot)
        except OSError as error:
            return error
        return None

    def _confine(self, slot: Slot) -> None:
        os.chdir(slot.scratch)
        resource.setrlimit(*identity.mark(slot.number))
        if slot.uid is not None:
            identity.become(slot.uid)
        else:
            kernel.drop_capabilities()
        if self._parent is not None:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, int(signal.SIGKILL))
            if os.getppid() != self._parent:
                raise OSError("the zygote has died")
        if slot.ruleset is not None:
            landlock.enter(slot.ruleset)


def _is_untouched(scratch: str) -> bool:
    try:
        os.chmod(scratch, 0o700)
        return not os.listdir(scratch) and not os.listxattr(scratch)
    except OSError:
        return False


def _remove_in_background(path: str) -> None:
    aside = f"{path}.old-{time.monotonic_ns()}"
    os.rename(path, aside)
    if kernel.fork() == 0:
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
    child = kernel.fork()
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
