"""Why an execution waits, and what would free it: the line under the header of its page.

Asks the queue and the workers; the short words of list rows are in `executions.snapshots`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from access.permissions import visible
from executions.lifecycle import Status
from executions.models import FROZEN_AFTER_SECONDS, Execution, Lock, Process
from executions.pausing import maintenance

_COUNTED_AHEAD = 1_000
_NAMED = 10


@dataclass(frozen=True)
class Why:
    """The reason in words; executions it names, a moment it ends with, and whether a person must act."""

    words: str
    executions: tuple[Execution, ...] = ()
    more: int = 0
    until: datetime | None = None
    is_stuck: bool = False


def why_it_waits(execution: Execution, identity: Any) -> Why | None:
    """Return why the execution does not run right now; None when it runs or has ended."""
    if execution.is_ended:
        return None
    if execution.cancel_requested_at:
        return Why("Its end was asked for; its process is being stopped.")
    if execution.pause_requested_at:
        return Why("It pauses at its next call. The pause was asked for", until=execution.pause_requested_at)
    match execution.status:
        case Status.CREATED:
            return Why("It was only written down. Run starts it.", is_stuck=True)
        case Status.SCHEDULED:
            return Why("It starts", until=execution.scheduled_for)
        case Status.QUEUED:
            return _in_the_queue(execution)
        case Status.SLEEPING:
            return _asleep(execution)
        case Status.WAITING_FOR_DEPENDENCY:
            return _for_executions(execution, identity)
        case Status.WAITING_FOR_MESSAGE:
            return _for_an_answer(execution)
        case Status.WAITING_FOR_LOCK:
            return _for_a_lock(execution, identity)
        case Status.PAUSED:
            return _paused(execution)
    return None


def _asleep(execution: Execution) -> Why:
    until = _moment((execution.waiting_for or {}).get("until"))
    if until and until < timezone.now() and maintenance() is not None:
        return Why("It has slept long enough; it goes on when maintenance ends.", is_stuck=True)
    return Why("It sleeps and wakes", until=until)


def _for_an_answer(execution: Execution) -> Why:
    waiting_for = execution.waiting_for or {}
    until = _moment(waiting_for.get("until"))
    words = f"It waits for an answer to “{waiting_for.get('subject', '')}”"
    return Why(f"{words}, at the latest" if until else f"{words}.", until=until)


def _moment(value: Any) -> datetime | None:
    return parse_datetime(value) if isinstance(value, str) else None


def _paused(execution: Execution) -> Why:
    if execution.attempt == 0:
        return Why("It is paused and has not begun. Resume lets it start.", is_stuck=True)
    return Why(
        "It is paused and takes up no process. Resume lets it go on from its last savepoint.", is_stuck=True
    )


def _in_the_queue(execution: Execution) -> Why:
    found = maintenance()
    if found is not None:
        note = f" ({found.note})" if found.note else ""
        words = f"It is queued, and maintenance is on{note}: no worker takes on executions until it ends. It began"
        return Why(words, until=found.started_at, is_stuck=True)
    fresh = timezone.now() - timedelta(seconds=FROZEN_AFTER_SECONDS)
    hosts = Process.objects.filter(role=Process.Role.HOST, ended_at=None, heartbeat_at__gt=fresh)
    is_connection = execution.script_id is None
    what = "connections" if is_connection else "slots"
    slots = hosts.aggregate(room=Sum(what))["room"] or 0
    if not slots:
        return Why(
            "It is queued, and no worker is alive to take it. Start one with “manage.py worker”.",
            is_stuck=True,
        )
    alike = Execution.objects.filter(script__isnull=is_connection)
    busy = alike.filter(status=Status.RUNNING).count()
    ahead = (
        alike.filter(
            Q(priority__gt=execution.priority)
            | Q(priority=execution.priority, ready_at__lt=execution.ready_at),
            status=Status.QUEUED,
        )[:_COUNTED_AHEAD].count()
        if execution.ready_at
        else 0
    )
    place = "it is next" if ahead == 0 else f"{ahead:,}{'+' if ahead == _COUNTED_AHEAD else ''} ahead of it"
    if busy >= slots:
        return Why(f"It is queued: all {what} of the workers are busy ({busy:,} of {slots:,}); {place}.")
    return Why(f"It is queued: {busy:,} of {slots:,} {what} of the workers are busy; {place}.")


_WHEN = {
    "FIRST_ENDED": "the first of these to end",
    "ALL_SUCCEEDED": "all of these to succeed",
    "ALL_ENDED": "all of these to end",
}


def _for_executions(execution: Execution, identity: Any) -> Why:
    targets = Execution.objects.filter(waiters__waiter=execution)
    counts = targets.aggregate(alive=Count("id", filter=Q(ended_at=None)))
    named = tuple(
        visible(identity, targets.filter(ended_at=None)).only("id", "name", "status").order_by("id")[:_NAMED]
    )
    alive = counts["alive"]
    if not alive and maintenance() is not None:
        return Why("What it waited for has ended; it goes on when maintenance ends.", is_stuck=True)
    if not alive:
        return Why("What it waited for has ended; it goes on as soon as a slot is free.")
    return_when = (execution.waiting_for or {}).get("return_when", "")
    words = (
        f"It waits for {_WHEN.get(return_when, 'these to end')}:" if alive > 1 else "It waits for the end of"
    )
    return Why(words, executions=named, more=alive - len(named))


def _for_a_lock(execution: Execution, identity: Any) -> Why:
    wait = execution.waiting_for or {}
    name = wait["setting"]
    places = Lock.objects.filter(setting_id=wait["setting_id"])
    mine = places.filter(execution=execution).first()
    if mine is None or mine.since:
        return Why(f"The lock of “{name}” is its own; it goes on as soon as a slot is free.")
    ahead = places.filter(since=None, id__lt=mine.pk)[:_COUNTED_AHEAD].count()
    holder = visible(identity, Execution.objects.filter(locks__in=places.exclude(since=None))).first()
    line = f"; {ahead:,} before it in the queue" if ahead else ""
    if holder is None:
        return Why(f"It waits for the lock of “{name}”{line}. An execution that you may not see holds it.")
    return Why(f"It waits for the lock of “{name}”{line}. Its holder is", executions=(holder,))
