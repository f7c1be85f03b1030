"""Log lines on their way out of the database: by number, filtered, as text.

The ear, the execution page and the live sockets read here; writing is in `executions.log`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max, QuerySet

from executions.models import LogLine

PIECE = 500
Line = tuple[int, datetime, str, str, str, Any]  # number, at, level, stream, text, data
_FIELDS = ("number", "at", "level", "stream", "text", "data")


def read_lines(
    execution_id: UUID,
    after: int = 0,
    limit: int = PIECE,
    *,
    level: str = "",
    stream: str = "",
    text: str = "",
) -> list[Line]:
    """Return up to `limit` lines behind number `after`, those that fit the level, stream and text."""
    lines = LogLine.objects.filter(execution_id=execution_id, number__gt=after)
    if level:
        lines = lines.filter(level=level)
    if stream:
        lines = lines.filter(stream=stream)
    if text:
        lines = lines.filter(text__icontains=text)
    return list(lines.order_by("number").values_list(*_FIELDS)[:limit])


def last_number(execution_id: UUID) -> int:
    """Return the number of the last line, 0 when there is none."""
    return last_numbers([execution_id]).get(execution_id, 0)


def last_numbers(ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the last line's number of each of these executions that has any."""
    rows: QuerySet[Any, Any] = LogLine.objects.filter(execution_id__in=list(ids)).order_by()
    return dict(rows.values("execution_id").annotate(last=Max("number")).values_list("execution_id", "last"))


def as_text(execution_id: UUID) -> str:
    """Return the whole log as text, one line each: moment, level, text."""
    lines = (
        LogLine.objects.filter(execution_id=execution_id)
        .order_by("number")
        .values_list("at", "level", "text")
    )
    return "".join(
        f"{at.isoformat(timespec='milliseconds')} {level:<7} {text}\n" for at, level, text in lines.iterator()
    )
