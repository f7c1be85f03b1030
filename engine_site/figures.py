"""The numbers on dashboards: executions per day by outcome, and what is alive now.

Hours that are over were counted by the housekeeping (`executions.hour_counts`); only the rows of this hour are.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.utils import timezone

from access.permissions import Operation, is_unrestricted, projects_with, visible
from executions.hour_counts import days_of
from executions.lifecycle import Status
from executions.models import Execution, HourCount
from executions.monitor import GROUPS

DAYS = 7
FRESH_SECONDS = 5
COUNTED = 10_000


@dataclass(frozen=True)
class Day:
    """How the executions created on one day (UTC) ended, or that they have not."""

    date: date
    success: int
    error: int
    cancelled: int
    alive: int

    @property
    def total(self) -> int:
        return self.success + self.error + self.cancelled + self.alive


def executions_by_day(
    identity: Any, project_id: UUID | None = None, now: datetime | None = None
) -> list[Day]:
    """Return the last seven days, oldest first, of what this person may see. What was removed since counts, too."""
    today = (now or timezone.now()).astimezone(UTC).date()
    name = f"figures:{'all' if is_unrestricted(identity) else identity.pk}:{project_id or ''}:{today}"
    found: list[Day] | None = cache.get(name)
    if found is None:
        found = _count_days(identity, project_id, today)
        cache.set(name, found, FRESH_SECONDS)
    return found


def _count_days(identity: Any, project_id: UUID | None, today: date) -> list[Day]:
    rows, counts = visible(identity, Execution.objects.all()), HourCount.objects.all()
    projects = projects_with(identity, Operation.READ, Execution)
    if projects is not None:
        counts = counts.filter(project_id__in=projects)
    if project_id:
        rows, counts = rows.filter(project_id=project_id), counts.filter(project_id=project_id)
    first = today - timedelta(days=DAYS - 1)
    numbers = days_of(rows, counts, datetime.combine(first, time.min, UTC))
    return [_day(first + timedelta(days=ahead), numbers) for ahead in range(DAYS)]


def _day(day: date, numbers: dict[date, dict[str, int]]) -> Day:
    of_day = numbers.get(day, {})
    return Day(
        day,
        success=of_day.get(Status.ENDED_SUCCESS, 0),
        error=of_day.get(Status.ENDED_ERROR, 0),
        cancelled=of_day.get(Status.ENDED_CANCELLED, 0),
        alive=of_day.get("", 0),
    )


def alive_now(identity: Any, project_id: UUID | None = None) -> dict[str, str]:
    """Return how many executions run and wait now (in the queue, too), counted to a limit."""
    rows = visible(identity, Execution.objects.alive().filter(ended_at=None))
    if project_id:
        rows = rows.filter(project_id=project_id)
    statuses = list(rows.values_list("status", flat=True)[:COUNTED])
    suffix = "+" if len(statuses) == COUNTED else ""
    groups: dict[str, frozenset[Status]] = {name: GROUPS[name] for name in ("running", "waiting")}
    return {name: f"{sum(status in group for status in statuses)}{suffix}" for name, group in groups.items()}


def success_ratio(days: list[Day]) -> str:
    """Return the share of successes among what ended as success or error, as "98.5 %", or a dash."""
    ended = sum(day.success + day.error for day in days)
    if not ended:
        return "–"
    share = 100 * sum(day.success for day in days) / ended
    # One error among many must not read as 100 %.
    return f"{min(share, 99.9):.1f} %" if share != 100 else "100 %"
