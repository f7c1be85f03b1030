"""The one writer of status. Every statement here changes status, version and history together.

Conditions say why a move may not land: another got there first, the attempt is old, the state has no such
arrow. The result is the rows that moved; an empty one means somebody else won.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from executions.announce import announce, announce_ready, told_with
from executions.database import EXPECT, Statement, fetch, jsonb, together
from executions.lifecycle import ENDED, WAITING, Reason, Status, sources_of
from flows.models import PIN


@dataclass(frozen=True)
class Moved:
    """A row that moved: its new version, and the attempt it is in."""

    id: UUID
    version: int
    attempt: int
    old: Status


ALWAYS = {
    Status.CREATED: "",
    Status.SCHEDULED: ", ready_at = e.scheduled_for",
    Status.QUEUED: ", ready_at = clock_timestamp(), waiting_for = NULL",
    Status.RUNNING: (
        ", started_at = coalesce(e.started_at, clock_timestamp()), ready_at = NULL, waiting_for = NULL"
        ", deadline_at = coalesce(e.deadline_at, clock_timestamp() + e.max_runtime_minutes * interval '1 minute')"
    ),
    **dict.fromkeys(WAITING, ""),
    Status.PAUSED: ", ready_at = NULL",
    **dict.fromkeys(
        ENDED,
        ", ended_at = clock_timestamp(), ready_at = NULL, host_id = NULL, waiting_for = NULL"
        ", expires_at = coalesce(e.expires_at, clock_timestamp() + e.retention_seconds * interval '1 second')",
    ),
}

_MOVE = """
WITH old AS (
    {picks}
), moved AS (
    UPDATE executions_execution e
    SET status = %(status)s::varchar, reason = %(reason)s::varchar, version = e.version + 1 {sets}
    FROM old WHERE e.id = old.id
    RETURNING {columns}, old.status AS old
), history AS (
    INSERT INTO executions_transition (execution_id, old, new, reason, version, attempt, at)
    SELECT id, old, %(status)s::varchar, %(reason)s::varchar, version, attempt, clock_timestamp() FROM moved
) {then}
{returns}
"""


_PICK = (
    "SELECT e.id, e.status FROM executions_execution e WHERE {condition} AND e.status IN ({sources}) {tail}"
)


def move(
    condition: str,
    status: Status,
    params: dict[str, Any],
    *,
    reason: str = "",
    sets: str = "",
    tail: str = "FOR NO KEY UPDATE",
    also: tuple[str, str] | None = None,
    sources: list[Status] | None = None,
    then: str = "",
) -> list[Moved]:
    """Take every execution that meets `condition` (SQL on `e`) to `status`, if the table has that arrow.

    `sets` adds SQL assignments, `tail` may order, limit and skip locked rows. `also` is another condition with a
    tail of its own: what meets it moves in the same statement. `then` are further CTEs, on what `moved`. Runs in the
    caller's transaction.
    """
    return told(
        fetch(
            *as_statement(
                condition,
                status,
                params,
                reason=reason,
                sets=sets,
                tail=tail,
                also=also,
                sources=sources,
                then=then,
            )
        )
    )


def as_statement(
    condition: str,
    status: Status,
    params: dict[str, Any],
    *,
    reason: str = "",
    sets: str = "",
    tail: str = "FOR NO KEY UPDATE",
    also: tuple[str, str] | None = None,
    sources: list[Status] | None = None,
    then: str = "",
    returns: str | None = None,
) -> tuple[str, dict[str, Any]]:
    """Return what `move` runs, and its parameters, to be sent with others.

    Its rows are for `told`, or what the query in `returns` makes of `moved`, which then has all columns.
    """
    # As literals: a plan for any parameters could not use the partial indexes.
    literals = ", ".join(f"'{source}'" for source in sources or sources_of(status))
    picks = _PICK.format(condition=condition, sources=literals, tail=tail)
    if also:
        other = _PICK.format(condition=also[0], sources=literals, tail=also[1])
        picks = f"SELECT * FROM ({picks}) one UNION ALL SELECT * FROM ({other}) other"
    columns = "e.*" if returns else "e.id, e.version, e.attempt"
    returns = returns or "SELECT id, version, attempt, old FROM moved"
    sql = _MOVE.format(picks=picks, sets=ALWAYS[status] + sets, columns=columns, then=then, returns=returns)
    return sql, {**params, "status": str(status), "reason": str(reason)}


def told(rows: list[tuple[Any, ...]]) -> list[Moved]:
    """Tell about the executions that a statement of ours moved, and return them."""
    moved = [Moved(row[0], row[1], row[2], Status(row[3])) for row in rows]
    if moved:
        announce([row.id for row in moved])
    return moved


# A script is stored with the first execution that runs it.
SCRIPT_PIN = PIN.format(sha256="%(script_id)s::varchar", text="%(script_text)s::text") + ", "

_CREATE = """
WITH {pin} made AS (
    INSERT INTO executions_execution ({columns}, version, created_at, started_at, ready_at, deadline_at)
    SELECT {places}, 1, clock_timestamp(),
        CASE WHEN %(status)s::varchar IN ('RUNNING', 'SLEEPING') THEN clock_timestamp() END,
        CASE %(status)s::varchar WHEN 'QUEUED' THEN clock_timestamp() WHEN 'SCHEDULED' THEN {scheduled_for} END,
        CASE WHEN %(status)s::varchar = 'RUNNING'
            THEN clock_timestamp() + {max_runtime_minutes} * interval '1 minute' END
    {source}
    RETURNING id, status, attempt, created_at
), history AS (
    INSERT INTO executions_transition (execution_id, old, new, reason, version, attempt, at)
    SELECT id, '', status, '', 1, attempt, clock_timestamp() FROM made
) {also}
SELECT created_at FROM made
"""


# A parameter used twice must have one type in both places.
_CASTS = {
    "status": "varchar",
    "scheduled_for": "timestamptz",
    "max_runtime_minutes": "float8",
    "script_id": "varchar",
    "roles": "uuid[]",  # an empty list does not say of what
}


def place(name: str) -> str:
    return f"%({name})s::{_CASTS[name]}" if name in _CASTS else f"%({name})s"


def row_of(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: jsonb(value) if name in ("input_value", "output_value", "waiting_for") else value
        for name, value in columns.items()
        if name != "script_text"
    }


def create(
    status: Status, columns: dict[str, Any], also: tuple[str, dict[str, Any]] | None = None
) -> datetime:
    """Write a new execution down in `status`, as `creation` says. Returns when it was created."""
    created_at: datetime = together(creation(status, columns, also))[0][0][0]
    return created_at


def creation(
    status: Status, columns: dict[str, Any], also: tuple[str, dict[str, Any]] | None = None
) -> list[Statement]:
    """Return the statements that write a new execution down, with its first history row, and tell about it.

    JSON columns come as plain values, and "script_text" if the script is to be stored. `also` is an INSERT to be done
    in the same statement, with its parameters. The first one's row says when it was created.
    """
    row = {**row_of(columns), "status": str(status)}
    pin = SCRIPT_PIN if "script_text" in columns else ""
    insert, more = also or ("", {})
    sql = _CREATE.format(
        pin=pin,
        columns=", ".join(row),
        places=", ".join(map(place, row)),
        scheduled_for=place("scheduled_for"),
        max_runtime_minutes=place("max_runtime_minutes"),
        source="",
        also=f", also AS ({insert})" if insert else "",
    )
    values = {**row, **more, "script_text": columns.get("script_text")}
    return [(sql, values), *told_with(columns["id"], is_ready=status in (Status.QUEUED, Status.SCHEDULED))]


def create_many(status: Status, rows: list[dict[str, Any]]) -> None:
    """Write many executions down in one statement. Their scripts are stored already."""
    if not rows:
        return
    columns = [*dict.fromkeys(name for row in rows for name in row), "status"]
    sql = _CREATE.format(
        pin="",
        columns=", ".join(columns),
        places=", ".join(f"r.{name}" for name in columns),
        scheduled_for="r.scheduled_for",
        max_runtime_minutes="r.max_runtime_minutes",
        source="FROM jsonb_populate_recordset(NULL::executions_execution, %(rows)s) r",
        also="",
    )
    fetch(sql, {"status": str(status), "rows": jsonb([{**row, "status": str(status)} for row in rows])})
    announce([row["id"] for row in rows])
    if status in (Status.QUEUED, Status.SCHEDULED):
        announce_ready()


@dataclass(frozen=True)
class Outcome:
    """How a run ended: one of the final states, why, the last words, and what it used."""

    status: Status
    reason: Reason | str = ""
    message: str = ""
    output: Any = None
    has_output: bool = False
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None


_END_HOSTED = """
WITH given AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(attempts)s::int[], %(statuses)s::text[], %(reasons)s::text[],
        %(messages)s::text[], %(outputs)s::jsonb[], %(cpu)s::float8[], %(memory)s::bigint[])
        AS g(id, attempt, status, reason, message, output, cpu, memory)
), old AS (
    SELECT e.id, e.status AS old, g.status AS new, g.reason, g.message, g.output, g.cpu, g.memory
    FROM executions_execution e JOIN given g ON g.id = e.id
    WHERE e.host_id = %(host)s AND e.attempt = g.attempt AND e.status = ANY(%(sources)s)
    ORDER BY e.id FOR NO KEY UPDATE OF e
), moved AS (
    UPDATE executions_execution e
    SET status = old.new, reason = old.reason, version = e.version + 1,
        message = CASE WHEN old.message = '' THEN e.message ELSE old.message END,
        output_value = coalesce(e.output_value, old.output),
        cpu_seconds = coalesce(e.cpu_seconds, 0) + old.cpu,
        peak_memory_bytes = greatest(e.peak_memory_bytes, old.memory)
        {always}
    FROM old WHERE e.id = old.id
    RETURNING e.id, e.version, e.attempt, old.old, e.status, e.reason
), history AS (
    INSERT INTO executions_transition (execution_id, old, new, reason, version, attempt, at)
    SELECT id, old, status, reason, version, attempt, clock_timestamp() FROM moved
)
SELECT id, version, attempt, old FROM moved
""".replace("{always}", ALWAYS[Status.ENDED_SUCCESS])
_ALL_RAN = EXPECT.format("count(*) = cardinality(%(ids)s)")
_END_ALL_HOSTED = _END_HOSTED.replace(
    "SELECT id, version, attempt, old FROM moved", f"SELECT {_ALL_RAN} FROM moved WHERE old = 'RUNNING'"
)


Ends = list[tuple[UUID, int, Outcome]]  # of these executions in these attempts


def end_hosted(host_id: int, ends: Ends) -> list[Moved]:
    """End executions that this host runs, each in the attempt it was given. Others' attempts are left alone."""
    return told(fetch(*ends_as_statement(host_id, ends)))


def ends_as_statement(host_id: int, ends: Ends, *, expects_all: bool = False) -> tuple[str, dict[str, Any]]:
    """Return what `end_hosted` runs, and its parameters, to be sent with others.

    If it `expects_all` to be ended from RUNNING, it is broken off otherwise (see `together`).
    """
    outcomes = [outcome for _, _, outcome in ends]
    return _END_ALL_HOSTED if expects_all else _END_HOSTED, {
        "ids": [execution_id for execution_id, _, _ in ends],
        "attempts": [attempt for _, attempt, _ in ends],
        "statuses": [str(outcome.status) for outcome in outcomes],
        "reasons": [str(outcome.reason) for outcome in outcomes],
        "messages": [outcome.message.replace("\0", "\ufffd") for outcome in outcomes],
        "outputs": [jsonb(outcome.output) if outcome.has_output else None for outcome in outcomes],
        "cpu": [outcome.cpu_seconds for outcome in outcomes],
        "memory": [outcome.peak_memory_bytes for outcome in outcomes],
        "host": host_id,
        "sources": [str(status) for status in sources_of(Status.ENDED_ERROR)],
    }
