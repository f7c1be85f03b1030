"""What is wrong with a value: where, which value, which rule, and words for it.

Everything that takes a value with a schema checks it here, so a form, REST and a flow are told the same.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import jsonschema
from django.core.validators import validate_email
from jsonschema_specifications import REGISTRY
from referencing.exceptions import Unresolvable

from records.forms.grammar import Schema, element_of

_SHOWN_LENGTH = 80
MOST = 20  # faults that are told at once

formats = jsonschema.FormatChecker(())


def _format(name: str) -> Callable[[Callable[[str], Any]], Callable[[str], Any]]:
    def add(check: Callable[[str], Any]) -> Callable[[str], Any]:
        formats.checks(name, Exception)(lambda value: not isinstance(value, str) or check(value) is not False)
        return check

    return add


_format("date")(date.fromisoformat)
_format("uuid")(UUID)
_format("regex")(re.compile)
_format("email")(validate_email)


@_format("date-time")
def _moment(value: str) -> bool:
    return datetime.fromisoformat(value).tzinfo is not None


@_format("time")
def _time(value: str) -> bool:
    time.fromisoformat(value)
    return ":" in value


@_format("uri")
def _address(value: str) -> bool:
    return bool(urlsplit(value).scheme) and " " not in value


@dataclass(frozen=True)
class Fault:
    """One broken rule. `words` go beside the field, `told(root)` names everything for a program's log."""

    path: tuple[str | int, ...]
    rule: str
    words: str
    shown: str = ""  # the value, shortened; empty for what is missing or secret

    def told(self, root: str) -> str:
        """Return the fault with its path below `root`, the value and the rule."""
        value = f", not {self.shown}" if self.shown else ""
        return f"{path_text(root, self.path)}: {self.words}{value} (rule {self.rule})"


def path_text(root: str, path: Iterable[str | int]) -> str:
    """Return a path as scripts write it: `inputs.rows[0].name`."""
    return root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def in_words(faults: Iterable[Fault], root: str) -> list[str]:
    """Return the faults as texts, each naming path, value and rule."""
    return [fault.told(root) for fault in faults]


def find_faults(schema: Schema | bool, value: Any) -> list[Fault]:
    """Return what is wrong with `value`, in the order of its fields; nothing when it fits."""
    # The registry knows the drafts and fetches nothing: a schema's reference to an address leads nowhere.
    validator = jsonschema.Draft7Validator(schema, format_checker=formats, registry=REGISTRY)
    faults: dict[tuple[Any, ...], Fault] = {}
    try:
        for error in validator.iter_errors(value):
            for fault in _faults_of(error):
                faults.setdefault((fault.path, fault.rule), fault)
    except Unresolvable as error:
        return [
            Fault((), "$ref", f"cannot be checked: its schema refers to {error.ref!r}, which is not in it")
        ]
    return sorted(faults.values(), key=lambda fault: [str(step) for step in fault.path])[:MOST]


def _faults_of(error: Any) -> Iterable[Fault]:
    if error.validator in ("anyOf", "oneOf") and error.context:
        way = _likely_way(error)
        if way:
            for inner in way:
                yield from _faults_of(inner)
            return
    path = tuple(error.absolute_path)
    if error.validator == "required":
        yield from (
            Fault((*path, key), "required", "is required")
            for key in error.validator_value
            if key not in error.instance
        )
        return
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        extra = [key for key in error.instance if key not in known]
        if error.validator_value is False and extra and "patternProperties" not in error.schema:
            yield from (Fault((*path, key), "additionalProperties", "is not known here") for key in extra)
            return
    yield Fault(path, _rule(error), _words(error), _shown(error))


def _likely_way(error: Any) -> list[Any]:
    """Return the faults of the one way that the value means, as its constants tell; none if it is not clear."""
    ways: dict[Any, list[Any]] = {}
    for inner in error.context or ():
        ways.setdefault(inner.schema_path[0], []).append(inner)
    meant = [
        found
        for found in ways.values()
        if not any(
            each.validator in ("const", "enum") or (each.validator == "type" and not each.path)
            for each in found
        )
    ]
    return meant[0] if len(meant) == 1 else []


def _shown(error: Any) -> str:
    if isinstance(error.schema, dict) and element_of(error.schema) == "password":
        return ""
    text = json.dumps(error.instance, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"


def _rule(error: Any) -> str:
    limit = error.validator_value
    short = isinstance(limit, str | int | float) and len(str(limit)) <= _SHOWN_LENGTH
    return f"{error.validator} {limit}" if short else str(error.validator)


_TYPES = {
    "string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "object": "an object", "array": "a list", "null": "null",
}  # fmt: skip
_FORMATS = {
    "email": "an email address", "date": "a date such as 2030-01-31", "time": "a time such as 08:30:00",
    "date-time": "a moment with its zone, such as 2030-01-31T08:30:00+01:00", "uri": "an address such as https://…",
    "uuid": "an id",
}  # fmt: skip
_RULES = {
    "minLength": "must have {} or more characters", "maxLength": "must have {} characters at most",
    "minimum": "must be {} or more", "maximum": "must be {} or less", "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}", "multipleOf": "must be a multiple of {}",
    "minItems": "must have {} or more items", "maxItems": "must have {} items at most",
    "pattern": "must match the pattern {}", "minProperties": "must have {} or more fields",
    "maxProperties": "must have {} fields at most", "uniqueItems": "must not have the same item twice",
    "const": "must be {}",
}  # fmt: skip


def _words(error: Any) -> str:
    rule, limit = str(error.validator), error.validator_value
    if rule == "type":
        kinds = limit if isinstance(limit, list) else [limit]
        return "must be " + " or ".join(_TYPES.get(str(kind), str(kind)) for kind in kinds)
    if rule == "format":
        return f"must be {_FORMATS.get(str(limit), f'of the format {limit}')}"
    if rule == "enum":
        return "must be one of " + ", ".join(map(str, limit[:12])) + (", …" if len(limit) > 12 else "")
    if rule in ("anyOf", "oneOf"):
        return "fits none of the ways in which it can be given"
    return _RULES[rule].format(limit) if rule in _RULES else f"breaks the rule {rule}"
