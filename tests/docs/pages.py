"""Reads the project's own documents for the tests that keep them true."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"(?:<!-- ends: (?P<ends>\w+) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


def page(name: str) -> str:
    return (ROOT / name).read_text()


def flows_of(name: str) -> Iterator[tuple[int, str, str]]:
    """Yield the flows that a page shows: (line, script, the status it is to end with)."""
    text = page(name)
    for found in _BLOCK.finditer(text):
        if "def handler(" in found["code"]:
            line = text.count("\n", 0, found.start("code")) + 1
            yield line, found["code"], found["ends"] or "ENDED_SUCCESS"


def table_after(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table behind this heading, without its first row."""
    lines = text.split(heading, 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows[2:]
