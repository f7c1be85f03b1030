"""The file system that flows see: a new root that holds only what is put there, all of it read-only.

`namespaces` builds it once, in the zygote's own mount namespace, and turns to it. What is not listed here
(the engine's code and data, home folders, other programs' sockets) does not exist for a flow.
"""

from __future__ import annotations

import glob
import os
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress

from flow_api.sandbox import kernel

SCRATCH = "/scratch"

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "gai.conf", "group", "host.conf",
    "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "passwd", "pki",
    "protocols", "resolv.conf", "services", "ssl", "timezone",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def visible_paths() -> list[str]:
    """Will return the system's and the interpreter's paths that flows may read."""
    paths = [path for path in _SYSTEM if os.path.exists(path)]
    paths += [f"/etc/{name}" for name in _ETC if os.path.exists(f"/etc/{name}")]
    prefix = os.path.realpath(sys.base_prefix)
    if not is_beneath(prefix, _SYSTEM):
        paths.append("/nix/store" if prefix.startswith("/nix/store/") else prefix)
    return paths + [path for path in _loaded_libraries() if not is_beneath(path, paths)]


def is_beneath(path: str, tops: Iterable[str]) -> bool:
    """Does this path lie in one of these?"""
    return any(path == top or path.startswith(top.rstrip("/") + "/") for top in tops)


def build(new_root: str, shelf: str, hidden: Iterable[str]) -> None:
    """Will mount the new root on an empty folder. Needs a mount namespace of our own."""
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_SLAVE)
    kernel.mount("tmpfs", new_root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=16m")
    entries: list[tuple[str, str | None]] = [(path, path) for path in visible_paths()]
    entries += [(f"{shelf}/{name}", os.path.realpath(f"{shelf}/{name}")) for name in os.listdir(shelf)]
    entries += [(path, None) for path in _packages_of_interpreter()]
    entries += [(path, None) for path in hidden]
    shown = [path for path, source in entries if source]
    for path, source in sorted(entries, key=lambda entry: entry[0].count("/")):
        if source is None:
            if is_beneath(path, shown):
                _hide(new_root + path)
        else:
            _show(source, new_root + path)
    _add_devices(new_root)
    for folder in ("/proc", SCRATCH):
        os.mkdir(new_root + folder, 0o755)
    if not os.path.lexists(f"{new_root}/tmp"):
        os.symlink("/proc/self/cwd", f"{new_root}/tmp")  # for programs that do not ask TMPDIR


def close() -> None:
    """Will make the root itself read-only, once everything is in its place."""
    kernel.mount("tmpfs", SCRATCH, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=711,size=1m")
    kernel.mount("none", "/", None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID)


def _show(source: str, target: str) -> None:
    if os.path.islink(source) and os.path.dirname(source) == "/":  # /bin, /lib and their like
        os.symlink(os.readlink(source), target)
        return
    source = os.path.realpath(source)
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
    kernel.make_read_only(target)


def _hide(target: str) -> None:
    if os.path.isdir(target):
        kernel.mount("tmpfs", target, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=1m")


def _add_devices(new_root: str) -> None:
    os.mkdir(f"{new_root}/dev", 0o755)
    for device in DEVICES:
        os.close(os.open(new_root + device, os.O_CREAT | os.O_WRONLY, 0o666))
        kernel.mount(device, new_root + device, None, kernel.MS_BIND)
    # Semaphores and shared memory go to /dev/shm: to each run's own folder, which is where it begins.
    links = {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "shm": "cwd"}
    for name, target in links.items():
        os.symlink(f"/proc/self/{target}", f"{new_root}/dev/{name}")


def _packages_of_interpreter() -> list[str]:
    # Where the engine may be installed without a virtual environment. The distribution's own packages stay:
    # its programs need them, and nothing of ours is there.
    names = {"base": sys.base_prefix, "platbase": sys.base_prefix}
    found = {sysconfig.get_path(kind, vars=names) for kind in ("purelib", "platlib")}
    found |= {f"{sys.base_prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"}
    found |= set(glob.glob("/usr/local/lib/python3*/*-packages"))
    return sorted(
        os.path.realpath(path) for path in found if path and not path.startswith("/usr/lib/python3/")
    )


def _loaded_libraries() -> list[str]:
    found: set[str] = set()
    with suppress(OSError), open("/proc/self/maps") as maps:
        found = {line.split(None, 5)[-1].strip() for line in maps if "/" in line}
    return sorted(path for path in found if path.startswith("/") and os.path.isfile(path))
