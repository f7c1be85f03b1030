"""Starts and failures of the last hour, minute by minute: the small chart above the monitor.

Counted at most once in some seconds per audience; a very busy hour that cannot be counted in time shows no chart.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, DateTimeField, Q
from django.db.models.functions import Trunc
from django.utils import timezone

from access.permissions import is_unrestricted, visible
from executions.lifecycle import Status
from executions.models import Execution
from executions.monitor import TooSlow, time_limit
from records.identifiers import first_id_at

MINUTES = 60
_KEPT_SECONDS = 15


@dataclass(frozen=True)
class Minute:
    at: datetime
    starts: int
    failures: int


def last_hour(identity: Any) -> list[Minute] | None:
    """Return the last 60 minutes, oldest first; None when counting them takes too long."""
    key = f"activity:{'all' if is_unrestricted(identity) else identity.pk}"
    known = cache.get(key)
    if known is None:
        try:
            known = _count(identity)
        except TooSlow:
            known = ()
        cache.set(key, known, _KEPT_SECONDS)
    return list(known) or None


def _count(identity: Any) -> tuple[Minute, ...]:
    last = timezone.now().replace(second=0, microsecond=0)
    first = last - timedelta(minutes=MINUTES - 1)
    executions = visible(identity, Execution.objects.alive()).filter(id__gte=first_id_at(first))
    with time_limit(700):
        counted: dict[datetime, Any] = {
            row["minute"]: row
            for row in executions.order_by()
            .values(minute=Trunc("created_at", "minute", output_field=DateTimeField()))
            .annotate(starts=Count("id"), failures=Count("id", filter=Q(status=Status.ENDED_ERROR)))
        }
    minutes = []
    for number in range(MINUTES):
        at = first + timedelta(minutes=number)
        row = counted.get(at, {})
        minutes.append(Minute(at, row.get("starts", 0), row.get("failures", 0)))
    return tuple(minutes)
