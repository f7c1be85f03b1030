"""Values of PostgreSQL as JSON: numbers, truths and texts as what they are, everything else as a text that says it all.

`postgres` uses it. The table of types is in docs/connectors.md.
"""

import base64
import math
from decimal import Decimal
from typing import Any

from psycopg import AsyncConnection
from psycopg.adapt import Loader
from psycopg.types.json import JsonbDumper

# What Python's own types cannot hold in full (infinity, years before Christ, months): the database's words are kept.
_AS_TEXT = ("date", "time", "timetz", "interval")
_MOMENTS = ("timestamp", "timestamptz")
_LARGEST = 2**53  # from here on a number of JSON may lose digits on its way


class _Text(Loader):
    """Takes a value as the text that the database wrote."""

    def load(self, data: Any) -> str:
        return bytes(data).decode()


class _Moment(Loader):
    """Takes a moment as ISO 8601 writes it: with a T, and with minutes in the offset."""

    def load(self, data: Any) -> str:
        text = bytes(data).decode().replace(" ", "T", 1)
        return text + ":00" if text[-3:-2] in ("+", "-") and "T" in text else text


def register_values(session: AsyncConnection[Any]) -> None:
    """Let this session read values as JSON can hold them, and bind objects as jsonb."""
    for name in _AS_TEXT:
        session.adapters.register_loader(name, _Text)
    for name in _MOMENTS:
        session.adapters.register_loader(name, _Moment)
    session.adapters.register_dumper(dict, JsonbDumper)


def as_json(value: Any) -> Any:
    """Return a value as JSON holds it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):  # of the type json it may hold halves of characters, which nothing can store
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, int):
        return value if abs(value) < _LARGEST else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, dict):
        return {as_json(str(name)): as_json(each) for name, each in value.items()}
    return str(value)
