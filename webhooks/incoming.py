"""A request as it came in, and the input that it becomes for a flow: secrets taken out, body read by its type.

Pure: knows no webhook and no database. `receiving` decides what to do with it.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.exceptions import ParseError

from records.json_text import parse_json

KEY_HEADER = "x-webhook-key"
FILTERED = "[filtered]"
WITH_BODY = ("POST", "PUT", "PATCH")
MAX_FIELDS = 10_000
# Headers that sign somebody in, whoever sends them and under whatever name.
_SECRET = re.compile(r"authorization|cookie|token|secret|password|passwd|api-?key|signature|credential")
_TEXTUAL = re.compile(r"text/|application/([\w.-]+\+)?(xml|yaml|x-yaml|javascript|graphql|sql|x-ndjson)$")


class Unreadable(Exception):
    """The request is not what it says to be; the message says where."""


class _InMemory(MemoryFileUploadHandler):
    """Keeps files in memory whatever their size: the whole body is there already."""

    def handle_raw_input(self, *args: Any, **options: Any) -> None:
        self.activated = True


@dataclass
class Incoming:
    """One request. `path` is what stands behind /call, `headers` have their names in lower case."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    remote_address: str
    body: bytes = b""
    query: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.query = _pairs(self.query_string, "The query")

    @property
    def is_async(self) -> bool:
        """Whether the caller does not want to wait."""
        return self._parameter("async").lower() in ("1", "true", "yes", "on")

    def _parameter(self, name: str) -> str:
        return next((value for key, value in self.query if key == name), "")

    def find_key(self, body: dict[str, Any]) -> tuple[str, str]:
        """Return the key that was sent, and where: in header, query or json, the first that has one. Else twice ""."""
        if header := self.headers.get(KEY_HEADER):
            return header, "header"
        if parameter := self._parameter("key"):
            return parameter, "query"
        value = body["json"].get("key") if isinstance(body.get("json"), dict) else None
        return (value, "json") if isinstance(value, str) and value else ("", "")

    def read_body(self) -> dict[str, Any]:
        """Return the body as json, form and files, text or base64; nothing when there is none. Raises Unreadable."""
        if self.method not in WITH_BODY or not self.body:
            return {}
        kind, _, options = self.headers.get("content-type", "").partition(";")
        kind = kind.strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            return {"json": _json(self.body)}
        if kind == "application/x-www-form-urlencoded":
            return {"form": _grouped(_pairs(self.body.decode("utf-8", "replace"), "The form"))}
        if kind == "multipart/form-data":
            return self._parts()
        if not kind or _TEXTUAL.match(kind):
            charset = re.search(r"charset=\"?([\w-]+)", options, re.IGNORECASE)
            try:
                text = self.body.decode(charset[1] if charset else "utf-8")
            except (UnicodeDecodeError, LookupError):
                text = "\0"
            if "\0" not in text:  # which the database cannot hold
                return {"text": text}
        return {"base64": base64.b64encode(self.body).decode()}

    def _parts(self) -> dict[str, Any]:
        meta = {"CONTENT_TYPE": self.headers["content-type"], "CONTENT_LENGTH": str(len(self.body))}
        try:
            form, files = MultiPartParser(meta, BytesIO(self.body), [_InMemory()], "utf-8").parse()
        except (MultiPartParserError, SuspiciousOperation, UnicodeError) as error:
            raise Unreadable(f"The body is no good multipart/form-data: {error}") from error
        return {
            "form": _plain(form.lists()),
            "files": [
                {
                    "field": _storable(name),
                    "filename": _storable(file.name or ""),
                    "content_type": _storable(file.content_type or ""),
                    "size": file.size,
                    "base64": base64.b64encode(file.read()).decode(),
                }
                for name, found in files.lists()
                for file in found
            ],
        }

    def as_input(self, body: dict[str, Any], secret_headers: Iterable[str], key_from: str) -> dict[str, Any]:
        """Return what the flow gets. What was for the webhook alone is not in it: the key is left out where it was."""
        hidden = {*secret_headers, KEY_HEADER}
        ours = {"async", "key"} if key_from == "query" else {"async"}
        if key_from == "json":
            body = {**body, "json": {name: value for name, value in body["json"].items() if name != "key"}}
        return {
            "method": self.method,
            "path": _storable(self.path),
            "query": _grouped(pair for pair in self.query if pair[0] not in ours),
            "headers": {
                _storable(name): FILTERED if name in hidden or _SECRET.search(name) else _storable(value)
                for name, value in self.headers.items()
            },
            "remote_address": self.remote_address,
            **body,
        }


def _json(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ParseError as error:
        raise Unreadable(str(error.detail)) from error


def _pairs(text: str, where: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise Unreadable(f"{where} has more than {MAX_FIELDS:,} fields.") from error


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return _plain(lists.items())


def _plain(lists: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return fields with their values: a text, or a list where a name was given several times."""
    return {
        _storable(name): _storable(values[0]) if len(values) == 1 else [_storable(value) for value in values]
        for name, values in lists
    }


def _storable(text: Any) -> str:
    """Return a text as the database can hold it."""
    return str(text).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
