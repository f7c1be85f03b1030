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
    """What every run may touch; for each a ruleset is made of it that adds the run's own folder."""

    def __init__(self, readable: Iterable[str], writable: Iterable[str]) -> None:
        self.abi = abi()
        self._handled = _ALL_OF_ABI_1
        for version, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
            if self.abi >= version:
                self._handled |= right
        self._rules = [(path, READ) for path in readable]
        self._rules += [(path, READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV) for path in writable]

    def make(self, scratch: str) -> int:
        """Will return the descriptor of a ruleset for a run that owns this folder."""
        scopes = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if self.abi >= 6 else 0
        attributes = (ctypes.c_uint64 * 3)(self._handled, 0, scopes)
        size = ctypes.c_size_t(24 if self.abi >= 6 else 16 if self.abi >= 4 else 8)
        ruleset = kernel.syscall("landlock", _CREATE_RULESET, attributes, size, ctypes.c_uint(0))
        for path, rights in [*self._rules, (scratch, self._handled)]:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                self._allow(ruleset, descriptor, rights)
            finally:
                os.close(descriptor)
        return ruleset

    def _allow(self, ruleset: int, descriptor: int, rights: int) -> None:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights & self._handled, descriptor)
        arguments = (ctypes.c_int(_RULE_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint(0))
        kernel.syscall("landlock", _ADD_RULE, ctypes.c_int(ruleset), *arguments)


def enter(ruleset: int) -> None:
    """Will confine this process and all it starts to a ruleset, for good."""
    kernel.syscall("landlock", _RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
