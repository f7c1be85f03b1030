"""How many executions of each past hour came to which status: counted once, so that charts need not count rows.

The housekeeping calls `count_closed_hours`; charts call `days_of`. An hour is counted again when fewer of it live
than before. What is removed stays in the figures: see `executions.retention`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, CharField, Count, F, QuerySet, Sum, Value, When
from django.db.models.functions import TruncDate
from django.utils import timezone

from executions.database import fetch
from executions.models import Execution, HourCount
from records.identifiers import first_id_at

KEPT_DAYS = 8
LATE = timedelta(minutes=5)  # whoever was created in an hour is seen by then
JOB = "figures"
_HOUR = timedelta(hours=1)
_LOCK = 0x456E6746  # "EngF": counting and removing do not meet


def lock_figures(*, alone: bool) -> None:
    """Keep what is counted and what is removed apart until the transaction is over: one counts, many remove."""
    shared = "" if alone else "_shared"
    fetch(f"SELECT pg_advisory_xact_lock{shared}(%s)", (_LOCK,))


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


# -- Counting -------------------------------------------------------------------------------------------------

_COUNT = """
WITH there AS (
    SELECT project_id, CASE WHEN ended_at IS NULL THEN '' ELSE status END AS status, count(*) AS number
    FROM executions_execution WHERE id >= %(first)s AND id < %(behind)s GROUP BY 1, 2
), gone AS (
    UPDATE executions_hourcount h SET counted = 0 WHERE hour = %(hour)s AND counted > 0
    AND NOT EXISTS (SELECT 1 FROM there t WHERE t.project_id = h.project_id AND t.status = h.status)
)
INSERT INTO executions_hourcount (project_id, hour, status, counted, removed)
SELECT project_id, %(hour)s, status, number, 0 FROM there
ON CONFLICT (project_id, hour, status) DO UPDATE SET counted = excluded.counted
"""
_ALIVE = """
SELECT date_trunc('hour', created_at, 'UTC'), count(*) FROM executions_execution
WHERE ended_at IS NULL AND id >= %s AND id < %s GROUP BY 1
"""


def count_closed_hours(now: datetime | None = None) -> int:
    """Count the hours that are over and not counted yet, or whose living have changed; returns how many that were."""
    now = now or timezone.now()
    this_hour, oldest = hour_of(now), hour_of(now - timedelta(days=KEPT_DAYS))
    counted_until = counted_up_to() or oldest
    hours = _from(max(counted_until, oldest), this_hour) | _with_fewer_alive(oldest, this_hour)
    for hour in sorted(hours):
        with transaction.atomic():
            lock_figures(alone=True)
            bounds = {"first": first_id_at(hour), "behind": first_id_at(hour + _HOUR)}
            fetch(_COUNT, {"hour": hour, **bounds})
    HourCount.objects.filter(hour__lt=oldest).delete()
    return len(hours)


def counted_up_to() -> datetime | None:
    """Return the hour up to which all are counted; None when none is."""
    rows = fetch("SELECT ran_at FROM executions_housework WHERE name = %s AND ran_at IS NOT NULL", (JOB,))
    return hour_of(rows[0][0] - LATE) if rows else None


def _from(start: datetime, end: datetime) -> set[datetime]:
    return {start + number * _HOUR for number in range(max(0, int((end - start) / _HOUR)))}


def _with_fewer_alive(oldest: datetime, behind: datetime) -> set[datetime]:
    stored: dict[datetime, int] = dict(
        HourCount.objects.filter(status="", hour__gte=oldest, counted__gt=0)
        .values_list("hour")
        .annotate(number=Sum("counted"))
        .order_by()
    )
    alive: dict[Any, int] = dict(fetch(_ALIVE, (first_id_at(oldest), first_id_at(behind)))) if stored else {}
    return {hour for hour, number in stored.items() if alive.get(hour, 0) != number}


# -- Reading --------------------------------------------------------------------------------------------------


def days_of(
    executions: "QuerySet[Execution]", counts: "QuerySet[HourCount]", start: datetime
) -> dict[Any, dict[str, int]]:
    """Return by day (UTC) and status how many there were since `start`; the status of the living is empty.

    `executions` and `counts` are those that the asking person may see. Only hours that are not counted yet are
    counted from the rows.
    """
    known_until = max(counted_up_to() or start, start)
    stored = counts.filter(hour__gte=start).annotate(
        day=TruncDate("hour", tzinfo=UTC),
        number=Case(When(hour__lt=known_until, then=F("counted") + F("removed")), default=F("removed")),
    )
    status = Case(When(ended_at=None, then=Value("")), default=F("status"), output_field=CharField())
    fresh = executions.filter(id__gte=first_id_at(known_until)).annotate(
        day=TruncDate("created_at", tzinfo=UTC), outcome=status
    )
    days: dict[Any, dict[str, int]] = {}
    found = [
        *stored.values_list("day", "status").annotate(Sum("number")).order_by(),
        *fresh.values_list("day", "outcome").annotate(Count("id")).order_by(),
    ]
    for day, word, number in found:
        of_day = days.setdefault(day, {})
        of_day[word] = of_day.get(word, 0) + number
    return days
