"""The few system calls that Python does not offer, by ctypes; each raises `OSError` with what was tried.

The other modules of this package call them. There is no policy here.
"""

from __future__ import annotations

import ctypes
import os
import platform

_libc = ctypes.CDLL(None, use_errno=True)
_libc_with_gil = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

IS_X86_64 = platform.machine() == "x86_64"
IS_AARCH64 = platform.machine() in ("aarch64", "arm64")

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME = 1, 4, 15
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 22, 24, 36, 38

_SYS_PIVOT_ROOT = 155 if IS_X86_64 else 41
_SYS_CAPSET = 126 if IS_X86_64 else 91
_SYS_MOUNT_SETATTR = 442
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 63


def syscall(what: str, number: int, *args: object) -> int:
    """Will make a raw system call."""
    result = int(_libc.syscall(ctypes.c_long(number), *args))
    if result < 0:
        _fail(what)
    return result


def fork() -> int:
    """Will fork without Python's own preparations for threads, of which the caller must have only one.

    They exist to mend locks that other threads may hold, and touch several hundred pages, which the child
    would have to copy: more than everything else at its start. What the child still needs of them it does
    itself.
    """
    pid = int(_libc_with_gil.fork())
    if pid < 0:
        _fail("fork")
    return pid


def prctl(option: int, *args: object) -> None:
    """Will set an attribute of this process."""
    padded = [ctypes.c_ulong(arg) if isinstance(arg, int) else arg for arg in (*args, 0, 0, 0, 0)[:4]]
    if _libc.prctl(ctypes.c_int(option), *padded) != 0:
        _fail(f"prctl {option}")


def unshare(flags: int) -> None:
    """Will move this process (with CLONE_NEWPID: its next children) into new namespaces."""
    if _libc.unshare(ctypes.c_int(flags)) != 0:
        _fail("unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Will mount, bind, or change a mount."""
    arguments = (source.encode(), target.encode(), kind.encode() if kind else None)
    if _libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None) != 0:
        _fail(f"mount {target}")


def make_read_only(target: str) -> None:
    """Will make a mount and all below it read-only, without set-uid programs and devices."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    flags = ctypes.c_uint(_AT_RECURSIVE)
    syscall("mount_setattr", _SYS_MOUNT_SETATTR, ctypes.c_int(-100), target.encode(), flags, attributes, size)


def unmount(target: str) -> None:
    """Will take a mount away, even if something still stands in it."""
    if _libc.umount2(target.encode(), ctypes.c_int(MNT_DETACH)) != 0:
        _fail(f"umount {target}")


def pivot_root(new_root: str) -> None:
    """Will make a mount the root of this namespace, and take the old root away."""
    os.chdir(new_root)
    syscall("pivot_root", _SYS_PIVOT_ROOT, b".", b".")
    unmount(".")
    os.chdir("/")


def drop_capabilities() -> None:
    """Will give up every capability of this process."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    syscall("capset", _SYS_CAPSET, header, nothing)


def close_capability_bounds() -> None:
    """Will make sure that no program that is executed from here on can gain a capability."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            return  # past the last one that this kernel knows, or not permitted, and then there are none to bound


def _fail(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}")
