"""The one JSON form of every value that a flow hands to the engine.

Used by everything that sends values over the channel. It refuses what cannot be stored and names the path to
it.

=============================  =====================================================================
in the script                  stored as
=============================  =====================================================================
None, bool, int, float, str    themselves; NaN, infinity and integers beyond 64 bits are refused
datetime                       ISO 8601 with its zone; one without a zone is taken as UTC
date, time                     ISO 8601
UUID, Decimal, path            text
bytes, bytearray, memoryview   base64 text
Enum member                    its value
list, tuple                    list
set, frozenset                 list, sorted so that it is the same in every run
dict and other mappings        object; int and bool keys become text, other keys that are not text are refused
=============================  =====================================================================
"""

from __future__ import annotations

import datetime
import decimal
import math
import os
from base64 import b64encode
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any
from uuid import UUID

from flow_api.exceptions import InvalidInputError

MAX_DEPTH = 100
LEAST_INTEGER, LARGEST_INTEGER = -(2**63), 2**64 - 1

JSON = Any


def to_json(value: object, path: str = "value") -> JSON:
    """Will return the JSON form of a value, or raise `InvalidInputError` with the path to what cannot be stored."""
    return _convert(value, path, (), _refuse)


def to_json_or_text(value: object) -> JSON:
    """Will return the JSON form of a value for the log, with the text of whatever has no such form."""
    try:
        return _convert(value, "value", (), lambda item, path, why: _clean_text(_text_of(item)))
    except Exception:
        return _clean_text(_text_of(value))


def clean_text(value: object) -> str:
    """Will return the text of a value without the characters that a database cannot hold."""
    return _clean_text(value if isinstance(value, str) else _text_of(value))


Refuse = Callable[[object, str, str], JSON]


def _refuse(value: object, path: str, why: str) -> JSON:
    raise InvalidInputError(f"{path}: {why}", {"path": path})


def _convert(value: object, path: str, above: tuple[int, ...], refuse: Refuse) -> JSON:
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return _text(value, path, refuse)  # type: ignore[arg-type]
    if kind is int:
        return _integer(value, path, refuse)  # type: ignore[arg-type]
    if isinstance(value, Enum):
        return _convert(value.value, path, above, refuse)
    if isinstance(value, (dict, Mapping, list, tuple, set, frozenset)):
        if id(value) in above:
            return refuse(value, path, "refers to itself")
        if len(above) >= MAX_DEPTH:
            return refuse(value, path, f"is nested deeper than {MAX_DEPTH} levels")
        above = (*above, id(value))
        if isinstance(value, (dict, Mapping)):
            return _object(value, path, above, refuse)
        return [
            _convert(item, f"{path}[{index}]", above, refuse) for index, item in enumerate(_ordered(value))
        ]
    return _scalar(value, path, refuse)


def _scalar(value: object, path: str, refuse: Refuse) -> JSON:
    if isinstance(value, float):
        return (
            float(value)
            if math.isfinite(value)
            else refuse(value, path, f"{value} is not a number that JSON has")
        )
    if isinstance(value, int):
        return _integer(int(value), path, refuse)
    if isinstance(value, str):
        return _text(str(value), path, refuse)
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (UUID, decimal.Decimal)):
        return str(value)
    if isinstance(value, os.PathLike):
        return _text(os.fsdecode(value), path, refuse)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b64encode(value).decode("ascii")
    return refuse(value, path, f"a value of type {type(value).__name__} cannot be stored")


def _object(value: Mapping[Any, Any], path: str, above: tuple[int, ...], refuse: Refuse) -> JSON:
    result: dict[str, JSON] = {}
    for key, item in value.items():
        name = _key(key, path, refuse)
        if name in result:
            refuse(value, path, f"has the key {name!r} twice once its keys are text")
        result[name] = _convert(item, f"{path}.{name}", above, refuse)
    return result


def _key(key: object, path: str, refuse: Refuse) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return str(_text(str(key), f"{path}.{key}", refuse))
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return str(key)
    refuse(key, path, f"the key {key!r} is of type {type(key).__name__}; keys are text")
    return _clean_text(_text_of(key))


def _ordered(value: Any) -> list[Any]:
    if isinstance(value, (set, frozenset)):
        return sorted(
            value, key=lambda item: (type(item).__name__, item if isinstance(item, str) else repr(item))
        )
    return list(value)


def _integer(value: int, path: str, refuse: Refuse) -> JSON:
    if LEAST_INTEGER <= value <= LARGEST_INTEGER:
        return value
    return refuse(value, path, "an integer beyond 64 bits would lose digits; store it as text")


def _text(value: str, path: str, refuse: Refuse) -> JSON:
    if "\x00" in value:
        return refuse(value, path, "text with a NUL character cannot be stored")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return refuse(value, path, "text with half a surrogate pair cannot be stored")
    return value


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} whose text raises {type(error).__name__}>"


def _clean_text(text: str) -> str:
    if "\x00" in text:
        text = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return text if text.isascii() else text.encode(errors="replace").decode()
