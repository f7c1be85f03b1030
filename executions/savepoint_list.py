"""The savepoints of an execution as people and programs see them: in pages, by number, long answers cut.

REST and the execution page read here; what a resumed script is given stands in `executions.savepoints`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from executions.database import fetch, from_jsonb

SHOWN_WHOLE = 4_000  # characters of JSON; a longer answer is read by itself
_LARGEST_NUMBER = 2**31 - 1


class SavepointRow(TypedDict):
    """One savepoint. When `is_cut`, its answer is too long for a list: `value` and `error` are None there."""

    number: int
    call: str
    line: int | None
    digest: str
    name: str | None
    is_pending: bool
    at: datetime
    attempt: int
    value: Any
    error: Any
    is_cut: bool


# The stored size is looked at first: to measure the text of a very large answer is to read it.
_SHORT = """
CASE WHEN pg_column_size({column}) <= %(whole)s THEN
    CASE WHEN length({column}::text) <= %(whole)s THEN {column} END
END
"""
_READ = """
SELECT number, call, line, digest, name, is_pending, at, attempt, {value}, {error},
    num_nonnulls(s.value, s.payload_id, error) > 0
FROM executions_savepoint s {join}
WHERE execution_id = %(id)s AND number > %(after)s AND number < %(before)s
    AND (name IS NOT NULL OR NOT %(named)s)
ORDER BY number {order} LIMIT %(limit)s
"""


def read_savepoints(
    execution_id: UUID,
    *,
    after: int = 0,
    before: int = _LARGEST_NUMBER,
    limit: int = 100,
    newest_first: bool = False,
    named: bool = False,
) -> list[SavepointRow]:
    """Return savepoints between two numbers, neither included; `named`: only those that were given a name."""
    sql = _READ.format(
        value=_SHORT.format(column="s.value"),
        error=_SHORT.format(column="s.error"),
        join="",
        order="DESC" if newest_first else "ASC",
    )
    params = {"id": execution_id, "after": after, "before": before, "limit": limit, "named": named}
    return [_row(found) for found in fetch(sql, params | {"whole": SHOWN_WHOLE})]


def read_savepoint(execution_id: UUID, number: int) -> SavepointRow | None:
    """Return one savepoint with its whole answer, or None."""
    if not 0 < number <= _LARGEST_NUMBER:
        return None
    sql = _READ.format(
        value="coalesce(s.value, p.value)",
        error="s.error",
        join="LEFT JOIN executions_payload p ON p.sha256 = s.payload_id",
        order="ASC",
    )
    params = {"id": execution_id, "after": number - 1, "before": number + 1, "limit": 1, "named": False}
    found = fetch(sql, params)
    return _row(found[0]) if found else None


def _row(found: Iterable[Any]) -> SavepointRow:
    number, call, line, digest, name, is_pending, at, attempt, value, error, is_answered = found
    return SavepointRow(
        number=number,
        call=call,
        line=line,
        digest=digest,
        name=name,
        is_pending=is_pending,
        at=at,
        attempt=attempt,
        value=from_jsonb(value),
        error=from_jsonb(error),
        is_cut=is_answered and value is None and error is None,
    )
