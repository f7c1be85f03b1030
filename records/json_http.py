"""JSON over HTTP: bodies read with a size limit and told where they are wrong, answers written by orjson.

Every REST view uses both; they know nothing of records.
"""

import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

MAX_BODY_BYTES = 10_000_000
MAX_DEPTH = 100
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class BodyTooLarge(APIException):
    """The body is larger than this site takes."""

    status_code = 413
    default_code = "too_large"
    default_detail = f"The body may have {MAX_BODY_BYTES:,} bytes at most."


class JsonParser(BaseParser):
    """Reads a JSON body. Refuses what could not be stored: null characters and bottomless nesting."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        length = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            raise BodyTooLarge
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        return parse_json(body)


class JsonRenderer(BaseRenderer):
    """Writes answers as JSON; moments in UTC with a Z."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else dump_json(data)


class AlwaysJson(DefaultContentNegotiation):
    """Answers JSON whatever the caller says it would accept: there is nothing else to choose from."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


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
