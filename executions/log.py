"""Log lines on their way into the database: numbered here, written in batches, bounded per execution."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from connectors.masking import Masker
from executions.database import fetch, jsonb

MAX_LINES = 50_000
MAX_BYTES = 20_000_000
MAX_LINE = 64_000
LEVELS = ("info", "warning", "error")
STREAMS = ("log", "stdout", "stderr", "engine")


@dataclass(frozen=True, slots=True)
class Line:
    execution_id: UUID
    number: int
    at: datetime
    level: str
    stream: str
    text: str
    data: Any
    seq: int | None = None


class LogCounter:
    """Numbers the lines of one execution, masks secrets in them, and says when it has written enough."""

    def __init__(self, execution_id: UUID, last: int = 0, masker: Masker | None = None) -> None:
        self.execution_id, self.last = execution_id, last
        self.masker = Masker() if masker is None else masker
        self.bytes = 0
        self.dropped = 0

    @property
    def is_full(self) -> bool:
        return self.last >= MAX_LINES or self.bytes >= MAX_BYTES

    def line(
        self, text: str, *, level: Any = "info", stream: Any = "log", data: Any = None, seq: Any = None
    ) -> Line | None:
        """Return the next line, or None (and count it) when the log is full. `seq` is its number in the script."""
        if self.is_full:
            self.dropped += 1
            return None
        text = text.replace("\0", "\ufffd")
        if self.masker:  # before it is cut: half a secret would not be known as one
            text, data = self.masker.text(text), self.masker.value(data)
        if len(text) > MAX_LINE:
            text = text[:MAX_LINE] + " …"
        self.bytes += len(text) + 64
        level = level if level in LEVELS else "info"
        stream = stream if stream in STREAMS else "log"
        return self._next(text, level, stream, data, seq if isinstance(seq, int) else None)

    def closing_line(self) -> Line | None:
        """Return the line that says how much was left out, if anything was."""
        if not self.dropped:
            return None
        words = f"the log was full: {self.dropped:,} further lines were not kept"
        self.dropped = 0
        return self._next(words, "warning", "engine", None)

    def _next(self, text: str, level: str, stream: str, data: Any, seq: int | None = None) -> Line:
        self.last += 1
        return Line(self.execution_id, self.last, timezone.now(), level, stream, text, data, seq)


_INSERT = """
INSERT INTO executions_logline (execution_id, number, at, level, stream, text, data, seq)
SELECT * FROM unnest(%s::uuid[], %s::int[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::jsonb[],
    %s::int[]) AS line(execution_id)
WHERE %s::bigint IS NULL OR EXISTS (SELECT 1 FROM executions_execution e
    WHERE e.id = line.execution_id AND e.host_id = %s::bigint)
ON CONFLICT DO NOTHING
"""


def write_lines(lines: list[Line], host_id: int | None = None) -> None:
    """Store the lines in one statement; with a host given, only those of executions that it still holds."""
    if lines:
        fetch(*lines_as_statement(lines, host_id))


def lines_as_statement(lines: list[Line], host_id: int | None) -> tuple[str, tuple[Any, ...]]:
    """Return what `write_lines` runs, and its parameters, to be sent with others."""
    return _INSERT, (
        [line.execution_id for line in lines],
        [line.number for line in lines],
        [line.at for line in lines],
        [line.level for line in lines],
        [line.stream for line in lines],
        [line.text for line in lines],
        [jsonb(line.data) for line in lines],
        [line.seq for line in lines],
        host_id,
        host_id,
    )
