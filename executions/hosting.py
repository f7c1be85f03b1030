"""What only a host does to executions: claim, park, resume, put down; each one short transaction, each fenced.

A host may write to a row only while the row names this host and the attempt it was given. The number of
RUNNING rows of a host with a process never exceeds its slots, and of those that it carries out without one
(connections: no script) its connections: whoever adds one locks the host's process row first, unless another of
the host's executions gives up its place in the same transaction. How they end is in `end_writing`, and what becomes of
those that crashed or lost their host in `recovery`.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from executions import moves
from executions.announce import announce_ready
from executions.assignments import ASSIGNMENTS, Assignment, assigned
from executions.database import NOT_DURABLE, fetch, jsonb, together, transacted
from executions.lifecycle import DUE, WAITING, Reason, Status
from executions.timers import IS_TIMED


class LateWrite(Exception):
    """The execution is no longer this host's in this attempt; nothing was written."""


# -- Claim --------------------------------------------------------------------------------------------------

NO_MAINTENANCE = " AND NOT EXISTS (SELECT 1 FROM executions_maintenance)"
LOCK_HOST = "SELECT id FROM executions_process WHERE id = %s AND ended_at IS NULL FOR UPDATE"
# Without a lease there is no room.
_ROOM = (
    "greatest(0, (SELECT {room} FROM executions_process WHERE id = %(host)s AND ended_at IS NULL)"
    " - (SELECT count(*) FROM executions_execution r WHERE r.host_id = %(host)s AND r.status = 'RUNNING'"
    " AND r.script_id IS {kind}))"
)
FREE = _ROOM.format(room="slots", kind="NOT NULL")
FREE_CONNECTIONS = _ROOM.format(room="connections", kind="NULL")
_NEXT = "ORDER BY e.priority DESC, e.ready_at LIMIT {} FOR NO KEY UPDATE SKIP LOCKED"
# What is left of a wait that is over would hold up the next one.
FORGET_WAITS = ", forgotten AS (DELETE FROM executions_wait w USING moved WHERE w.waiter_id = moved.id)"


def claim(host_id: int) -> list[Assignment]:
    """Win executions for this host, as many as it has room for: by priority, then by the time they wait.

    The host tells others when it takes them on.
    """
    claims = claim_as_statement(host_id, FREE, FREE_CONNECTIONS)
    # On the disk it is with the first that is written of the execution. What is lost before that was not begun, as
    # far as anybody can tell, and its host is lost as well.
    return assigned(together([NOT_DURABLE, (LOCK_HOST, (host_id,)), claims])[2])


def claim_as_statement(
    host_id: int, slots: str, connections: str, most: int | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the statement that claims the next of both queues; its rows are for `assigned`.

    `slots` and `connections` are SQL: how many of each, which may be "%(most)s".
    """
    queued = "e.host_id IS NULL" + NO_MAINTENANCE + " AND e.script_id IS "
    return moves.as_statement(
        queued + "NOT NULL",
        Status.RUNNING,
        {"host": host_id, "most": most},
        sets=", host_id = %(host)s, attempt = e.attempt + 1",
        tail=_NEXT.format(slots),
        also=(queued + "NULL", _NEXT.format(connections)),
        sources=[Status.QUEUED],
        then=FORGET_WAITS,
        returns=ASSIGNMENTS.format(rows="moved"),
    )


def lock_host(host_id: int) -> bool:
    """Lock this host's process row for the caller's transaction; False when its lease has ended.

    The RUNNING rows are counted in a later statement: only that one sees what the claimer took meanwhile.
    """
    return bool(fetch(LOCK_HOST, (host_id,)))


def queue_due(most: int = 500) -> tuple[bool, float | None]:
    """Queue what has become due. Returns whether anything was, and the seconds until the next timer, None without."""
    move = moves.as_statement(
        f"e.ready_at <= clock_timestamp() AND e.host_id IS NULL AND NOT {IS_TIMED}",
        Status.QUEUED,
        {"most": most},
        tail="ORDER BY e.ready_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED",
        sources=list(DUE),
    )
    moved, rest = together([move, (_NEXT_DUE, ())])
    return bool(moves.told(moved)), None if rest[0][0] is None else max(rest[0][0], 0.0)


# As literals, as in the partial index of what becomes due.
_NEXT_DUE = (
    "SELECT extract(epoch FROM min(ready_at) - clock_timestamp())::float8 FROM executions_execution e"
    " WHERE status IN ({}) AND ready_at IS NOT NULL AND host_id IS NULL AND NOT {}"
).format(", ".join(f"'{status}'" for status in DUE), IS_TIMED)


# -- Park and resume ----------------------------------------------------------------------------------------


def fence(execution_id: UUID, host_id: int, attempt: int) -> bool:
    """Lock the execution's row for the caller's transaction. Raises LateWrite when it is not ours any more.

    Returns whether maintenance is on, which every caller may need and which costs no statement of its own.
    """
    held = fetch(
        "SELECT EXISTS (SELECT 1 FROM executions_maintenance) FROM executions_execution"
        " WHERE id = %s AND host_id = %s AND attempt = %s AND ended_at IS NULL FOR NO KEY UPDATE",
        (execution_id, host_id, attempt),
    )
    if not held:
        raise LateWrite
    return bool(held[0][0])


def park(
    execution_id: UUID, status: Status, waiting_for: dict[str, Any], wake_in: float | None = None
) -> None:
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


RESUMABLE = "e.id = ANY(%(ids)s) AND e.host_id = %(host)s" + NO_MAINTENANCE


def resume(host_id: int, ids: list[UUID]) -> list[UUID]:
    """Give free slots to these parked executions of ours, in this order; returns those that run again."""
    with transaction.atomic(savepoint=False):  # the host's own is around it
        if not lock_host(host_id):
            raise LateWrite
        moved = moves.move(
            RESUMABLE,
            Status.RUNNING,
            {"ids": ids, "host": host_id},
            tail=(
                f"ORDER BY e.priority DESC, array_position(%(ids)s::uuid[], e.id) LIMIT {FREE}"
                " FOR NO KEY UPDATE"
            ),
            then=FORGET_WAITS,
        )
    return [row.id for row in moved]


@dataclass(frozen=True)
class Held:
    """A row that names this host, as others may have changed it."""

    attempt: int
    is_ready: bool  # it is parked, and its wait is over
    cancel_requested: bool
    pause_requested: bool
    is_running: bool


def held_by(host_id: int) -> dict[UUID, Held]:
    """Return all executions that this host holds."""
    rows = fetch(
        "SELECT id, attempt, status = ANY(%s) AND coalesce(ready_at <= clock_timestamp(), false),"
        " cancel_requested_at IS NOT NULL, pause_requested_at IS NOT NULL, status = 'RUNNING'"
        " FROM executions_execution WHERE host_id = %s",
        ([str(status) for status in WAITING], host_id),
    )
    return {row[0]: Held(*row[1:]) for row in rows}


# -- Put down -----------------------------------------------------------------------------------------------

_OURS = "e.id = ANY(%(ids)s) AND e.host_id = %(host)s"


def unload(host_id: int, ids: list[UUID]) -> list[UUID]:
    """Take parked executions out of our hands; they are queued when their wait is over. Returns which.

    One whose wait is over already, or will be in a moment, stays: it would only come straight back.
    """
    rows = fetch(
        """
        UPDATE executions_execution e SET host_id = NULL, version = version + 1
        WHERE e.id = ANY(%(ids)s) AND e.host_id = %(host)s AND e.status = ANY(%(waiting)s)
        AND (e.ready_at IS NULL OR e.ready_at > clock_timestamp() + interval '1 second')
        AND e.cancel_requested_at IS NULL AND e.pause_requested_at IS NULL
        RETURNING e.id
        """,
        {"ids": ids, "host": host_id, "waiting": [str(status) for status in WAITING]},
    )
    return [row[0] for row in rows]


@transacted
def pause(host_id: int, ids: list[UUID]) -> list[UUID]:
    """Take executions of ours to PAUSED and out of our hands; returns which."""
    moved = moves.move(
        _OURS + " AND e.cancel_requested_at IS NULL",
        Status.PAUSED,
        {"ids": ids, "host": host_id},
        reason=Reason.PAUSED,
        sets=", host_id = NULL, pause_requested_at = NULL",
    )
    return [row.id for row in moved]


@transacted
def put_down(host_id: int, ids: list[UUID]) -> list[UUID]:
    """Queue running executions of ours again and let parked ones go, as this host stops; returns which."""
    queued = moves.move(
        _OURS,
        Status.QUEUED,
        {"ids": ids, "host": host_id},
        reason=Reason.PUT_DOWN,
        sets=", host_id = NULL",
        sources=[Status.RUNNING],
    )
    dropped = let_go("e.host_id = %(host)s AND e.id = ANY(%(ids)s)", {"ids": ids, "host": host_id})
    if queued:
        announce_ready()
    return [row.id for row in queued] + dropped


def let_go(condition: str, params: dict[str, Any]) -> list[UUID]:
    """Take the host away from waiting executions; those whose wait is over are queued by the next look.

    A wish that the host has not come to is fulfilled: nobody else would look at it before the wait is over.
    """
    rows = fetch(
        f"UPDATE executions_execution e SET host_id = NULL, version = version + 1"
        f" WHERE {condition} AND e.status = ANY(%(waiting)s)"
        " RETURNING e.id, cancel_requested_at IS NOT NULL, pause_requested_at IS NOT NULL",
        {**params, "waiting": [str(status) for status in WAITING]},
    )
    cancelled = {"ids": [row[0] for row in rows if row[1]]}
    if cancelled["ids"]:
        moves.move("e.id = ANY(%(ids)s)", Status.QUEUED, cancelled, reason=Reason.CANCELLED)
    paused = {"ids": [row[0] for row in rows if row[2] and not row[1]]}
    if paused["ids"]:
        sets = ", pause_requested_at = NULL"
        moves.move("e.id = ANY(%(ids)s)", Status.PAUSED, paused, reason=Reason.PAUSED, sets=sets)
    return [row[0] for row in rows]
