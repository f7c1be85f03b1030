"""The numbers on dashboards: executions per day by outcome, and what is alive now.

Days that are over are remembered for minutes, today for seconds: their rows are counted through the id range
of the day, which is the dearest thing a dashboard does.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from access.permissions import is_unrestricted, visible
from executions.lifecycle import Status
from executions.models import Execution
from executions.monitor import GROUPS
from records.identifiers import first_id_at

DAYS = 7
TODAY_SECONDS = 5
PAST_SECONDS = 600
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
    """Return the last seven days, oldest first, of what this person may see."""
    today = (now or timezone.now()).astimezone(timezone.get_fixed_timezone(0)).date()
    rows = visible(identity, Execution.objects.alive())
    if project_id:
        rows = rows.filter(project_id=project_id)
    scope = f"{'all' if is_unrestricted(identity) else identity.pk}:{project_id or ''}"
    return [
        _day(rows, scope, today - timedelta(days=back), is_today=back == 0) for back in reversed(range(DAYS))
    ]


def _day(rows: "QuerySet[Execution]", scope: str, day: date, *, is_today: bool) -> Day:
    name = f"figures:{scope}:{day}"
    found: Day | None = cache.get(name)
    if found is None:
        found = _count_day(rows, day)
        cache.set(name, found, TODAY_SECONDS if is_today or found.alive else PAST_SECONDS)
    return found


def _count_day(rows: "QuerySet[Execution]", day: date) -> Day:
    start = datetime.combine(day, time.min, timezone.get_fixed_timezone(0))
    counted = rows.filter(
        id__gte=first_id_at(start), id__lt=first_id_at(start + timedelta(days=1))
    ).aggregate(
        success=Count("id", filter=Q(status=Status.ENDED_SUCCESS)),
        error=Count("id", filter=Q(status=Status.ENDED_ERROR)),
        cancelled=Count("id", filter=Q(status=Status.ENDED_CANCELLED)),
        alive=Count("id", filter=Q(ended_at=None)),
    )
    return Day(day, **counted)


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
