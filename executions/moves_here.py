"""Moves of what one host runs, with all that belongs to them, in one statement: what flows need most of `moves`.

A child is begun while its parent goes on or waits, and a parent goes on when its child has ended. Calls and ends come
here first; when it takes more than this they go the long way, which does the same in several statements.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from executions.announce import announce, announce_ready
from executions.database import EXPECT, fetch, jsonb, together
from executions.hosting import FREE, FREE_CONNECTIONS, LOCK_HOST
from executions.lifecycle import Status
from executions.moves import ALWAYS, SCRIPT_PIN, place, row_of
from executions.savepoints import MAX_INLINE_BYTES

_CREATE_HERE = """
WITH fenced AS (
    SELECT e.id FROM executions_execution e
    WHERE e.id = %(caller)s AND e.host_id = %(host)s AND e.attempt = %(caller_attempt)s AND e.status = 'RUNNING'
    AND NOT EXISTS (SELECT 1 FROM executions_maintenance) {condition} FOR NO KEY UPDATE
), {pin} made AS (
    INSERT INTO executions_execution ({columns}, version, created_at, {times})
    SELECT {places}, 1, clock_timestamp(), {moments} FROM fenced
    RETURNING id, status, attempt, created_at
), begun AS (
    INSERT INTO executions_transition (execution_id, old, new, reason, version, attempt, at)
    SELECT id, '', status, '', 1, attempt, clock_timestamp() FROM made
), {also}
SELECT created_at FROM made
"""

_BEGINS = {
    "times": "started_at, deadline_at",
    "moments": (
        "clock_timestamp(), clock_timestamp() + %(max_runtime_minutes)s::float8 * interval '1 minute'"
    ),
}
_IS_QUEUED = {"times": "ready_at", "moments": "clock_timestamp()"}

_PARKED = """
awaited AS (
    INSERT INTO executions_wait (waiter_id, target_id) SELECT fenced.id, made.id FROM fenced, made
), parked AS (
    UPDATE executions_execution e
    SET status = 'WAITING_FOR_DEPENDENCY', reason = '', version = e.version + 1, waiting_for = %(waiting_for)s
    FROM fenced WHERE e.id = fenced.id RETURNING e.id, e.version, e.attempt
), waits AS (
    INSERT INTO executions_transition (execution_id, old, new, reason, version, attempt, at)
    SELECT id, 'RUNNING', 'WAITING_FOR_DEPENDENCY', '', version, attempt, clock_timestamp() FROM parked
), """


def create_here(
    columns: dict[str, Any], params: dict[str, Any], *, waiting_for: dict[str, Any] | None = None, also: str
) -> datetime | None:
    """Write a child down beside its parent; with `waiting_for`, its parent waits for it from now on.

    One statement for what a flow does most: the caller's fence, the child, the wait, both histories, and what is
    `also` to be written (an INSERT from the CTEs `fenced` and `made`). `params`: "host", "caller", "caller_attempt"
    and those of `also`. With the host's id among its columns the child runs there from now on: in the slot of its
    parent if that waits, else in one that must be free. Without it is queued. Returns when it was created; None, with
    nothing written, when the caller is fenced out, in maintenance, or when there is no room.
    """
    is_here, is_connection = columns["host_id"] is not None, columns["script_id"] is None
    needs_room = is_here and (is_connection or waiting_for is None)
    has_room = f"AND {FREE_CONNECTIONS if is_connection else FREE} > 0"
    row = {**row_of(columns), "status": str(Status.RUNNING if is_here else Status.QUEUED)}
    sql = _CREATE_HERE.format(
        pin=SCRIPT_PIN if "script_text" in columns else "",
        columns=", ".join(row),
        places=", ".join(map(place, row)),
        condition=has_room if needs_room else "",
        also=(_PARKED if waiting_for else "") + also,
        **(_BEGINS if is_here else _IS_QUEUED),
    )
    values = {"script_text": columns.get("script_text"), "waiting_for": jsonb(waiting_for)}
    statement = sql, {**row, **params, **values}
    # The room is counted in a statement of its own after the lock: only that one sees what was taken meanwhile.
    made = together([(LOCK_HOST, (params["host"],)), statement])[1] if needs_room else fetch(*statement)
    if not made:
        return None
    announce([columns["id"], params["caller"]] if waiting_for else [columns["id"]])
    if not is_here:
        announce_ready()
    created_at: datetime = made[0][0]
    return created_at


_ALL_GO_ON = (
    "count(*) = cardinality(%(targets)s) AND count(*) = (SELECT count(*) FROM gone)"
    f" AND max(pg_column_size(value)) <= {MAX_INLINE_BYTES}"
)
_GO_ON = f"""
WITH given AS (
    SELECT * FROM unnest(%(targets)s::uuid[], %(waiters)s::uuid[], %(attempts)s::int[], %(numbers)s::int[])
        AS g(target, waiter, attempt, number)
), gone AS (
    DELETE FROM executions_wait WHERE target_id = ANY(%(ended)s) RETURNING waiter_id, target_id
), moved AS (
    UPDATE executions_execution e SET status = 'RUNNING', reason = '', version = e.version + 1 {ALWAYS[Status.RUNNING]}
    FROM given g JOIN gone ON gone.target_id = g.target AND gone.waiter_id = g.waiter
    WHERE e.id = g.waiter AND e.host_id = %(host)s AND e.attempt = g.attempt
    AND e.status = 'WAITING_FOR_DEPENDENCY' AND NOT EXISTS (SELECT 1 FROM executions_maintenance)
    RETURNING e.id, e.version, e.attempt, g.target, g.number
), history AS (
    INSERT INTO executions_transition (execution_id, old, new, reason, version, attempt, at)
    SELECT id, 'WAITING_FOR_DEPENDENCY', 'RUNNING', '', version, attempt, clock_timestamp() FROM moved
), answered AS (
    UPDATE executions_savepoint s
    SET is_pending = false, value = {{value}}, at = clock_timestamp(), attempt = moved.attempt
    FROM moved JOIN executions_execution e ON e.id = moved.target
    WHERE s.execution_id = moved.id AND s.number = moved.number AND s.is_pending
    RETURNING s.execution_id, s.value
)
SELECT jsonb_object_agg(execution_id, value),
    {EXPECT.format(_ALL_GO_ON)}
FROM answered
"""


@dataclass(frozen=True)
class SoleWait:
    """A parked execution of this host that waits for one other and nothing else, with the number of its call."""

    target: UUID
    waiter: UUID
    attempt: int
    number: int


def go_on_as_statement(
    host_id: int, ended: list[UUID], waits: list[SoleWait], value: str
) -> tuple[str, dict[str, Any]]:
    """Return the statement that lets those who waited for these ended executions go on, in the slots of these.

    Their calls are answered with `value`, SQL on the ended `e`. It is broken off when anybody else waited for one of
    the ended, or one of the `waits` was not so. One row: the answers by the id of who waited.
    """
    return _GO_ON.format(value=value), {
        "host": host_id,
        "ended": ended,
        "targets": [wait.target for wait in waits],
        "waiters": [wait.waiter for wait in waits],
        "attempts": [wait.attempt for wait in waits],
        "numbers": [wait.number for wait in waits],
    }
