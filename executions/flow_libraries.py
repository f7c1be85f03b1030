"""Which installed packages flows may import, laid out on a shelf of links that is all they see of the environment.

`executions.zygote` builds the shelf. What is not on it (Django, database drivers, our apps) cannot be
imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import flow_api

FLOW_LIBRARIES = ("PyYAML", "httpx", "python-dateutil")


def build_shelf(shelf: Path, libraries: Iterable[str]) -> Path:
    """Will fill a new folder with links to flow_api and to the libraries and what they need."""
    shelf.mkdir(mode=0o755)
    (shelf / "flow_api").symlink_to(Path(flow_api.__file__).resolve().parent)
    for distribution in _with_requirements(libraries).values():
        for entry in _top_entries(distribution):
            source = Path(str(distribution.locate_file(entry))).resolve()
            link = shelf / entry
            if source.exists() and not link.is_symlink():
                link.symlink_to(source)
    return shelf


def _with_requirements(names: Iterable[str]) -> dict[str, metadata.Distribution]:
    found: dict[str, metadata.Distribution] = {}
    wanted = list(names)
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # a requirement of another platform
        wanted += _requirements(found[name])
    return found


def _requirements(distribution: metadata.Distribution) -> Iterator[str]:
    for requirement in distribution.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name and "extra ==" not in requirement:
            yield name.group()


def _top_entries(distribution: metadata.Distribution) -> set[str]:
    tops = {path.parts[0] for path in distribution.files or () if path.parts}
    return {top for top in tops if top not in ("..", "__pycache__", "/")}
