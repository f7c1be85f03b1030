"""The questions of the Execution Live Monitor: its filter, its pages by key, its capped counts.

Views and the live sockets ask here. Every question runs under a time limit: `TooSlow` says to narrow the filter.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from access.permissions import visible
from executions.lifecycle import WAITING, Status
from executions.models import Execution
from executions.snapshots import Row, read_rows
from records.identifiers import first_id_at

PAGE_SIZE = 50
COUNTED = 10_000
MATCHING_AT_MOST = 1_000
TIME_LIMIT_MS = 2_000
GROUPS: dict[str, frozenset[Status]] = {
    "running": frozenset({Status.RUNNING}),
    "waiting": WAITING | {Status.QUEUED, Status.SCHEDULED},
    "paused": frozenset({Status.PAUSED}),
    "success": frozenset({Status.ENDED_SUCCESS}),
    "error": frozenset({Status.ENDED_ERROR}),
    "cancelled": frozenset({Status.ENDED_CANCELLED}),
    "created": frozenset({Status.CREATED}),
}
SINCE = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}


class TooSlow(Exception):
    """The filter matches too little of too much to be answered in time."""


@dataclass(frozen=True)
class MonitorFilter:
    """What the monitor shows. `group` and `is_active` look at the status, which changes; the rest never does."""

    group: str = ""
    is_active: bool = False
    type: str = ""
    project: UUID | None = None
    flow: UUID | None = None
    is_productive: bool | None = None
    text: str = ""
    id: UUID | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    user: UUID | None = None
    roots: bool = False

    def as_q(self) -> Q:
        """Return the filter as a condition, worded so that an index serves it."""
        q = self._status_q()
        exact = {
            "type": self.type or None,
            "project_id": self.project,
            "flow_id": self.flow,
            "is_productive": self.is_productive,
            "id": self.id,
            "created_by_id": self.user,
        }
        q &= Q(**{name: value for name, value in exact.items() if value is not None})
        if self.text:
            q &= Q(name__startswith=self.text)
        # Ids ascend with time, so a range of moments is a range of the primary key.
        if self.from_at:
            q &= Q(id__gte=first_id_at(self.from_at))
        if self.to_at:
            q &= Q(id__lt=first_id_at(self.to_at))
        if self.roots:
            q &= Q(parent=None)
        return q

    def _status_q(self) -> Q:
        if self.is_active:
            return Q(ended_at=None)
        statuses = GROUPS.get(self.group)
        if not statuses:
            return Q()
        if len(statuses) == 1:
            return Q(status=next(iter(statuses)))
        # The partial index over living executions gives them in order; one over several states would not.
        return Q(ended_at=None, status__in=statuses)

    def matches(self, row: Row) -> bool:
        """Tell whether a row is of this filter, its status aside: a row that is shown must hear that it moved on."""
        return (
            (not self.type or row["type"] == self.type)
            and (self.project is None or row["project_id"] == self.project)
            and (self.flow is None or row["flow_id"] == self.flow)
            and (self.is_productive is None or row["is_productive"] == self.is_productive)
            and (self.id is None or row["id"] == self.id)
            and (self.user is None or row["created_by_id"] == self.user)
            and (not self.text or row["name"].startswith(self.text))
            and (self.from_at is None or row["id"] >= first_id_at(self.from_at))
            and (self.to_at is None or row["id"] < first_id_at(self.to_at))
            and (not self.roots or row["parent_id"] is None)
        )


def read_filter(given: Mapping[str, Any], identity: Any) -> MonitorFilter:
    """Return the filter that these URL parameters describe. Raises ValidationError naming the parameter."""
    group = _choice(given, "group", [*GROUPS, "active"])
    text = str(given.get("q") or "").strip()[:128]
    who = str(given.get("who") or "")
    from_at = _day(given, "from")
    since = _choice(given, "since", list(SINCE))
    if since:
        from_at = timezone.now() - SINCE[since]
    to_at = _day(given, "to")
    mode = _choice(given, "mode", ["productive", "dev"])
    return MonitorFilter(
        group="" if group == "active" else group,
        is_active=group == "active",
        type=_choice(given, "type", Execution.Type.values),
        project=_id(given, "project"),
        flow=_id(given, "flow"),
        is_productive=None if not mode else mode == "productive",
        text="" if _is_id(text) else text,
        id=UUID(text) if _is_id(text) else None,
        from_at=from_at,
        to_at=to_at + timedelta(days=1) if to_at else None,  # the day named last is shown whole
        user=identity.pk if who == "me" else _id(given, "who"),
        roots=given.get("view") == "tree",
    )


def _choice(given: Mapping[str, Any], name: str, choices: list[str]) -> str:
    value = str(given.get(name) or "")
    if value and value not in choices:
        raise ValidationError({name: f"There is no {value!r}; there are: {', '.join(choices)}."})
    return value


def _id(given: Mapping[str, Any], name: str) -> UUID | None:
    value = str(given.get(name) or "")
    if not value:
        return None
    if not _is_id(value):
        raise ValidationError({name: f"{value!r} is not an id."})
    return UUID(value)


def _is_id(text: str) -> bool:
    try:
        return len(text) >= 32 and bool(UUID(text))
    except ValueError:
        return False


def _day(given: Mapping[str, Any], name: str) -> datetime | None:
    value = str(given.get(name) or "")
    if not value:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ValidationError({name: f"{value!r} is not a date such as 2030-01-31."}) from None
    if not 1970 <= at.year <= 9000:
        raise ValidationError({name: f"{value!r} lies outside of what can be searched."})
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@contextmanager
def time_limit(milliseconds: int = TIME_LIMIT_MS) -> Iterator[None]:
    """Stop the statements inside after this time, and have them read by indexes. Raises TooSlow."""
    try:
        with transaction.atomic():
            # Every question here has an index; a few parents with very many children would tempt the planner
            # to look for a row's first child through the whole table.
            _set_local(f"{milliseconds}ms", "off")
            yield
            if connection.savepoint_ids:
                _set_local("0", "on")  # inside a larger transaction both would outlive this block
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == "57014":
            raise TooSlow from error
        raise


def _set_local(timeout: str, seqscan: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('enable_seqscan', %s, true)",
            [timeout, seqscan],
        )


def matching(identity: Any, wanted: MonitorFilter) -> "QuerySet[Execution]":
    """Return what the filter shows to this identity, newest first."""
    return visible(identity, Execution.objects.alive()).filter(wanted.as_q()).order_by("-id")


@dataclass(frozen=True)
class Page:
    """Rows, newest first, and the id behind which the older ones begin (None at the end)."""

    rows: list[Row]
    older: UUID | None


def read_page(identity: Any, wanted: MonitorFilter, after: UUID | None = None, size: int = PAGE_SIZE) -> Page:
    """Return the page behind the row `after`. Raises TooSlow."""
    executions = matching(identity, wanted)
    if after is not None:
        executions = executions.filter(id__lt=after)
    with time_limit():
        rows = read_rows(executions[: size + 1], with_children=True)
    return Page(rows[:size], rows[size - 1]["id"] if len(rows) > size else None)


def read_count(identity: Any, wanted: MonitorFilter) -> int:
    """Count what the filter matches, up to COUNTED + 1. Raises TooSlow."""
    with time_limit():
        return matching(identity, wanted).order_by()[: COUNTED + 1].count()


def read_matching_ids(identity: Any, wanted: MonitorFilter) -> list[UUID]:
    """Return the ids of the newest that match, up to MATCHING_AT_MOST. Raises TooSlow."""
    with time_limit():
        return list(matching(identity, wanted).values_list("id", flat=True)[:MATCHING_AT_MOST])


def read_drawn(identity: Any, ids: list[UUID]) -> list[Row]:
    """Return the rows of these executions as a page shows them, newest first."""
    executions = visible(identity, Execution.objects.alive().filter(pk__in=ids)).order_by("-id")
    with time_limit():
        return read_rows(executions, with_children=True)


def read_shown(identity: Any, ids: list[UUID]) -> list[Row]:
    """Return the rows of these executions that the identity may see, also when they lie in the trash."""
    return read_rows(visible(identity, Execution.objects.filter(pk__in=ids)))
