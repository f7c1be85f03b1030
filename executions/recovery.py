"""What becomes of executions whose process crashed or whose host was lost: they go on, unless they failed too often."""

import logging
from typing import Any
from uuid import UUID

from executions import moves
from executions.announce import announce_ready
from executions.database import fetch, transacted
from executions.endings import after_end, sweep_others
from executions.hosting import let_go
from executions.lifecycle import Reason, Status

logger = logging.getLogger("engine.host")

MAX_CRASHES = 3  # of the flow process, without a savepoint in between
MAX_LOSSES = 10  # of its host, without a savepoint in between: seldom the execution's own doing

_PROGRESSED = (
    "EXISTS (SELECT 1 FROM executions_savepoint s WHERE s.execution_id = e.id AND s.attempt = e.attempt)"
)


def _try_again(
    condition: str, params: dict[str, Any], *, count: str, most: int, reason: Reason, cause: str
) -> tuple[list[UUID], list[UUID]]:
    """Queue executions whose process is gone, or end those that were tried too often without progress.

    Returns (ended, queued).
    """
    failed = f"CASE WHEN {_PROGRESSED} THEN 1 ELSE e.{count} + 1 END"
    cause_params = {**params, "most": most, "cause": cause}
    exhausted = moves.move(
        f"{condition} AND {failed} >= %(most)s",
        Status.ENDED_ERROR,
        cause_params,
        reason=Reason.ATTEMPTS_EXHAUSTED,
        sets=(
            f", {count} = %(most)s, message = 'attempts exhausted: it failed ' || %(most)s::text"
            " || ' times without progress; at last: ' || %(cause)s::text"
        ),
        sources=[Status.RUNNING],
    )
    queued = moves.move(
        condition,
        Status.QUEUED,
        params,
        reason=reason,
        sets=f", host_id = NULL, {count} = {failed}",
        sources=[Status.RUNNING],
    )
    return [row.id for row in exhausted], [row.id for row in queued]


@transacted
def crashed(host_id: int, execution_id: UUID, attempt: int, cause: str) -> list[UUID]:
    """Queue an execution of ours whose process died without a report, up to MAX_CRASHES times; then it ends.

    Returns our parked executions that may go on, if it ended.
    """
    condition = "e.id = %(id)s AND e.host_id = %(host)s AND e.attempt = %(attempt)s"
    params = {"id": execution_id, "host": host_id, "attempt": attempt}
    ended, _ = _try_again(
        condition, params, count="crashes", most=MAX_CRASHES, reason=Reason.CRASHED, cause=cause
    )
    woken = after_end(ended, here=host_id) if ended else []
    let_go(condition, params)
    announce_ready()
    return [waiter for waiter, host in woken if host == host_id]


# -- Sweep --------------------------------------------------------------------------------------------------

_DEAD = """
UPDATE executions_process p SET ended_at = clock_timestamp()
WHERE p.ended_at IS NULL AND (
    p.heartbeat_at < clock_timestamp() - %(frozen)s * interval '1 second'
    OR NOT EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid = %(class)s AND l.objid = p.id::bigint))
RETURNING p.id, p.role
"""


@transacted
def sweep(lock_class: int, frozen_after: float) -> list[UUID]:
    """End the leases of dead and frozen processes, queue what their hosts ran, end what is over its time.

    Returns the executions that ended by it.
    """
    if not fetch("SELECT pg_try_advisory_xact_lock(%s, 0)", (lock_class,))[0][0]:
        return []  # another host sweeps
    for process_id, role in fetch(_DEAD, {"frozen": frozen_after, "class": lock_class}):
        logger.warning("%s %s is gone; what it ran goes on elsewhere", role, process_id)
    orphaned = (
        "e.host_id IS NOT NULL AND EXISTS (SELECT 1 FROM executions_process p"
        " WHERE p.id = e.host_id AND p.ended_at IS NOT NULL)"
    )
    cancelled = moves.move(
        orphaned + " AND e.cancel_requested_at IS NOT NULL",
        Status.ENDED_CANCELLED,
        {},
        reason=Reason.CANCELLED,
        tail="ORDER BY e.id FOR NO KEY UPDATE",
    )
    exhausted, queued = _try_again(
        orphaned,
        {},
        count="losses",
        most=MAX_LOSSES,
        reason=Reason.HOST_LOST,
        cause="its worker was lost",
    )
    dropped = let_go(orphaned, {})
    late = moves.move(
        "e.deadline_at < clock_timestamp() AND e.ended_at IS NULL AND e.host_id IS NULL",
        Status.ENDED_ERROR,
        {},
        reason=Reason.TIMEOUT,
        sets=", message = 'timed out: it ran longer than its limit of ' || e.max_runtime_minutes || ' minutes'",
        tail="ORDER BY e.id FOR NO KEY UPDATE",
    )
    ids = [*(row.id for row in (*cancelled, *late)), *exhausted]
    if ids:
        after_end(ids)
    if queued or dropped:
        announce_ready()
    sweep_others()
    return ids
