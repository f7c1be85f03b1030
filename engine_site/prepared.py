"""Remembers for which code a data folder was last prepared, so that an unchanged start need not load Django.

`launch.py` asks and tells. Only for the embedded database, which nobody else can have changed meanwhile.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from engine_site.environment import CLONE, Environment

LEFT_OUT = {"__pycache__", "node_modules", "staticfiles", "tests", "docs", "benchmarks"}


def is_prepared(environment: Environment) -> bool:
    """Tell whether everything is in place for exactly this code and these packages."""
    if not environment.uses_embedded_database or not (CLONE / "staticfiles" / ".collected").exists():
        return False
    try:
        return _note(environment).read_text() == _state()
    except FileNotFoundError:
        return False


def remember(environment: Environment) -> None:
    """Note that everything is in place now."""
    _note(environment).write_text(_state())


def forget(environment: Environment) -> None:
    """Note that things are about to change."""
    _note(environment).unlink(missing_ok=True)


def _note(environment: Environment) -> Path:
    return environment.data / "prepared"


def _state() -> str:
    digest = hashlib.sha256(f"{sys.prefix} {sys.version} {CLONE}".encode())
    for path, found in _files(str(CLONE)):
        digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in LEFT_OUT:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                yield entry.path, entry.stat(follow_symlinks=False)
