"""The broker that django-q2's pusher asks for work: executions first, straight from their own table.

A claimed execution becomes a task made in memory; there is no second place that says what should run. Ordinary
django-q2 tasks go through the inherited ORM queue.
"""

import logging
import select
import time
from typing import Any

import psycopg
from django.db import Error, connection
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.signing import SignedPackage

from executions import doorbell
from executions.announce import READY
from executions.assignments import Assignment
from executions.hosting import claim, queue_due
from executions.lease import Lease
from executions.models import HEARTBEAT_SECONDS, Process
from executions.tasks import run
from executions.timers import run_timers
from records import configuration

logger = logging.getLogger("engine.worker")

POLL_SECONDS = 1.0  # the net under the notifications
_SIDE_WORK_SECONDS = 0.25  # timers and ordinary tasks are looked at no more often than this


class ExecutionBroker(ORM):
    """Claims executions for the host of this cluster, sleeping on LISTEN and on the host's bell."""

    _lease: Lease | None = None
    _side_work_at = 0.0
    _beat_at = 0.0
    _due_in: float | None = None

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """Return tasks as (acknowledgement, signed package), or None after a rest of POLL_SECONDS at most."""
        try:
            return self._dequeue()
        except (
            Error,
            psycopg.Error,
            OSError,
        ) as error:  # Django's of its connection, the driver's of the lease's
            # The database is away. Leave the loop its chance to see the stop event, and try again.
            logger.warning("cannot reach the queue, trying again: %s", str(error).strip().splitlines()[0])
            connection.close()
            self._lease = None
            time.sleep(POLL_SECONDS)
            return None

    def _dequeue(self) -> list[tuple[Any, str]] | None:
        bell = doorbell.doorbell
        if bell is None or not bell.host_id:
            time.sleep(0.02)
            return None
        lease = self._hold_lease()
        bell.hush()
        lease.notes()
        tasks = self._claim(bell.host_id)
        now = time.monotonic()
        has_looked = now >= self._side_work_at
        if has_looked:
            self._side_work_at = now + _SIDE_WORK_SECONDS
            was_queued, due_in = queue_due()
            self._due_in = min((each for each in (due_in, run_timers()) if each is not None), default=None)
            tasks += super().dequeue() or []
            if was_queued and not tasks:  # it must not wait for the next turn
                tasks = self._claim(bell.host_id)
            if self._due_in == 0.0:
                self._side_work_at = now  # more is due
                return tasks or None
        if not tasks:
            rest = POLL_SECONDS if self._due_in is None else min(POLL_SECONDS, self._due_in)
            if not has_looked:  # what woke us may have become due
                rest = min(rest, self._side_work_at - now)
            self._side_work_at = min(self._side_work_at, now + rest)
            select.select([lease.fileno(), bell.fileno()], [], [], rest)
        return tasks or None

    def _claim(self, host_id: int) -> list[tuple[Any, str]]:
        begun_at = time.monotonic()
        given = claim(host_id)
        return [(None, package(given, begun_at))] if given else []

    def leave(self) -> None:
        """End the claimer's lease; called when the worker stops in good order."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _hold_lease(self) -> Lease:
        now = time.monotonic()
        if self._lease is None:
            self._lease = Lease(Process.Role.WORKER, channels=(READY,))
        elif now > self._beat_at and not self._lease.beat():
            self._lease.connection.close()
            self._lease = Lease(Process.Role.WORKER, channels=(READY,))
        if now > self._beat_at:
            self._beat_at = now + HEARTBEAT_SECONDS
            configuration.refresh()
        return self._lease


def package(given: list[Assignment], as_of: float) -> str:
    """Return the signed django-q2 task that hands these executions to the host: one for all of a claim."""
    task = {
        "id": str(given[0].id),
        "name": str(given[0].id),
        "func": run,
        "args": (given, as_of),
        "kwargs": {},
        "started": timezone.now(),
    }
    return SignedPackage.dumps(task)
