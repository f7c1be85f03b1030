"""Direct SQL on Django's own connection, with server-side binding and prepared statements.

For the hot path (start, claim, call, end), where the ORM's share of the time would be the largest.
Takes part in `transaction.atomic()` like every other statement of the connection.
"""

import random
import re
import select
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import orjson
import psycopg
from django.db import DatabaseError, OperationalError, connection, transaction
from psycopg import Connection
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import DivisionByZero, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.types.json import Jsonb

Params = Mapping[str, Any] | Sequence[Any]
Statement = tuple[str, Params]
P = ParamSpec("P")
T = TypeVar("T")

# Of a transaction that need not be on the disk when it is over: it may be lost with the server, alone or with others
# after it that are as little durable, but never before one that is.
NOT_DURABLE: Statement = ("SELECT set_config('synchronous_commit', 'off', true)", ())
TRIES = 5  # of a transaction that the database breaks off

_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|(s)|(%))")
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


def fetch(sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows, empty when it has none. Database errors are Django's.

    `sql` is one of a bounded number of texts, which stay prepared on their connection; values are parameters.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return run_prepared(connection.connection, sql, params)


def run_prepared(link: Connection[Any], sql: str, params: Params) -> list[tuple[Any, ...]]:
    """Do the work of `fetch`, past psycopg's cursor: that costs more than the rest, and a call makes some ten."""
    if not link.autocommit and link.pgconn.transaction_status == TransactionStatus.IDLE:
        _checked(link, link.pgconn.exec_(b"BEGIN"))
    adapted, name, raw = _bound(link, sql, params)
    return _rows(adapted, _checked(link, link.pgconn.exec_prepared(name, raw, adapted.formats)))


EXPECT = "1 / ({})::int"  # in a statement of `together`: breaks it off unless this condition holds


class Unexpected(Exception):
    """What statements sent together were to find was not so. Nothing was written."""


def together(statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
    """Run statements as one transaction and return the rows of each. None can use what came of the one before, so all
    are sent at once, and cost one round trip. Raises Unexpected when one of them does not find what it EXPECTs.
    """
    connection.ensure_connection()
    try:
        if connection.in_atomic_block:
            with transaction.atomic():
                return [fetch(sql, params) for sql, params in statements]
        with connection.wrap_database_errors:
            return run_together(connection.connection, statements)
    except DatabaseError as error:
        if isinstance(error.__cause__, DivisionByZero):
            raise Unexpected from error
        raise


def run_together(link: Connection[Any], statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
    """Do the work of `together` in libpq's pipeline mode."""
    bound = [_bound(link, sql, params) for sql, params in statements]
    pgconn = link.pgconn
    pgconn.enter_pipeline_mode()
    pgconn.send_query_params(b"BEGIN", None)
    for adapted, name, raw in bound:
        pgconn.send_query_prepared(name, raw, adapted.formats)
    pgconn.send_query_params(b"COMMIT", None)
    pgconn.pipeline_sync()
    results = [_one_result(link) for _ in range(len(bound) + 2)]
    _one_result(link)  # of the sync
    pgconn.exit_pipeline_mode()
    if pgconn.transaction_status != TransactionStatus.IDLE:
        _checked(link, pgconn.exec_(b"ROLLBACK"))
    for result in results:
        _checked(link, result)
    return [_rows(adapted, result) for (adapted, _, _), result in zip(bound, results[1:-1], strict=True)]


def _one_result(link: Connection[Any]) -> Any:
    """Return the result of the next command in the pipeline. Raises OperationalError when the connection is lost."""
    result = _next_result(link)
    if result is not None and result.status != ExecStatus.PIPELINE_SYNC:
        _next_result(link)  # None, which ends the results of this command
    return result


def _next_result(link: Connection[Any]) -> Any:
    pgconn = link.pgconn
    while (has_unsent := pgconn.flush()) or pgconn.is_busy():
        # Not in `get_result`: it would wait with the interpreter's lock, and other threads with it.
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN | (select.POLLOUT if has_unsent else 0))
        poll.poll()
        pgconn.consume_input()
    result = pgconn.get_result()
    if pgconn.status != ConnStatus.OK:
        raise psycopg.OperationalError("the connection was lost in the midst of statements sent together")
    return result


def _bound(link: Connection[Any], sql: str, params: Params) -> tuple[Any, bytes, Any]:
    """Return what runs this statement with these values: their adapter, its prepared name, and the values."""
    statement, names = _with_numbers(sql)
    values = [params[name] for name in names] if isinstance(params, Mapping) else params
    adapted: Any = Transformer.from_context(link)
    raw = adapted.dump_sequence(values, [PyFormat.AUTO] * len(values))
    return adapted, _prepared(link, statement, tuple(adapted.types or ())), raw


def _rows(adapted: Any, result: Any) -> list[tuple[Any, ...]]:
    adapted.set_pgresult(result)
    rows: list[tuple[Any, ...]] = adapted.load_rows(0, result.ntuples, tuple)
    return rows


@lru_cache(maxsize=2000)
def _with_numbers(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the statement with PostgreSQL's own placeholders, and the names in their order (none without names)."""
    names: list[str] = []
    unnamed = 0

    def number(found: re.Match[str]) -> str:
        nonlocal unnamed
        name, is_unnamed, _ = found.groups()
        if is_unnamed:
            unnamed += 1
            return f"${unnamed}"
        if name is None:
            return "%"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PLACEHOLDER.sub(number, sql).encode(), tuple(names)


def _prepared(link: Connection[Any], statement: bytes, types: tuple[int, ...]) -> bytes:
    """Return the name under which this connection has the statement prepared."""
    known: dict[tuple[bytes, tuple[int, ...]], bytes] = link.__dict__.setdefault("engine_statements", {})
    name = known.get((statement, types))
    if name is None:
        name = b"engine_%d" % len(known)
        _checked(link, link.pgconn.prepare(name, statement, types))
        known[statement, types] = name
    return name


def _checked(link: Connection[Any], result: Any) -> Any:
    if result.status not in _GOOD:
        raise error_from_result(result, encoding=link.info.encoding)
    return result


def was_deadlock(error: OperationalError) -> bool:
    """Tell whether the database broke a transaction off to end a deadlock: nothing happened, it can be repeated."""
    return getattr(error.__cause__, "sqlstate", "") in ("40P01", "40001")


def transacted(work: Callable[P, T]) -> Callable[P, T]:
    """Make an operation one transaction, repeated when the database broke it off to end a deadlock.

    Called inside a transaction it is a part of that one, which its owner repeats.
    """

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for tries_left in reversed(range(TRIES)):
            try:
                with transaction.atomic():
                    return work(*args, **kwargs)
            except OperationalError as error:
                if not tries_left or connection.in_atomic_block or not was_deadlock(error):
                    raise
                time.sleep(random.uniform(0.0, 0.05))  # or the same ones would meet again
        raise AssertionError("unreachable")

    return run


def jsonb(value: Any) -> Jsonb | None:
    """Wrap a JSON value for a jsonb column; None becomes SQL NULL."""
    return None if value is None else Jsonb(value, dumps=dumps)


def dumps(value: Any) -> bytes:
    """Return a value as JSON, the way it is stored."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def from_jsonb(text: Any) -> Any:
    """Return the value of a jsonb column: Django's connections hand it over as text."""
    return orjson.loads(text) if isinstance(text, str | bytes) else text


def without_nulls(value: Any) -> Any:
    """Return a JSON value without the null characters that the database cannot hold."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {without_nulls(key): without_nulls(item) for key, item in value.items()}
    return value
