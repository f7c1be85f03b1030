"""Seeing to it that each enabled schedule has its one live execution, and that no other schedule has one.

Begun where there is none: a minute after it ended by error or cancel, at once after a success. Called by the timer of
every worker; one at a time does it.
"""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from executions.database import fetch, transacted
from executions.lease import LOCK_CLASS
from executions.lifecycle import Status
from executions.models import Execution
from executions.snapshots import one_line
from schedules import live
from schedules.models import Schedule
from schedules.policy import END_HAS_COME, ran_enough

RESTART_SECONDS = 60.0  # after an end by error or cancel
_LOCK = (LOCK_CLASS + 1, 0)
_AT_ONCE = 100

# Without a live execution, and the last one ended long enough ago.
_WITHOUT = """
SELECT s.id FROM schedules_schedule s
JOIN projects_project p ON p.id = s.project_id AND p.deleted_at IS NULL
LEFT JOIN executions_execution last ON last.id = s.execution_id
WHERE s.is_enabled AND s.deleted_at IS NULL
AND NOT EXISTS (SELECT 1 FROM executions_maintenance)
AND NOT EXISTS (SELECT 1 FROM executions_execution e
    WHERE e.schedule_id = s.id AND e.type = 'SCHEDULE' AND e.ended_at IS NULL)
AND (last.id IS NULL OR last.ended_at <= clock_timestamp() - interval '1 second'
    * CASE WHEN last.status = 'ENDED_SUCCESS' OR (s.pause_on_failure AND last.status = 'ENDED_ERROR') THEN 1
        ELSE %(rest)s::float8 END)
ORDER BY s.id LIMIT %(most)s FOR NO KEY UPDATE OF s SKIP LOCKED
"""
# With one that they should not have.
_WITH = """
SELECT e.schedule_id FROM executions_execution e
LEFT JOIN schedules_schedule s ON s.id = e.schedule_id
LEFT JOIN projects_project p ON p.id = s.project_id
WHERE e.type = 'SCHEDULE' AND e.ended_at IS NULL AND e.schedule_id IS NOT NULL AND e.cancel_requested_at IS NULL
AND (s.id IS NULL OR NOT s.is_enabled OR s.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL)
LIMIT %(most)s
"""


@transacted
def supervise(rest: float = RESTART_SECONDS) -> None:
    """Begin and end live executions where that is due."""
    if not fetch("SELECT pg_try_advisory_xact_lock(%s, %s)", _LOCK)[0][0]:
        return  # another worker does it
    for (schedule_id,) in fetch(_WITHOUT, {"rest": rest, "most": _AT_ONCE}):
        _begin_again(schedule_id)
    if unwanted := [row[0] for row in fetch(_WITH, {"most": _AT_ONCE})]:
        live.cancel(unwanted)


def _begin_again(schedule_id: UUID) -> None:
    schedule = Schedule.objects.select_related("scheduler", "project", "created_by").get(pk=schedule_id)
    if not schedule.scheduler.built_in:
        _count(schedule)
    words = _over(schedule)
    if not words:
        try:
            with transaction.atomic():
                live.begin(schedule)
        except ValidationError as refused:
            words = f"It could not be begun. {' '.join(refused.messages)}"
    if words:
        live.disable(schedule, words)


def _count(schedule: Schedule) -> None:
    """Count what the last execution of a script did: its success is one iteration, as it starts its flow once."""
    if _last(schedule).filter(status=Status.ENDED_SUCCESS).exists():
        schedule.iterations += 1
        Schedule.objects.filter(pk=schedule.pk).update(iterations=schedule.iterations)


def _over(schedule: Schedule) -> str:
    """Return why the schedule must not be begun again, empty when it may be."""
    if schedule.max_iterations is not None and schedule.iterations >= schedule.max_iterations:
        return ran_enough(schedule)
    if schedule.ends_at is not None and schedule.ends_at <= timezone.now():
        return END_HAS_COME
    failed = _last(schedule).filter(status=Status.ENDED_ERROR)
    if schedule.pause_on_failure and (last := failed.only("message", "reason").first()):
        return f"Its execution failed. {one_line(last.message, last.reason)}"
    return ""


def _last(schedule: Schedule) -> "QuerySet[Execution]":
    return Execution.objects.filter(pk__in=[schedule.execution_id] if schedule.execution_id else [])
