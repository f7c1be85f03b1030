"""From the fields of a POST to the value that they describe.

An empty field leaves its property out, so a default or "required" of the schema can speak. What cannot be read as its
type stays the text that was typed: the schema then says what is wrong with it.
"""

import contextlib
import math
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from records.forms.faults import Fault, find_faults
from records.forms.grammar import (
    Schema,
    choices_of,
    consts_of,
    element_of,
    properties_of,
    required_of,
    resolve,
    type_of,
    variants_of,
)
from records.forms.naming import AS, RAW, WAY, ZONE, below, numbers_below
from records.texts import read_value

_MISSING: Any = object()
_MOST_ROWS = 1_000


def read(schema: Schema, post: QueryDict, prefix: str = "") -> tuple[Any, list[Fault]]:
    """Return the value that the fields describe, and what is wrong with it."""
    value, unread = read_fields(schema, post, prefix)
    unread_at = {fault.path for fault in unread}
    faults = [fault for fault in find_faults(schema, value) if fault.path not in unread_at]
    return value, unread + faults


def read_fields(schema: Schema, post: QueryDict, prefix: str = "") -> tuple[Any, list[Fault]]:
    """Return the value that the fields describe, and what could not be read at all. Nothing is checked."""
    if post.get(f"{prefix}{AS}") == "raw":
        text = post.get(f"{prefix}{RAW}", "")
        try:
            return (read_value(text) if text.strip() else {}), []
        except ValidationError as error:
            return text, [Fault((), "syntax", " ".join(error.messages))]
    reader = _Reader(schema, post)
    value = reader.object(schema, prefix, (), 0)
    return value, reader.unread


class _Reader:
    def __init__(self, root: Schema, post: QueryDict) -> None:
        self.root, self.post = root, post
        self.unread: list[Fault] = []

    def object(self, schema: Schema, name: str, path: tuple[Any, ...], depth: int) -> dict[str, Any]:
        found = dict(consts_of(schema, self.root))
        required = required_of(schema)
        for key, each in properties_of(schema, self.root):
            if key in found:
                continue
            value = self.field(each, below(name, key), (*path, key), depth + 1)
            is_left_out = value is _MISSING or (
                key not in required and isinstance(value, dict | list) and _is_blank(value, each, self.root)
            )
            if not is_left_out:
                found[key] = value
        return found

    def field(self, schema: Schema, name: str, path: tuple[Any, ...], depth: int) -> Any:
        element = element_of(schema, self.root, depth)
        match element:
            case "markdown" | "submit":
                return _MISSING
            case "object":
                return self.object(schema, name, path, depth)
            case "variants":
                return self.variant(schema, name, path, depth)
            case "array":
                return self.rows(schema, name, path, depth)
            case "checkboxes":
                items = resolve(schema["items"], self.root)
                return [_chosen(items, text) for text in self.post.getlist(name)]
            case "toggle":
                return name in self.post
        text = self.post.get(name, "").replace("\r\n", "\n")
        if element not in ("string", "textarea", "password"):
            text = text.strip()
        if text == "":
            return _MISSING
        match element:
            case "select" | "radio":
                return _chosen(schema, text)
            case "number":
                return _number(text)
            case "date-time":
                return _moment(text, self.post.get(name + ZONE, ""))
            case "time":
                return _time(text, self.post.get(name + ZONE, ""))
            case "code":
                return self.code(schema, text, path)
        return text

    def variant(self, schema: Schema, name: str, path: tuple[Any, ...], depth: int) -> Any:
        ways = variants_of(schema, self.root)
        chosen = self.post.get(name + WAY, "")
        if not chosen.isdecimal() or int(chosen) >= len(ways):
            return _MISSING
        return self.object(ways[int(chosen)], below(name + WAY, int(chosen)), path, depth)

    def rows(self, schema: Schema, name: str, path: tuple[Any, ...], depth: int) -> list[Any]:
        items = resolve(schema["items"], self.root)
        found: list[Any] = []
        for number in numbers_below(name, self.post)[:_MOST_ROWS]:
            value = self.field(items, below(name, number), (*path, len(found)), depth + 1)
            if value is not _MISSING and not _is_blank(value, items, self.root):
                found.append(value)
        return found

    def code(self, schema: Schema, text: str, path: tuple[Any, ...]) -> Any:
        if type_of(schema) == "string":
            return text
        try:
            return read_value(text)
        except ValidationError as error:
            self.unread.append(Fault(path, "syntax", " ".join(error.messages)))
            return text


def _is_blank(value: Any, schema: Schema, root: Schema) -> bool:
    """Tell whether nothing was filled in: what is there is what an untouched field gives."""
    if isinstance(value, bool):
        return value == bool(schema.get("default", False))
    if isinstance(value, list):
        return not value and not schema.get("default")
    if isinstance(value, dict):
        if element_of(schema, root) == "variants":  # choosing a way is an answer
            return False
        known = dict(properties_of(schema, root))
        consts = dict(consts_of(schema, root))
        return all(
            key in consts or (key in known and _is_blank(each, known[key], root))
            for key, each in value.items()
        )
    return False


def _chosen(schema: Schema, text: str) -> Any:
    """Return the choice with this number, or what was sent instead of one."""
    choices = choices_of(schema)
    return choices[int(text)][0] if text.isdecimal() and int(text) < len(choices) else text


def _number(text: str) -> Any:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            number = kind(text)
            return number if math.isfinite(number) else text
    return text


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):  # unknown, malformed, a folder of zones
        return ZoneInfo("UTC")


def _moment(text: str, zone: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment if moment.tzinfo else moment.replace(tzinfo=_zone(zone))).isoformat()


def _time(text: str, zone: str) -> str:
    """Return a time of day with the offset that its zone has today."""
    try:
        given = time.fromisoformat(text)
    except ValueError:
        return text
    if given.tzinfo:
        return given.isoformat()
    today = timezone.now().astimezone(_zone(zone)).date()
    return datetime.combine(today, given, _zone(zone)).isoformat().partition("T")[2]
