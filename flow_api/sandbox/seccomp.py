"""Seccomp: the system calls that a flow never needs and that have opened kernels before are refused.

The zygote enters the filter itself, once; every child inherits it at no cost. Mounting is not in the list,
because the zygote mounts the folders of runs: it takes a capability that no flow has, or can get from a
namespace of its own.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from flow_api.sandbox import kernel

# Name: (number on x86_64, number on aarch64); None where there is no such call.
DENIED: dict[str, tuple[int | None, int | None]] = {
    # looking into and steering other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "perf_event_open": (298, 241),
    # mounts, namespaces, roots
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    # large attack surfaces
    "bpf": (321, 280), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # memory and queues that would outlive the process
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191),
    "semop": (65, 193), "msgget": (68, 186), "msgctl": (71, 187), "mq_open": (240, 180),
    # the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "sethostname": (170, 161), "setdomainname": (171, 162), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "personality": (135, 92), "vhangup": (153, 58), "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
}  # fmt: skip

_SOCKET, _CLONE, _CLONE3 = (41, 56, 435) if kernel.IS_X86_64 else (198, 220, 435)
_ARCHITECTURE = 0xC000003E if kernel.IS_X86_64 else 0xC00000B7
_X32_CALLS = 0x40000000
# IPv4, IPv6, and netlink, by which the C library asks for addresses. No AF_UNIX: the engine's own doors are
# of that kind.
_FAMILIES = (2, 10, 16)
_NAMESPACE_FLAGS = 0x7E020000

_SYS_SECCOMP = 317 if kernel.IS_X86_64 else 277
_SET_MODE_FILTER, _FLAG_SPEC_ALLOW = 1, 4

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class Filter:
    """The compiled filter; built once."""

    def __init__(self) -> None:
        if not (kernel.IS_X86_64 or kernel.IS_AARCH64):
            raise OSError(errno.ENOSYS, "no table of system calls for this machine")
        code = _compile()
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._code))

    def enter(self) -> None:
        """Will filter the calls of this process and of all it starts, for good."""
        mode, flags = ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(_FLAG_SPEC_ALLOW)
        kernel.syscall("seccomp", _SYS_SECCOMP, mode, flags, ctypes.byref(self._program))


def _compile() -> bytes:
    column = 0 if kernel.IS_X86_64 else 1
    denied = [numbers[column] for numbers in DENIED.values()]
    code = [_step(_LOAD, _OFFSET_ARCHITECTURE), *_refuse_unless(_JUMP_EQUAL, _ARCHITECTURE, errno.ENOSYS)]
    code += [_step(_LOAD, _OFFSET_NUMBER)]
    if kernel.IS_X86_64:
        code += _refuse_if(_JUMP_GREATER_EQUAL, _X32_CALLS, errno.ENOSYS)
    code += _refuse_if(
        _JUMP_EQUAL, _CLONE3, errno.ENOSYS
    )  # its flags lie in memory; the C library falls back to clone
    for number in denied:
        if number is not None:
            code += _refuse_if(_JUMP_EQUAL, number, errno.EPERM)
    families = [
        _step(_JUMP_EQUAL, family, len(_FAMILIES) - index, 0) for index, family in enumerate(_FAMILIES)
    ]
    families += [_step(_RETURN, _ERRNO | errno.EAFNOSUPPORT), _step(_RETURN, _ALLOW)]
    code += [
        _step(_JUMP_EQUAL, _SOCKET, 0, 1 + len(families)),
        _step(_LOAD, _OFFSET_FIRST_ARGUMENT),
        *families,
    ]
    code += [_step(_JUMP_EQUAL, _CLONE, 0, 3), _step(_LOAD, _OFFSET_FIRST_ARGUMENT)]
    code += [*_refuse_if(_JUMP_ANY_BIT, _NAMESPACE_FLAGS, errno.EPERM), _step(_RETURN, _ALLOW)]
    return b"".join(code)


def _refuse_if(test: int, value: int, error: int) -> list[bytes]:
    return [_step(test, value, 0, 1), _step(_RETURN, _ERRNO | error)]


def _refuse_unless(test: int, value: int, error: int) -> list[bytes]:
    return [_step(test, value, 1, 0), _step(_RETURN, _ERRNO | error)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
