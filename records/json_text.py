"""JSON as text: read and told where it is wrong, and written by orjson.

Doors call it, and whatever reads or writes values; it loads nothing of the REST framework but the name of an error.
"""

import json
from typing import Any

import orjson
from rest_framework.exceptions import ParseError

MAX_DEPTH = 100
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def parse_json(text: bytes | str, where: str = "") -> Any:
    """Return the value of a JSON text. Raises ParseError saying what is wrong and where."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ParseError(f"{where or 'The body'} is not JSON: {error.msg.split(':')[0]}: {place}.") from error
    raw = text.encode() if isinstance(text, str) else text
    if b"\\u0000" in raw or raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check(value, where, 0)
    return value


def dump_json(value: Any) -> bytes:
    """Return `value` as JSON; numbers beyond 64 bits, which orjson refuses, are written too."""
    try:
        return orjson.dumps(value, option=_OPTIONS, default=str)
    except TypeError:
        return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    # Through orjson, so that moments look the same on both ways.
    return orjson.loads(orjson.dumps(value, option=_OPTIONS, default=str))


def _check(value: Any, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ParseError(f"{where or 'The body'} is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, str) and "\0" in value:
        raise ParseError(f"{where or 'The body'} contains a null character, which cannot be stored.")
    if isinstance(value, dict):
        for name, part in value.items():
            _check(name, where, depth)
            _check(part, f"{where}.{name}".lstrip("."), depth + 1)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _check(part, f"{where}[{number}]", depth + 1)
