"""Direct SQL on Django's own connection, with server-side binding and prepared statements.

For the hot path (start, claim, call, end), where the ORM's share of the time would be the largest.
Takes part in `transaction.atomic()` like every other statement of the connection.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import psycopg
from django.db import connection
from psycopg.types.json import Jsonb

Params = Mapping[str, Any] | Sequence[Any]


def fetch(sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows, empty when it has none. Database errors are Django's."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, params, prepare=True)
        return cursor.fetchall() if cursor.description else []


def jsonb(value: Any) -> Jsonb | None:
    """Wrap a JSON value for a jsonb column; None becomes SQL NULL."""
    return None if value is None else Jsonb(value, dumps=dumps)


def dumps(value: Any) -> bytes:
    """Return a value as JSON, the way it is stored."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def from_jsonb(text: Any) -> Any:
    """Return the value of a jsonb column: Django's connections hand it over as text."""
    return orjson.loads(text) if isinstance(text, str | bytes) else text
