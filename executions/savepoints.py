"""The journal of an execution's calls: written with each call's effect, read when the execution resumes.

A call that must wait is written down as pending, with what it waits for; its answer is filled in when the wait is
over. So a resumed script gets the recorded answers, comes to the pending call, and goes on waiting where it was.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from executions.database import dumps, fetch, from_jsonb, jsonb
from executions.hosting import LateWrite

SOFT_LIMIT = 10_000  # calls of one execution after which its log warns
HARD_LIMIT = 100_000
MAX_INLINE_BYTES = 256 * 1024  # larger values are stored once, as a Payload


@dataclass(frozen=True)
class Request:
    """One call as the flow process asked it. `seen` are the clock readings since the call before."""

    number: int
    call: str
    arguments: dict[str, Any] = field(default_factory=dict)
    line: int | None = None
    digest: str = ""
    seen: list[int] | None = None
    log_seq: int = 0


_COLUMNS = """
INSERT INTO executions_savepoint
    (execution_id, number, attempt, call, digest, line, name, is_pending, value, payload_id, error, seen,
    log_seq, at)
SELECT id, %(number)s, %(attempt)s, %(call)s, %(digest)s, %(line)s, %(name)s, %(pending)s, %(value)s::text::jsonb,
    %(payload)s, %(error)s, %(seen)s, %(log_seq)s, clock_timestamp()
"""

_INSERT = (
    _COLUMNS
    + """FROM executions_execution
WHERE id = %(id)s AND host_id = %(host)s AND attempt = %(attempt)s AND ended_at IS NULL FOR SHARE
RETURNING 1
"""
)

_FILL_IN = """
UPDATE executions_savepoint SET is_pending = false, value = %(value)s::text::jsonb, payload_id = %(payload)s,
    error = %(error)s, at = clock_timestamp(), attempt = %(attempt)s
WHERE execution_id = %(id)s AND number = %(number)s RETURNING 1
"""


def as_part(
    caller: Any, request: Request, *, value: Any = None, pending: dict[str, Any] | None = None, adds: str = ""
) -> tuple[str, dict[str, Any]]:
    """Return the record of a call as a part of one statement with its effect, and its parameters.

    The part is an INSERT from the CTEs `fenced` (the caller) and `made`; `adds` is SQL that adds to the value.
    """
    columns = _COLUMNS.replace("SELECT id", "SELECT fenced.id").replace(
        "::text::jsonb", f"::text::jsonb{adds}"
    )
    stored = _stored(value if pending is None else pending)
    params = {**_asked(request), **stored, "attempt": caller.attempt, "pending": pending is not None}
    sql = f"savepoint AS ({columns} FROM fenced, made)".replace("%(", "%(savepoint_")
    return sql, {f"savepoint_{name}": each for name, each in params.items()}


def _asked(request: Request) -> dict[str, Any]:
    return {
        "number": request.number,
        "call": request.call[:64],
        "digest": request.digest[:32],
        "line": request.line,
        "name": None,
        "error": None,
        "seen": jsonb(request.seen or None),
        "log_seq": request.log_seq,
    }


def record(
    caller: Any,
    request: Request,
    *,
    value: Any = None,
    error: dict[str, Any] | None = None,
    pending: dict[str, Any] | None = None,
    name: str | None = None,
) -> None:
    """Write the answer of a call down, or (`pending`) what it waits for. Raises LateWrite when fenced out."""
    params = {
        "id": caller.id,
        "host": caller.host_id,
        "attempt": caller.attempt,
        **_asked(request),
        **_stored(value if pending is None else pending),
        "error": jsonb(error),
        "name": name,
        "pending": pending is not None,
    }
    if caller.pending is not None and caller.pending[0] == request.number:
        if pending is not None:
            return  # it waits on, as it is written
        caller.pending = None
        written = fetch(_FILL_IN, params)
    else:
        written = fetch(_INSERT, params)
        if pending is not None:
            caller.pending = (request.number, pending)
    if not written:
        raise LateWrite


def _stored(value: Any) -> dict[str, str | None]:
    """Return the columns that hold a value: itself, or the key of its payload when it is large."""
    if value is None:
        return {"value": None, "payload": None}
    text = dumps(value)
    if len(text) <= MAX_INLINE_BYTES:
        return {"value": text.decode(), "payload": None}
    digest = hashlib.sha256(text).hexdigest()
    fetch(
        "INSERT INTO executions_payload (sha256, value) VALUES (%s, %s::text::jsonb)"
        # Locks one that is there until the savepoint that needs it is: it is not removed meanwhile.
        " ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256",
        (digest, text.decode()),
    )
    return {"value": None, "payload": digest}


@dataclass
class Journal:
    """What a resumed script is given: its recorded calls, and how far its log is written."""

    entries: list[list[Any]] = field(default_factory=list)  # [number, call, line, digest, seen, kind, answer]
    pending: tuple[int, dict[str, Any]] | None = None
    log_seq: int = 0
    log_number: int = 0


def load_journals(ids: list[UUID]) -> dict[UUID, Journal]:
    """Return the journals of these executions, each in one piece."""
    journals = {key: Journal() for key in ids}
    rows = fetch(
        "SELECT execution_id, number, call, line, digest, seen, coalesce(s.value, p.value), error, is_pending"
        " FROM executions_savepoint s LEFT JOIN executions_payload p ON p.sha256 = s.payload_id"
        " WHERE execution_id = ANY(%s) ORDER BY execution_id, number",
        (ids,),
    )
    for key, number, call, line, digest, seen, value, error, is_pending in rows:
        kind, answer = ("error", error) if error is not None else ("value", value)
        if is_pending:
            journals[key].pending = (number, from_jsonb(value))
            kind, answer = "pending", None
        journals[key].entries.append([number, call, line, digest, from_jsonb(seen), kind, from_jsonb(answer)])
    logs = fetch(
        "SELECT execution_id, coalesce(max(seq), 0), max(number) FROM executions_logline"
        " WHERE execution_id = ANY(%s) GROUP BY execution_id",
        (ids,),
    )
    for key, seq, number in logs:
        journals[key].log_seq, journals[key].log_number = seq, number
    return journals
