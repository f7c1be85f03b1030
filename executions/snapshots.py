"""What lists and live sockets show of an execution: one small row with its version.

The monitor, the ear and the pages read rows here, in one statement for any number of them.
"""

from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Right
from django.utils.dateparse import parse_datetime

from executions.lifecycle import Reason, Status
from executions.models import Execution

LINE_LENGTH = 240
_TAIL = 400


class Row(TypedDict, total=False):
    """An execution as a row of a list. `line` says in one line why it waits or how it ended."""

    id: UUID
    version: int
    name: str
    type: str
    status: str
    reason: str
    is_productive: bool
    origin: str
    attempt: int
    project_id: UUID
    project_name: str
    flow_id: UUID | None
    flow_name: str | None
    flow_version: int | None
    parent_id: UUID | None
    parent_name: str | None
    root_id: UUID | None
    created_by_id: UUID | None
    user_name: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    line: str
    until: datetime | None  # the moment that `line` speaks of
    is_stopping: bool
    is_deleted: bool
    has_children: bool


_PLAIN = (
    "id", "version", "name", "type", "status", "reason", "is_productive", "origin", "attempt", "project_id",
    "flow_id", "flow_version", "parent_id", "root_id", "created_by_id", "created_at", "started_at", "ended_at",
)  # fmt: skip
_RAW = ("waiting_for", "cancel_requested_at", "pause_requested_at", "scheduled_for", "deleted_at")


def read_rows(executions: "QuerySet[Execution]", *, with_children: bool = False) -> list[Row]:
    """Return the rows of these executions in their order; `with_children` also tells which have any."""
    return [_row(values) for values in rows_query(executions, with_children=with_children)]


def rows_query(executions: "QuerySet[Execution]", *, with_children: bool = False) -> Any:
    """Return the one statement that `read_rows` asks."""
    fields: dict[str, Any] = {
        "tail": Right("message", _TAIL),
        "project_name": F("project__name"),
        "flow_name": F("flow__name"),
        "parent_name": F("parent__name"),
        "user_name": F("created_by__username"),
    }
    if with_children:
        # Not EXISTS: PostgreSQL would hash the parents of the whole table for it.
        fields["a_child"] = Subquery(Execution.objects.filter(parent=OuterRef("pk")).values("pk")[:1])
    return executions.values(*_PLAIN, *_RAW, **fields)


def _row(values: dict[str, Any]) -> Row:
    row: dict[str, Any] = {name: values[name] for name in _PLAIN}
    for name in ("project_name", "flow_name", "parent_name", "user_name"):
        row[name] = values[name]
    if "a_child" in values:
        row["has_children"] = values["a_child"] is not None
    row["line"], row["until"] = _line(values)
    row["is_stopping"] = values["cancel_requested_at"] is not None and values["ended_at"] is None
    row["is_deleted"] = values["deleted_at"] is not None
    return Row(**row)  # type: ignore[typeddict-item]


def _line(values: dict[str, Any]) -> tuple[str, datetime | None]:
    """Return the words for the row, and the moment they end with, if any."""
    waiting_for = values["waiting_for"] or {}
    if values["cancel_requested_at"] and not values["ended_at"]:
        return "stopping", None
    if values["pause_requested_at"] and not values["ended_at"]:
        return "pauses at its next call", None
    match values["status"]:
        case Status.QUEUED:
            return "for a free slot of a worker", None
        case Status.SCHEDULED:
            return "starts", values["scheduled_for"]
        case Status.SLEEPING:
            until = waiting_for.get("until")
            return "wakes", parse_datetime(until) if isinstance(until, str) else None
        case Status.WAITING_FOR_LOCK:
            return f"for the lock of “{waiting_for.get('setting', '')}”", None
        case Status.WAITING_FOR_DEPENDENCY:
            count = waiting_for.get("count", 1)
            return f"for {count} execution{'' if count == 1 else 's'}", None
        case Status.WAITING_FOR_MESSAGE:
            return f"for an answer to “{waiting_for.get('subject', '')}”", None
    return one_line(values["tail"], values["reason"]), None


def one_line(message: str, reason: str) -> str:
    """Return the line of a message that tells most: of a traceback the last, else the first."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if not lines:
        return Reason(reason).label if reason in Reason.values and reason != Reason.CANCELLED else ""
    return lines[-1 if reason == Reason.RAISED else 0][:LINE_LENGTH]
