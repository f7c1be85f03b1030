"""What the end of an execution means for others: waiters go on, children that belong to it are stopped.

Called inside the transaction that ends it, whoever that is: a host, a cancel, the sweep.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from executions import locks, moves
from executions.announce import announce, announce_ready, announce_to_host
from executions.database import fetch
from executions.lifecycle import WAITING, Reason, Status
from executions.timers import IS_TIMED

ALL_ENDED, ALL_SUCCEEDED, FIRST_ENDED = "ALL_ENDED", "ALL_SUCCEEDED", "FIRST_ENDED"


# What other parts do when executions end, in the same transaction: (ids, here) -> the waiters that they woke.
AtEnd = Callable[[list[UUID], int | None], list[tuple[UUID, int]]]
_at_end: list[AtEnd] = []


def at_end(react: AtEnd) -> None:
    """Call `react` in every transaction that ends executions with ties (see `Caller.has_ties`): one cheap statement at
    most."""
    _at_end.append(react)


# What other parts do in the sweep of every other second: whatever came due without anybody waiting for it.
_at_sweep: list[Callable[[], None]] = []


def at_sweep(react: Callable[[], None]) -> None:
    """Call `react` in the sweep, which one host at a time makes; one cheap statement at most."""
    _at_sweep.append(react)


def sweep_others() -> None:
    """Let the other parts sweep."""
    for react in _at_sweep:
        react()


def after_end(
    ids: list[UUID],
    here: int | None = None,
    *,
    at_once: list[UUID] | None = None,
    have_ties: bool = True,
) -> list[tuple[UUID, int]]:
    """Let waiters of these ended executions know and, if they may `have_ties`, undo these: hand on their locks, stop
    their children, and let other parts do theirs.

    A waiter in its host's memory is marked ready and its host is told; the host resumes it when a slot is free.
    Returns the waiters that may go on, with their hosts; the host `here` is asking and needs no word. Those of its
    waiters that waited for nothing else go into `at_once` instead, not marked: the host has slots for them now.
    """
    woken: list[tuple[UUID, int]] = []
    while ids:
        woken += wake_waiters(ids, here, at_once)
        if not have_ties:
            break
        if next_holders := locks.free_locks(ids):
            woken += wake(next_holders, here)
        for react in _at_end:
            woken += react(ids, here)
        ids = stop_children(ids)
    return woken


_RELEASE = """
WITH gone AS (
    DELETE FROM executions_wait WHERE target_id = ANY(%(ids)s) RETURNING waiter_id, target_id
), concerned AS (
    SELECT gone.waiter_id, bool_or(t.status <> 'ENDED_SUCCESS') AS failed
    FROM gone JOIN executions_execution t ON t.id = gone.target_id GROUP BY gone.waiter_id
)
SELECT e.id, c.failed, e.host_id, e.status = 'WAITING_FOR_DEPENDENCY' AND e.waiting_for->'count' = '1'
FROM executions_execution e JOIN concerned c ON c.waiter_id = e.id
ORDER BY e.id FOR NO KEY UPDATE OF e
"""

# A statement of its own after the rows are locked: only then does it see what others released meanwhile.
_FULFILLED = f"""
UPDATE executions_execution e SET ready_at = clock_timestamp()
WHERE e.id = ANY(%(waiters)s) AND (e.status = 'WAITING_FOR_DEPENDENCY' AND (
    NOT EXISTS (SELECT 1 FROM executions_wait w WHERE w.waiter_id = e.id)
    OR e.waiting_for->>'return_when' = 'FIRST_ENDED'
    OR (e.waiting_for->>'return_when' = 'ALL_SUCCEEDED' AND e.id = ANY(%(failed)s))
) OR e.status = 'SLEEPING' AND {IS_TIMED})  -- which looks around at every end that it waits for
RETURNING e.id, e.host_id
"""


def wake_waiters(
    ids: list[UUID], here: int | None = None, at_once: list[UUID] | None = None
) -> list[tuple[UUID, int]]:
    """Mark the waiters whose wait is fulfilled by the end of `ids` ready; returns them with their hosts."""
    waiters, failed = [], []
    for waiter, has_failed, host, waited_for_one in fetch(_RELEASE, {"ids": ids}):
        if at_once is not None and waited_for_one and host == here:
            at_once.append(waiter)
            continue
        waiters.append(waiter)
        if has_failed:
            failed.append(waiter)
    if not waiters:
        return []
    return _call_back(fetch(_FULFILLED, {"waiters": waiters, "failed": failed}), here)


_READY = """
UPDATE executions_execution e SET ready_at = clock_timestamp()
WHERE e.id = ANY(%(ids)s) AND e.status = ANY(%(waiting)s) RETURNING e.id, e.host_id
"""


def wake(ids: list[UUID], here: int | None = None) -> list[tuple[UUID, int]]:
    """Let these waiting executions take up their waits again, in the transaction that fulfils what they wait for.

    Returns them with their hosts; the host `here` is asking and needs no word.
    """
    lock_all(ids)
    return _call_back(fetch(_READY, {"ids": ids, "waiting": [str(status) for status in WAITING]}), here)


def _call_back(woken: list[tuple[Any, ...]], here: int | None) -> list[tuple[UUID, int]]:
    announce_to_host(row[1] for row in woken if row[1] not in (None, here))
    unloaded = [row[0] for row in woken if row[1] is None]
    if unloaded:
        # A timed execution is not queued: the claimers find it by its time.
        condition = f"e.id = ANY(%(ids)s) AND e.host_id IS NULL AND NOT {IS_TIMED}"
        moves.move(condition, Status.QUEUED, {"ids": unloaded})
        announce_ready()
    return [(row[0], row[1]) for row in woken]


def stop_children(ids: list[UUID]) -> list[UUID]:
    """Cancel the living children that belong to these ended parents; returns those that ended at once."""
    children = fetch(
        "SELECT id FROM executions_execution WHERE parent_id = ANY(%s) AND NOT orphan AND ended_at IS NULL",
        (ids,),
    )
    return request_cancel([row[0] for row in children], Reason.PARENT_ENDED) if children else []


def lock_all(ids: list[UUID]) -> None:
    """Lock these executions for the caller's transaction, in the order in which everyone locks several.

    What follows in several statements then sees none of them change from one to the next.
    """
    fetch("SELECT 1 FROM executions_execution WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", (ids,))


def request_cancel(ids: list[UUID], reason: Reason) -> list[UUID]:
    """Ask for the end of these executions, in the caller's transaction; returns those that ended at once.

    One that never ran ends now. One that a host holds is stopped by it. One that began and is out of memory is
    queued, so that its `finally` blocks run: it is resumed only to be cancelled.
    """
    params = {"ids": ids}
    lock_all(ids)
    wish = ", cancel_requested_at = coalesce(e.cancel_requested_at, clock_timestamp())"
    in_order = "ORDER BY e.id FOR NO KEY UPDATE"
    never_ran = "e.id = ANY(%(ids)s) AND e.host_id IS NULL AND e.attempt = 0"
    ended = moves.move(never_ran, Status.ENDED_CANCELLED, params, reason=reason, sets=wish, tail=in_order)
    out_of_memory = "e.id = ANY(%(ids)s) AND e.host_id IS NULL AND e.status <> 'CREATED'"
    queued = moves.move(
        out_of_memory,
        Status.QUEUED,
        params,
        reason=reason,
        sets=wish + ", pause_requested_at = NULL",
        tail=in_order,
    )
    if queued:
        announce_ready()
    flagged = fetch(
        """
        WITH live AS (
            SELECT id FROM executions_execution WHERE id = ANY(%(ids)s) AND ended_at IS NULL
            AND cancel_requested_at IS NULL ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE executions_execution e SET cancel_requested_at = clock_timestamp(), version = version + 1
        FROM live WHERE e.id = live.id RETURNING e.id, e.host_id
        """,
        params,
    )
    announce([row[0] for row in flagged])
    announce_to_host(row[1] for row in flagged if row[1] is not None)
    return [row.id for row in ended]


_TREE = """
WITH RECURSIVE tree AS (
    SELECT id, host_id, status FROM executions_execution WHERE id = ANY(%(ids)s) AND ended_at IS NULL
    UNION
    SELECT c.id, c.host_id, c.status FROM executions_execution c JOIN tree ON c.parent_id = tree.id
    WHERE NOT c.orphan AND c.ended_at IS NULL
)
"""


def living_tree(ids: list[UUID]) -> list[UUID]:
    """Return those of `ids` that live, and the living children that belong to them, all the way down."""
    return [row[0] for row in fetch(_TREE + "SELECT id FROM tree", {"ids": ids})]


def is_fulfilled(statuses: list[Any], return_when: str) -> bool:
    """Tell whether a wait on executions in these states is over. An empty wait is over at once."""
    ended = [Status(status).name.startswith("ENDED") for status in statuses]
    if return_when == FIRST_ENDED:
        return any(ended) or not ended
    failed = any(status in (Status.ENDED_ERROR, Status.ENDED_CANCELLED) for status in statuses)
    return all(ended) or (return_when == ALL_SUCCEEDED and failed)
