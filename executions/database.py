"""Direct SQL on Django's own connection, with server-side binding and prepared statements.

For the hot path (start, claim, call, end), where the ORM's share of the time would be the largest.
Takes part in `transaction.atomic()` like every other statement of the connection.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import orjson
import psycopg
from django.db import OperationalError, connection, transaction
from psycopg.types.json import Jsonb

Params = Mapping[str, Any] | Sequence[Any]
P = ParamSpec("P")
T = TypeVar("T")

_NEVER_BY_ITSELF = 2**31
TRIES = 5  # of a transaction that the database breaks off


def fetch(sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows, empty when it has none. Database errors are Django's."""
    connection.ensure_connection()
    if connection.connection.prepare_threshold is None:
        # Django switches prepared statements off. Only those asked for below are prepared.
        connection.connection.prepare_threshold = _NEVER_BY_ITSELF
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, params, prepare=True)
        return cursor.fetchall() if cursor.description else []


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
