"""Modules that the zygote imports once a script names them, so that none of its children has to from then on.

The host looks for the names, the zygote imports. Not from the start: every page that is in the zygote's memory makes
every fork and every end of a child slower, by a tenth of a millisecond for each megabyte.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

# By the word that stands for them in a script. asyncio is as large as all else, so it is for its users to import.
_MODULES = {
    "csv": ("csv",),
    "dateutil": ("dateutil.parser", "dateutil.relativedelta"),
    "hmac": ("hmac",),
    "httpx": ("httpx",),
    "logging": ("logging",),
    "pathlib": ("pathlib",),
    "secrets": ("secrets",),
    "subprocess": ("subprocess",),
    "tempfile": ("tempfile",),
    "urllib": ("urllib.parse",),
    "yaml": ("yaml",),
    "zoneinfo": ("zoneinfo",),
}
_WORD = re.compile(rf"\b(?:{'|'.join(_MODULES)})\b")
_TOP = 20_000  # characters of a script, where its imports stand

_tried: set[str] = set()


def named_in(script: str) -> tuple[str, ...]:
    """Will return the words of modules that this script seems to import."""
    return _named_in(script[:_TOP])


@lru_cache(maxsize=256)
def _named_in(top: str) -> tuple[str, ...]:
    return tuple(sorted(set(_WORD.findall(top))))


def preload(words: Iterable[str]) -> bool:
    """Will import what these words stand for, each word once. Tells whether anything was new.

    What cannot be imported is left to the scripts, which hear of it: a script's words must not end the zygote.
    """
    new = set(words) - _tried
    names = [name for word in new for name in _MODULES.get(word, ()) if name not in sys.modules]
    _tried.update(new)
    if names:
        # These name the folder of the last child: nothing that a script put there may be heeded by an import.
        os.environ["HOME"] = "/"
        os.environ.pop("TMPDIR", None)
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)
    return any(name in sys.modules for name in names)
