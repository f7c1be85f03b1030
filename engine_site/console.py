"""What `manage.py up` says: one readable line per event, and the lines of its parts under their names.

The supervisor calls it. With LOG_FORMAT=json its own events are JSON too, and the parts' lines pass untouched.
"""

import json
import os
import sys
from datetime import UTC, datetime
from typing import TextIO

COLOURS = {"engine": "36", "web": "32", "worker": "35"}
WARNING_COLOUR = "33"


class Console:
    """Writes to one stream, in colour when a person looks at it."""

    def __init__(self, log_format: str = "text", stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.is_json = log_format == "json"
        self.is_coloured = self.stream.isatty() and not self.is_json and "NO_COLOR" not in os.environ

    def say(self, message: str, *, warning: bool = False) -> None:
        """Write one event of our own."""
        if self.is_json:
            level = "WARNING" if warning else "INFO"
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = {"at": at, "level": level, "role": "engine", "pid": os.getpid(), "message": message}
            self._write(json.dumps(line))
        else:
            now = datetime.now().strftime("%H:%M:%S")
            text = self._paint(message, WARNING_COLOUR) if warning else message
            self._write(f"{self._label('engine')} {now} {text}")

    def pass_on(self, part: str, line: str) -> None:
        """Write one line of a part's output under its name."""
        self._write(line if self.is_json else f"{self._label(part)} {line}")

    def show_block(self, rows: list[tuple[str, str]]) -> None:
        """Write what a person looks for once everything runs, set apart from the log."""
        if self.is_json:
            self.say("; ".join(f"{name} {value}" for name, value in rows))
            return
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name.ljust(width)}   {self._paint(value, '1')}" for name, value in rows]
        self._write("\n".join(["", *lines, ""]))

    def _label(self, part: str) -> str:
        return self._paint(f"{part:<9}|", COLOURS.get(part.split()[0], "36"))

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.is_coloured else text

    def _write(self, line: str) -> None:
        try:
            self.stream.write(line + "\n")
            self.stream.flush()
        except (BrokenPipeError, ValueError):
            # Whoever read our lines has gone; that is no reason to stop working.
            self.stream = open(os.devnull, "w")  # noqa: SIM115
