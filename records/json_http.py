"""JSON over HTTP: bodies read with a size limit, and answers.

Every REST view uses both; they know nothing of records. The texts themselves are read and written by `json_text.py`.
"""

from collections.abc import Iterable, Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from records.json_text import dump_json, parse_json

MAX_BODY_BYTES = 10_000_000


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
