"""Where in its script an execution failed: the place a traceback names, with the lines around it. Pure."""

import re
from dataclasses import dataclass

_FRAME = re.compile(r'^\s*File "(?P<file>.*)", line (?P<line>\d+)', re.MULTILINE)
_AROUND = 4


@dataclass(frozen=True)
class ScriptLine:
    number: int
    text: str
    is_marked: bool


def failing_line(message: str, name: str) -> int | None:
    """Return the line of the script `name` that the traceback in `message` names last."""
    lines = [int(match["line"]) for match in _FRAME.finditer(message) if match["file"] == f"{name}.py"]
    return lines[-1] if lines else None


def script_lines(script: str, marked: int | None = None, *, around: int | None = None) -> list[ScriptLine]:
    """Return the numbered lines of a script; with `around`, only so many on each side of the marked one."""
    texts = script.splitlines()
    first, last = 1, len(texts)
    if around is not None and marked is not None:
        first, last = max(1, marked - around), min(last, marked + around)
    return [ScriptLine(number, texts[number - 1], number == marked) for number in range(first, last + 1)]


def excerpt(script: str, marked: int | None) -> list[ScriptLine]:
    """Return the lines around the failing one; none when it is not known or not in the script."""
    if marked is None or not 1 <= marked <= len(script.splitlines()):
        return []
    return script_lines(script, marked, around=_AROUND)
