"""Tracebacks as their author wants to read them: the lines of the script, without the frames of this package.

The frame uses it to report an unhandled exception.
"""

from __future__ import annotations

import linecache
import os
import traceback

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep


def remember_source(filename: str, script: str) -> None:
    """Will make tracebacks show the lines of a script that is not a file."""
    linecache.cache[filename] = (len(script), None, script.splitlines(keepends=True), filename)


def describe(error: BaseException, filename: str) -> tuple[str, str, int | None]:
    """Will return the message, the traceback and the script's line of an exception."""
    told = traceback.TracebackException.from_exception(error)
    _trim(told, set())
    message = "".join(told.format_exception_only()).strip().splitlines()
    return (message[-1] if message else type(error).__name__), "".join(told.format()), _line(told, filename)


def _trim(told: traceback.TracebackException | None, seen: set[int]) -> None:
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    told.stack = traceback.StackSummary.from_list(
        [frame for frame in told.stack if not os.path.abspath(frame.filename).startswith(_OURS)]
    )
    _trim(told.__cause__, seen)
    _trim(told.__context__, seen)
    for member in getattr(told, "exceptions", None) or ():
        _trim(member, seen)


def _line(told: traceback.TracebackException, filename: str) -> int | None:
    lines = [frame.lineno for frame in told.stack if frame.filename == filename]
    if lines:
        return lines[-1]
    lineno = getattr(told, "lineno", None)  # of a SyntaxError
    return int(lineno) if lineno and getattr(told, "filename", None) == filename else None
