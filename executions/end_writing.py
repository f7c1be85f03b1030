"""How a host writes the ends of its executions down, and what their slots go to, in one transaction.

Most ends are plain: the execution has no children, locks or messages, and nobody but a parent on this host waits for
it. Those are written in one round trip. `endings` knows what an end means for others.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from executions import moves
from executions.announce import announce
from executions.assignments import Assignment, assigned
from executions.calls.base import SNAPSHOT_SQL, Caller
from executions.database import EXPECT, Unexpected, fetch, from_jsonb, together
from executions.endings import after_end, wake
from executions.hosting import FORGET_WAITS, RESUMABLE, claim_as_statement
from executions.lifecycle import Status
from executions.log import Line, lines_as_statement
from executions.moves import Ends, Moved, Outcome
from executions.moves_here import SoleWait, go_on_as_statement

# Those that are kept no longer than until the end.
_DROP_SAVEPOINTS = """
DELETE FROM executions_savepoint s USING executions_execution e
WHERE e.id = ANY(%s) AND s.execution_id = e.id AND e.savepoint_retention = 'none'
"""


@dataclass(frozen=True)
class Ended:
    """What came of the end of some of our executions."""

    ended: list[UUID]  # what is missing was not ours any more: a late result is refused
    resumed: list[UUID]  # parked ones of ours that go on in the freed slots
    ready: list[UUID]  # parked ones of ours that may go on but got no slot
    claimed: list[Assignment]  # the next of the queue, claimed for what slots were left
    slots_left: int = 0  # given up and not taken by any of these


def end(
    host_id: int,
    ends: Ends,
    forgetful: list[UUID],
    *,
    takes_next: bool = False,
    of_connections: bool = False,
    have_ties: bool = True,
) -> Ended:
    """End our executions and hand their slots on: to our own waiters that this fulfils, then (`takes_next`) to the
    queue. The savepoints of `forgetful` ones go at once. All have processes, or (`of_connections`) none has: then
    there is no slot to hand on, only the place of a connection. Unless they `have_ties`, none of them ever had a
    child, a lock or anything else that ends with it."""
    resumed: list[Moved] = []
    claimed: list[Assignment] = []
    ready: list[UUID] = []
    taken: set[UUID] = set()
    freed = 0
    with transaction.atomic(savepoint=False):  # the host's own is around it
        moved = moves.end_hosted(host_id, ends)
        ended = [row.id for row in moved]
        freed = sum(row.old == Status.RUNNING for row in moved)
        if ended:
            if forgetful:
                fetch(_DROP_SAVEPOINTS, (forgetful,))
            single: list[UUID] = []
            can_hand_on = not of_connections and freed >= len(ended)
            at_once = single if can_hand_on else None
            woken = after_end(ended, host_id, at_once=at_once, have_ties=have_ties)
            ready = [waiter for waiter, host in woken if host == host_id] + single
        if ready and freed and not of_connections:
            resumed = moves.move(
                RESUMABLE,
                Status.RUNNING,
                {"ids": ready, "host": host_id, "left": freed},
                tail="ORDER BY e.priority DESC, e.ready_at LIMIT %(left)s FOR NO KEY UPDATE",
                then=FORGET_WAITS,
            )
            taken = {row.id for row in resumed}
            if left := [key for key in single if key not in taken]:
                wake(left, host_id)
        # No lock on the host is needed: these slots are given up in this very transaction.
        if takes_next and freed and of_connections:
            claimed = assigned(fetch(*claim_as_statement(host_id, "0", "%(most)s", freed)))
        elif takes_next and freed > len(resumed) and len(resumed) == len(ready):
            left_over = freed - len(resumed)
            claimed = assigned(fetch(*claim_as_statement(host_id, "%(most)s", "0", left_over)))
    slots_left = freed - len(resumed) - len(claimed)
    still_ready = [key for key in ready if key not in taken]
    return Ended(ended, list(taken), still_ready, claimed, slots_left)


def sole_wait(waiter: Caller, target: UUID, outcome: Outcome) -> SoleWait | None:
    """Return the wait of a parked execution of ours for one that ends, None when it waits for something else.

    Raises Unexpected when it waits for more than that, or is not to be answered with a success.
    """
    number, wait = waiter.pending or (0, {})
    if wait.get("kind") != "executions" or str(target) not in wait["ids"]:
        return None
    if len(wait["ids"]) > 1 or not wait["single"] or outcome.status != Status.ENDED_SUCCESS:
        raise Unexpected
    return SoleWait(target, waiter.id, waiter.attempt, number)


_NOBODY_WAITS = "SELECT " + EXPECT.format(
    "NOT EXISTS (SELECT 1 FROM executions_wait WHERE target_id = ANY(%s))"
)


def end_plain(
    host_id: int,
    ends: Ends,
    forgetful: list[UUID],
    waits: list[SoleWait],
    lines: list[Line],
    *,
    takes_next: bool,
) -> tuple[dict[UUID, Any], list[Assignment]]:
    """Do what `end` does for executions without ties, in one round trip, with their last `lines` before it.

    Those in `waits` go on in the freed slots; what is left of these goes to the queue. Returns their answers, and what
    was claimed. Raises Unexpected, with nothing written, when anything is not as the host knows it.
    """
    ids = [execution_id for execution_id, _, _ in ends]
    left = len(ends) - len(waits)
    statements: list[tuple[str, Any]] = [lines_as_statement(lines, host_id)] if lines else []
    statements.append(moves.ends_as_statement(host_id, ends, expects_all=True))
    if forgetful:
        statements.append((_DROP_SAVEPOINTS, (forgetful,)))
    if waits:
        statements.append(go_on_as_statement(host_id, ids, waits, SNAPSHOT_SQL))
    else:
        statements.append((_NOBODY_WAITS, (ids,)))
    if takes_next and left:
        statements.append(claim_as_statement(host_id, "%(most)s", "0", left))
    results = together(statements)
    claimed = assigned(results.pop()) if takes_next and left else []
    answers = {UUID(key): value for key, value in from_jsonb(results.pop()[0][0]).items()} if waits else {}
    announce([*ids, *answers])
    return answers, claimed
