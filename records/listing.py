"""Lists of records over REST: which page of which fields was asked for, and that page.

`records.api` calls it. Pages go by key (never OFFSET, never a count); a list that takes too long is refused.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import DataError, OperationalError, connection, models, transaction
from django.db.models import Q, QuerySet
from psycopg import errors
from rest_framework.exceptions import ParseError

from records.cleaning import clean_value
from records.filters import as_q
from records.json_text import parse_json
from records.kinds import Kind

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
PARAMETERS = ("limit", "order", "cursor", "filter", "fields", "trashed")
_TIME_LIMIT = "3s"


class ListTooSlow(Exception):
    """The list took too long; the message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "This list takes too long. Narrow your filter, for example by project, flow, status or time."
        )


@dataclass(frozen=True)
class ListQuery:
    """A list as it was asked for, checked."""

    kind: Kind
    limit: int
    order: str  # a column, with a minus in front when descending
    fields: tuple[str, ...]
    where: Q
    trashed: bool = False
    after: tuple[Any, Any] | None = None  # the ordered value and the id of the last row of the page before

    @property
    def column(self) -> str:
        return self.order.removeprefix("-")

    @property
    def is_descending(self) -> bool:
        return self.order.startswith("-")


def read_query(kind: Kind, parameters: Mapping[str, str], default_order: str = "") -> ListQuery:
    """Return what the parameters of an address ask for. Raises ValidationError naming each wrong one's fault."""
    order = parameters.get("order") or default_order or kind.order
    allowed = orders_of(kind)
    if order.removeprefix("-") not in allowed:
        raise ValidationError({"order": f"Cannot order by {order!r}; there are: {', '.join(allowed)}."})
    return ListQuery(
        kind=kind,
        limit=read_limit(parameters, DEFAULT_LIMIT, MAX_LIMIT),
        order=order,
        fields=read_fields(kind, parameters, [name for name in kind.read if name not in kind.large]),
        where=read_filter(kind, parameters.get("filter")),
        trashed=read_truth(parameters, "trashed"),
        after=_read_cursor(kind, parameters.get("cursor"), order),
    )


def list_page(query: ListQuery, rows: "QuerySet[Any]") -> dict[str, Any]:
    """Return {"results", "next"}: the rows of this page, and the cursor of the next one or None."""
    rows = rows.filter(query.where)
    if query.after is not None:
        rows = rows.filter(_behind(query))
    descending = query.is_descending
    rows = rows.order_by(query.order, *(["-pk" if descending else "pk"] if query.column != "id" else []))
    with limited_time():
        found = _fetch(query, rows[: query.limit + 1])
    page = found[: query.limit]
    cursor = _write_cursor(query, page[-1]) if len(found) > query.limit else None
    return {"results": [{name: row[name] for name in query.fields} for row in page], "next": cursor}


def _fetch(query: ListQuery, rows: "QuerySet[Any]") -> list[dict[str, Any]]:
    wanted = dict.fromkeys([*query.fields, query.column, "id"])
    columns = query.kind.columns
    if all(name in columns for name in wanted):
        return list(rows.values(*wanted))
    return [{name: getattr(row, name) for name in wanted} for row in rows]


@contextmanager
def limited_time() -> Iterator[None]:
    """Let the statements inside take three seconds at most. Raises ListTooSlow, and ValidationError for a
    filter whose value the database refuses."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{_TIME_LIMIT}'")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled):
            raise ListTooSlow from error
        raise
    except DataError as error:
        raise ValidationError({"filter": f"A value does not fit its field: {error}".strip()}) from error


def orders_of(kind: Kind) -> list[str]:
    """Return the fields that lists of this kind can be ordered by."""
    # Sorting by long texts or JSON serves nobody and cannot be made fast.
    unfit = (models.TextField, models.JSONField, ArrayField)
    return [name for name, column in kind.columns.items() if not isinstance(column, unfit)]


def _behind(query: ListQuery) -> Q:
    """Return the condition of the rows behind the cursor. PostgreSQL sorts what has no value as the highest."""
    assert query.after is not None
    value, key = query.after
    column, step = query.column, "lt" if query.is_descending else "gt"
    beyond = Q(**{f"pk__{step}": key})
    if column == "id":
        return beyond
    if value is None:
        same = Q(**{f"{column}__isnull": True}) & beyond
        return same | Q(**{f"{column}__isnull": False}) if query.is_descending else same
    # The outer comparison alone can use an index; the inner one is exact.
    further = Q(**{f"{column}__{step}e": value}) & (Q(**{f"{column}__{step}": value}) | beyond)
    if query.is_descending or not query.kind.columns[column].null:
        return further
    return further | Q(**{f"{column}__isnull": True})


def _write_cursor(query: ListQuery, row: dict[str, Any]) -> str:
    return (
        base64.urlsafe_b64encode(orjson.dumps([query.order, row[query.column], row["id"]]))
        .decode()
        .rstrip("=")
    )


def _read_cursor(kind: Kind, text: str | None, order: str) -> tuple[Any, Any] | None:
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        made_for, value, key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        column = kind.columns[order.removeprefix("-")]
        value = None if value is None else clean_value(column, value)
        key = clean_value(kind.model._meta.pk, key)
    except (ValueError, TypeError, ValidationError) as error:
        raise ValidationError(
            {"cursor": "Not a cursor: give the `next` of the page before, unchanged."}
        ) from error
    if made_for != order:
        raise ValidationError({"cursor": f"This cursor belongs to the order {made_for!r}, not to {order!r}."})
    return value, key


def read_filter(kind: Kind, expression: Any) -> Q:
    """Return the condition of a filter: JSON text of an address, or the value of a body's field."""
    if expression is None or expression == "":
        return Q()
    if isinstance(expression, str):
        try:
            expression = parse_json(expression, "filter")
        except ParseError as error:
            raise ValidationError({"filter": str(error.detail)}) from error
    return as_q(expression, kind.model, list(kind.columns), kind.clock)


def read_limit(parameters: Mapping[str, str], default: int, highest: int) -> int:
    """Return the parameter `limit`."""
    return read_number(parameters, "limit", default, 1, highest)


def read_number(parameters: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    """Return a whole number in an address. Raises ValidationError naming it."""
    text = parameters.get(name)
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and lowest <= int(text) <= highest):
        raise ValidationError({name: f"Give a whole number from {lowest} to {highest}, not {text!r}."})
    return int(text)


def read_truth(parameters: Mapping[str, str], name: str) -> bool:
    """Return a yes-or-no parameter, no when it is not there."""
    text = parameters.get(name, "false").lower()
    if text not in ("true", "false", "1", "0", ""):
        raise ValidationError({name: f"Give true or false, not {text!r}."})
    return text in ("true", "1")


def read_fields(kind: Kind, parameters: Mapping[str, str], default: list[str]) -> tuple[str, ...]:
    """Return the parameter `fields`, a list of readable fields with commas between them."""
    text = parameters.get("fields")
    if not text:
        return tuple(default)
    wanted = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in kind.read]
    if unknown or not wanted:
        known = ", ".join(kind.read)
        raise ValidationError(
            {"fields": f"A {kind.name} has no field {', '.join(unknown)!r}; there are: {known}."}
        )
    return wanted
