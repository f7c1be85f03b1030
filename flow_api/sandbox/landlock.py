"""Landlock: which files a process and all its descendants may touch; needs no privilege.

`cage` builds one ruleset per child and enters it. Network access is not restricted.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

from flow_api.sandbox import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers everywhere
_RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL_OF_ABI_1 = (1 << 13) - 1
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2

READ = EXECUTE | READ_FILE | READ_DIR
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def abi() -> int:
    """Will return the version that the kernel offers; raises `OSError` if it offers none."""
    return kernel.syscall("landlock", _CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1))


class Rules:
    """The paths that every child may read, opened once; each child adds its own folder."""

    def __init__(self, readable: Iterable[str], writable: Iterable[str]) -> None:
        self.abi = abi()
        self._handled = _ALL_OF_ABI_1
        for version, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
            if self.abi >= version:
                self._handled |= right
        self._rules = [(path, READ) for path in readable]
        self._rules += [(path, READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV) for path in writable]
        self._opened: list[tuple[int, int]] = []

    def open(self) -> None:
        """Will open the paths; descriptors of paths cost nothing in the children, which close them."""
        for path, rights in self._rules:
            self._opened.append((os.open(path, os.O_PATH | os.O_CLOEXEC), rights))

    def enter(self, scratch: str, *readable: str) -> None:
        """Will confine this process, for good, to the common paths, its own folder, and what else it may read."""
        scopes = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if self.abi >= 6 else 0
        attributes = (ctypes.c_uint64 * 3)(self._handled, 0, scopes)
        size = ctypes.c_size_t(24 if self.abi >= 6 else 16 if self.abi >= 4 else 8)
        ruleset = kernel.syscall("landlock", _CREATE_RULESET, attributes, size, ctypes.c_uint(0))
        own = [(path, READ) for path in readable] + [(scratch, self._handled)]
        opened = [(os.open(path, os.O_PATH | os.O_CLOEXEC), rights) for path, rights in own]
        for descriptor, rights in [*self._opened, *opened]:
            self._allow(ruleset, descriptor, rights)
        kernel.syscall("landlock", _RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
        for descriptor in (ruleset, *(descriptor for descriptor, _ in opened)):
            os.close(descriptor)

    def _allow(self, ruleset: int, descriptor: int, rights: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights & self._handled, descriptor)
        arguments = (ctypes.c_int(_RULE_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint(0))
        kernel.syscall("landlock", _ADD_RULE, ctypes.c_int(ruleset), *arguments)
