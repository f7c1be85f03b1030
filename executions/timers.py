"""Executions that the engine carries out itself when their time comes, without a host: schedules without a script.

They sleep until `ready_at`. The workers' claimers then call what apps above offer here (`offer_timer`), which does
what is due, for many at once, and sets the next time (`sleep_until`). Doing that costs no status and no history.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection

from executions.announce import announce
from executions.database import fetch, jsonb

logger = logging.getLogger("engine.worker")

IS_TIMED = "(e.type = 'SCHEDULE' AND e.script_id IS NULL)"  # as `models.TIMED`, on which there are indexes
RETRY_SECONDS = 1.0

# Does what is due; returns the seconds until it wants to be called again.
Timer = Callable[[], float]
_timers: list[Timer] = []


def offer_timer(timer: Timer) -> None:
    """Let the claimer of every worker call this. It is called again and again: it must be quick, or do a part."""
    _timers.append(timer)


def run_timers() -> float | None:
    """Do what is due; returns the seconds until there is more to do, None without any timer."""
    return min(map(_run, _timers), default=None)


def _run(timer: Timer) -> float:
    try:
        return timer()
    except DatabaseError:
        raise  # the claimer begins anew
    except Exception:
        logger.exception("a timer failed; it is tried again")
        if connection.in_atomic_block:
            raise
        return RETRY_SECONDS


_SLEEP = """
UPDATE executions_execution e
SET ready_at = given.ready_at, waiting_for = given.waiting_for, version = e.version + 1
FROM jsonb_to_recordset(%(rows)s) AS given(id uuid, ready_at timestamptz, waiting_for jsonb)
WHERE e.id = given.id AND e.status = 'SLEEPING'
"""


def sleep_until(moments: dict[UUID, tuple[datetime | None, dict[str, Any]]]) -> None:
    """Let these timed executions sleep until then (None: until they are woken); each says what it waits for."""
    if not moments:
        return
    rows = [{"id": key, "ready_at": moment, "waiting_for": waits} for key, (moment, waits) in moments.items()]
    fetch(_SLEEP, {"rows": jsonb(rows)})
    announce(moments)
