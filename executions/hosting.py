"""What only a host does to executions: claim, park, resume, end; each one short transaction, each fenced.

A host may write to a row only while the row names this host and the attempt it was given. The number of
RUNNING rows of a host never exceeds its slots: whoever adds one locks the host's process row first, unless
another of the host's executions gives up its slot in the same transaction.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from executions import moves
from executions.announce import announce_ready
from executions.database import fetch, from_jsonb, jsonb
from executions.endings import after_end
from executions.lifecycle import Reason, Status
from executions.moves import Moved, Outcome


class LateWrite(Exception):
    """The execution is no longer this host's in this attempt; nothing was written."""


# -- Claim --------------------------------------------------------------------------------------------------

_LOCK_HOST = "SELECT slots FROM executions_process WHERE id = %s AND ended_at IS NULL FOR UPDATE"
_FREE = (
    "LIMIT greatest(0, %(slots)s - (SELECT count(*) FROM executions_execution r"
    " WHERE r.host_id = %(host)s AND r.status = 'RUNNING'))"
)


def claim(host_id: int) -> list[Moved]:
    """Win executions for this host, as many as it has free slots: by priority, then by the time they wait."""
    with transaction.atomic():
        locked = fetch(_LOCK_HOST, (host_id,))
        if not locked:
            return []
        return moves.move(
            "e.host_id IS NULL AND e.cancel_requested_at IS NULL",
            Status.RUNNING,
            {"host": host_id, "slots": locked[0][0]},
            sets=", host_id = %(host)s, attempt = e.attempt + 1",
            tail=f"ORDER BY e.priority DESC, e.ready_at {_FREE} FOR NO KEY UPDATE SKIP LOCKED",
            sources=[Status.QUEUED],
        )


def queue_due(most: int = 500) -> float | None:
    """Queue what has become due; returns the seconds until the next timer, None when there is none."""
    with transaction.atomic():
        moves.move(
            "e.ready_at <= clock_timestamp() AND e.host_id IS NULL",
            Status.QUEUED,
            {"most": most},
            tail="ORDER BY e.ready_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED",
            sources=[Status.SCHEDULED],
        )
    rows = fetch(
        "SELECT extract(epoch FROM min(ready_at) - clock_timestamp())::float8 FROM executions_execution"
        " WHERE status IN ('SCHEDULED', 'SLEEPING') AND ready_at IS NOT NULL AND host_id IS NULL"
    )
    return None if rows[0][0] is None else max(rows[0][0], 0.0)


# -- Take on ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Assignment:
    """What a host needs to run one execution."""

    id: UUID
    attempt: int
    name: str
    type: str
    status: str
    script_id: str
    script: str
    inputs: dict[str, Any] | None
    project_id: UUID
    project_name: str
    parent_id: UUID | None
    is_productive: bool
    created_by_id: UUID | None
    user_name: str | None
    user_email: str | None
    flow_id: UUID | None
    max_runtime_minutes: float | None
    deadline_in: float | None
    cancel_requested: bool


_ASSIGNMENTS = """
SELECT e.id, e.attempt, e.name, e.type, e.status, e.script_id, s.text, e.input_value, e.project_id, p.name,
    e.parent_id, e.is_productive, e.created_by_id, u.username, u.email, e.flow_id, e.max_runtime_minutes,
    extract(epoch FROM e.deadline_at - clock_timestamp())::float8, e.cancel_requested_at IS NOT NULL
FROM executions_execution e JOIN flows_script s ON s.sha256 = e.script_id JOIN projects_project p ON p.id = e.project_id
LEFT JOIN access_user u ON u.id = e.created_by_id
WHERE e.id = ANY(%s) AND e.host_id = %s AND e.status = 'RUNNING'
"""


def assignments(host_id: int, ids: list[UUID]) -> list[Assignment]:
    """Return what is needed to run these executions, for those that this host really holds."""
    rows = fetch(_ASSIGNMENTS, (ids, host_id))
    return [Assignment(*row[:7], from_jsonb(row[7]), *row[8:]) for row in rows]


# -- Park and resume ----------------------------------------------------------------------------------------


def fence(execution_id: UUID, host_id: int, attempt: int) -> None:
    """Lock the execution's row for the caller's transaction. Raises LateWrite when it is not ours any more."""
    held = fetch(
        "SELECT 1 FROM executions_execution WHERE id = %s AND host_id = %s AND attempt = %s AND ended_at IS NULL"
        " FOR NO KEY UPDATE",
        (execution_id, host_id, attempt),
    )
    if not held:
        raise LateWrite


def park(execution_id: UUID, status: Status, waiting_for: dict[str, Any], wake_in: float | None = None) -> None:
    """Take our running execution into a waiting state, in the caller's fenced transaction. It gives up its slot."""
    moved = moves.move(
        "e.id = %(id)s",
        status,
        {"id": execution_id, "waiting_for": jsonb(waiting_for), "wake_in": wake_in},
        sets=(
            ", waiting_for = %(waiting_for)s"
            ", ready_at = clock_timestamp() + %(wake_in)s::float8 * interval '1 second'"
        ),
        sources=[Status.RUNNING],
    )
    if not moved:
        raise LateWrite


_RESUMABLE = "e.id = ANY(%(ids)s) AND e.host_id = %(host)s"


def resume(host_id: int, ids: list[UUID]) -> list[UUID]:
    """Give free slots to these parked executions of ours, in this order; returns those that run again."""
    with transaction.atomic():
        locked = fetch(_LOCK_HOST, (host_id,))
        if not locked:
            raise LateWrite
        moved = moves.move(
            _RESUMABLE,
            Status.RUNNING,
            {"ids": ids, "host": host_id, "slots": locked[0][0]},
            tail=f"ORDER BY e.priority DESC, array_position(%(ids)s::uuid[], e.id) {_FREE} FOR NO KEY UPDATE",
        )
        _forget_waits([row.id for row in moved])
    return [row.id for row in moved]


def _forget_waits(ids: list[UUID]) -> None:
    if ids:
        fetch("DELETE FROM executions_wait WHERE waiter_id = ANY(%s)", (ids,))


def ready_here(host_id: int) -> list[UUID]:
    """Return our parked executions whose wait is over."""
    rows = fetch(
        "SELECT id FROM executions_execution WHERE host_id = %s AND status LIKE 'WAITING%%'"
        " AND ready_at <= clock_timestamp() ORDER BY ready_at",
        (host_id,),
    )
    return [row[0] for row in rows]


def cancelled_here(host_id: int) -> list[UUID]:
    """Return our executions whose end was asked for."""
    rows = fetch(
        "SELECT id FROM executions_execution WHERE host_id = %s AND cancel_requested_at IS NOT NULL", (host_id,)
    )
    return [row[0] for row in rows]


# -- End ----------------------------------------------------------------------------------------------------


def end(host_id: int, ends: list[tuple[UUID, int, Outcome]]) -> tuple[list[UUID], list[UUID]]:
    """End our executions and hand their slots to our own waiters that this fulfils.

    Returns (ended, resumed). What is missing in the first was not ours any more: a late result is refused.
    """
    with transaction.atomic():
        moved = moves.end_hosted(host_id, ends)
        ended = [row.id for row in moved]
        resumed: list[Moved] = []
        if ended:
            ready = [waiter for waiter, host in after_end(ended, here=host_id) if host == host_id]
            freed = sum(row.old == Status.RUNNING for row in moved)
            if ready and freed:
                resumed = moves.move(
                    _RESUMABLE,
                    Status.RUNNING,
                    {"ids": ready, "host": host_id, "freed": freed},
                    tail="ORDER BY e.priority DESC, e.ready_at LIMIT %(freed)s FOR NO KEY UPDATE",
                )
                _forget_waits([row.id for row in resumed])
    return ended, [row.id for row in resumed]


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


def sweep(lock_class: int, frozen_after: float) -> list[UUID]:
    """End the leases of dead and frozen processes and what their hosts ran; returns the executions concerned."""
    with transaction.atomic():
        if not fetch("SELECT pg_try_advisory_xact_lock(%s, 0)", (lock_class,))[0][0]:
            return []  # another host sweeps
        fetch(_DEAD, {"frozen": frozen_after, "class": lock_class})
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
        lost = moves.move(
            orphaned,
            Status.ENDED_ERROR,
            {"words": "host lost: the worker that ran this execution died or was cut off"},
            reason=Reason.HOST_LOST,
            sets=", message = %(words)s",
            tail="ORDER BY e.id FOR NO KEY UPDATE",
        )
        ids = [row.id for row in (*cancelled, *lost)]
        if ids:
            after_end(ids)
            announce_ready()
    return ids
