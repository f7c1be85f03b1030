"""Reads one execution by a prepared statement: composing a query would cost more than running it.

Starting one ends with it. Nothing is checked here.
"""

from typing import Any
from uuid import UUID

from django.db.models import JSONField

from executions.database import Statement, fetch, from_jsonb
from executions.models import Execution

_FIELDS = Execution._meta.concrete_fields
_NAMES = [column.attname for column in _FIELDS]
_JSON = [number for number, column in enumerate(_FIELDS) if isinstance(column, JSONField)]
_READ = (
    f"SELECT {', '.join(str(column.column) for column in _FIELDS)} FROM executions_execution WHERE id = %s"
)


def read_execution(execution_id: UUID) -> Execution:
    """Return the execution with all its columns. Raises Execution.DoesNotExist."""
    return as_execution(fetch(*reading(execution_id)))


def reading(execution_id: UUID) -> Statement:
    """Return the statement of `read_execution`, to be sent with others; its rows are for `as_execution`."""
    return _READ, (execution_id,)


def as_execution(rows: list[tuple[Any, ...]]) -> Execution:
    """Return the execution that was read. Raises Execution.DoesNotExist."""
    if not rows:
        raise Execution.DoesNotExist
    values = list(rows[0])
    for number in _JSON:
        values[number] = from_jsonb(values[number])
    return Execution.from_db("default", _NAMES, values)
