"""What only a host does to executions: claim, park, resume, end; each one short transaction, each fenced.

A host may write to a row only while the row names this host and the attempt it was given. The number of
RUNNING rows of a host with a process never exceeds its slots, and of those that it carries out without one
(connections: no script) its connections: whoever adds one locks the host's process row first, unless another of
the host's executions gives up its place in the same transaction.
"""

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from executions import moves
from executions.announce import announce_ready
from executions.database import fetch, from_jsonb, jsonb, transacted
from executions.endings import after_end, sweep_others, wake
from executions.lifecycle import DUE, WAITING, Reason, Status
from executions.moves import Moved, Outcome
from executions.timers import IS_TIMED

logger = logging.getLogger("engine.host")


class LateWrite(Exception):
    """The execution is no longer this host's in this attempt; nothing was written."""


# -- Claim --------------------------------------------------------------------------------------------------

_NO_MAINTENANCE = " AND NOT EXISTS (SELECT 1 FROM executions_maintenance)"
_LOCK_HOST = "SELECT slots, connections FROM executions_process WHERE id = %s AND ended_at IS NULL FOR UPDATE"
_RUNNING = (
    "(SELECT count(*) FROM executions_execution r WHERE r.host_id = %(host)s AND r.status = 'RUNNING'"
    " AND r.script_id IS {})"
)
_FREE = f"greatest(0, %(slots)s - {_RUNNING.format('NOT NULL')})"
_FREE_CONNECTIONS = f"greatest(0, %(connections)s - {_RUNNING.format('NULL')})"


def claim(host_id: int) -> list[Moved]:
    """Win executions for this host, as many as it has room for: by priority, then by the time they wait."""
    with transaction.atomic():
        slots, connections = lock_host(host_id)
        if not slots:
            return []
        return _claim(host_id, _FREE, _FREE_CONNECTIONS, {"slots": slots, "connections": connections})


_NEXT = "ORDER BY e.priority DESC, e.ready_at LIMIT {} FOR NO KEY UPDATE SKIP LOCKED"


def _claim(host_id: int, slots: str, connections: str, params: dict[str, Any]) -> list[Moved]:
    """Claim the next of both queues. `slots` and `connections` are SQL: how many of each at most."""
    queued = "e.host_id IS NULL" + _NO_MAINTENANCE + " AND e.script_id IS "
    moved = moves.move(
        queued + "NOT NULL",
        Status.RUNNING,
        {**params, "host": host_id},
        sets=", host_id = %(host)s, attempt = e.attempt + 1",
        tail=_NEXT.format(slots),
        also=(queued + "NULL", _NEXT.format(connections)),
        sources=[Status.QUEUED],
    )
    # What is left of a wait that is over would hold up the next one.
    _forget_waits([row.id for row in moved if row.attempt > 1])
    return moved


def lock_host(host_id: int) -> tuple[int, int]:
    """Lock this host's process row for the caller's transaction; returns its slots and how many connections it
    carries, zeros when its lease has ended.

    The RUNNING rows are counted in a later statement: only that one sees what the claimer took meanwhile.
    """
    locked = fetch(_LOCK_HOST, (host_id,))
    return locked[0] if locked else (0, 0)


def queue_due(most: int = 500) -> float | None:
    """Queue what has become due; returns the seconds until the next timer, None when there is none."""
    with transaction.atomic():
        moves.move(
            f"e.ready_at <= clock_timestamp() AND e.host_id IS NULL AND NOT {IS_TIMED}",
            Status.QUEUED,
            {"most": most},
            tail="ORDER BY e.ready_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED",
            sources=list(DUE),
        )
    # As literals, as in the partial index of what becomes due.
    due = ", ".join(f"'{status}'" for status in DUE)
    rows = fetch(
        "SELECT extract(epoch FROM min(ready_at) - clock_timestamp())::float8 FROM executions_execution e"
        f" WHERE status IN ({due}) AND ready_at IS NOT NULL AND host_id IS NULL AND NOT {IS_TIMED}"
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
    script_id: str | None
    script: str | None
    inputs: dict[str, Any] | None
    project_id: UUID
    project_name: str
    parent_id: UUID | None
    is_productive: bool
    created_by_id: UUID | None
    roles: list[UUID] | None
    starter_kind: str
    starter_id: UUID | None
    user_name: str | None
    user_email: str | None
    flow_id: UUID | None
    max_runtime_minutes: float | None
    deadline_in: float | None
    cancel_requested: bool
    pause_requested: bool
    seed: UUID
    root_id: UUID
    keeps_savepoints: bool
    has_journal: bool
    connector_id: UUID | None
    connector_type: str
    sealed_inputs: str | None
    secrets_used: list[UUID]  # the connectors whose secrets were used in its tree
    losses: int  # how often its host was lost


_ASSIGNMENTS = """
SELECT e.id, e.attempt, e.name, e.type, e.status, e.script_id, s.text, e.input_value, e.project_id, p.name,
    e.parent_id, e.is_productive, e.created_by_id, e.roles, e.starter_kind, e.starter_id,
    u.username, u.email, e.flow_id, e.max_runtime_minutes,
    extract(epoch FROM e.deadline_at - clock_timestamp())::float8, e.cancel_requested_at IS NOT NULL,
    e.pause_requested_at IS NOT NULL, e.seed, coalesce(e.root_id, e.id), e.savepoint_retention <> 'none',
    e.attempt > 1 OR e.forked_from_id IS NOT NULL,
    e.connector_id, e.connector_type, e.sealed_inputs,
    ARRAY(SELECT connector_id FROM connectors_secretuse u WHERE u.root_id = coalesce(e.root_id, e.id)), e.losses
FROM executions_execution e JOIN projects_project p ON p.id = e.project_id
LEFT JOIN flows_script s ON s.sha256 = e.script_id LEFT JOIN access_user u ON u.id = e.created_by_id
WHERE e.id = ANY(%s) AND e.host_id = %s AND e.status = 'RUNNING'
"""


def assignments(host_id: int, ids: list[UUID]) -> list[Assignment]:
    """Return what is needed to run these executions, for those that this host really holds."""
    rows = fetch(_ASSIGNMENTS, (ids, host_id))
    return [Assignment(*row[:7], *(from_jsonb(row[7]), *row[8:])) for row in rows]


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


_RESUMABLE = "e.id = ANY(%(ids)s) AND e.host_id = %(host)s" + _NO_MAINTENANCE


def resume(host_id: int, ids: list[UUID]) -> list[UUID]:
    """Give free slots to these parked executions of ours, in this order; returns those that run again."""
    with transaction.atomic(savepoint=False):  # the host's own is around it
        slots, _ = lock_host(host_id)
        if not slots:
            raise LateWrite
        moved = moves.move(
            _RESUMABLE,
            Status.RUNNING,
            {"ids": ids, "host": host_id, "slots": slots},
            tail=(
                f"ORDER BY e.priority DESC, array_position(%(ids)s::uuid[], e.id) LIMIT {_FREE}"
                " FOR NO KEY UPDATE"
            ),
        )
        _forget_waits([row.id for row in moved])
    return [row.id for row in moved]


def _forget_waits(ids: list[UUID]) -> None:
    if ids:
        fetch("DELETE FROM executions_wait WHERE waiter_id = ANY(%s)", (ids,))


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
    let_go = _let_go("e.host_id = %(host)s AND e.id = ANY(%(ids)s)", {"ids": ids, "host": host_id})
    if queued:
        announce_ready()
    return [row.id for row in queued] + let_go


def _let_go(condition: str, params: dict[str, Any]) -> list[UUID]:
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


# -- Crash --------------------------------------------------------------------------------------------------

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
    _let_go(condition, params)
    announce_ready()
    return [waiter for waiter, host in woken if host == host_id]


# -- End ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """What came of the end of some of our executions."""

    ended: list[UUID]  # what is missing was not ours any more: a late result is refused
    resumed: list[UUID]  # parked ones of ours that go on in the freed slots
    ready: list[UUID]  # parked ones of ours that may go on but got no slot
    claimed: list[UUID]  # the next of the queue, claimed for what slots were left
    slots_left: int = 0  # given up and not taken by any of these


def end(
    host_id: int,
    ends: list[tuple[UUID, int, Outcome]],
    forgetful: list[UUID],
    *,
    takes_next: bool = False,
    of_connections: bool = False,
    are_parents: bool = True,
    hold_locks: bool = True,
) -> Ended:
    """End our executions and hand their slots on: to our own waiters that this fulfils, then (`takes_next`) to the
    queue. The savepoints of `forgetful` ones go at once. All have processes, or (`of_connections`) none has: then
    there is no slot to hand on, only the place of a connection. Unless they `are_parents`, none ever had a child;
    unless they `hold_locks`, none ever asked for a lock."""
    resumed: list[Moved] = []
    claimed: list[Moved] = []
    ready: list[UUID] = []
    taken: set[UUID] = set()
    freed = 0
    with transaction.atomic(savepoint=False):  # the host's own is around it
        moved = moves.end_hosted(host_id, ends)
        ended = [row.id for row in moved]
        freed = sum(row.old == Status.RUNNING for row in moved)
        if ended:
            if forgetful:
                drop_savepoints(forgetful)
            single: list[UUID] = []
            can_hand_on = not of_connections and freed >= len(ended)
            at_once = single if can_hand_on else None
            woken = after_end(ended, host_id, at_once=at_once, are_parents=are_parents, hold_locks=hold_locks)
            ready = [waiter for waiter, host in woken if host == host_id] + single
        if ready and freed and not of_connections:
            resumed = moves.move(
                _RESUMABLE,
                Status.RUNNING,
                {"ids": ready, "host": host_id, "left": freed},
                tail="ORDER BY e.priority DESC, e.ready_at LIMIT %(left)s FOR NO KEY UPDATE",
            )
            taken = {row.id for row in resumed}
            _forget_waits([key for key in taken if key not in single])
            if left := [key for key in single if key not in taken]:
                wake(left, host_id)
        # No lock on the host is needed: these slots are given up in this very transaction.
        if takes_next and freed and of_connections:
            claimed = _claim(host_id, "0", "%(left)s", {"left": freed})
        elif takes_next and freed > len(resumed) and len(resumed) == len(ready):
            claimed = _claim(host_id, "%(left)s", "0", {"left": freed - len(resumed)})
    slots_left = freed - len(resumed) - len(claimed)
    still_ready = [key for key in ready if key not in taken]
    return Ended(ended, list(taken), still_ready, [row.id for row in claimed], slots_left)


def drop_savepoints(ids: list[UUID]) -> None:
    """Forget the savepoints of these executions that are kept no longer than until the end."""
    fetch(
        "DELETE FROM executions_savepoint s USING executions_execution e"
        " WHERE e.id = ANY(%s) AND s.execution_id = e.id AND e.savepoint_retention = 'none'",
        (ids,),
    )


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
    let_go = _let_go(orphaned, {})
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
    if queued or let_go:
        announce_ready()
    sweep_others()
    return ids
