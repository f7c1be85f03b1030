"""The form of a connector, made of the schema of its type. Secrets are typed into it and never shown by it.

What the form does not offer stays as it is: people edit it as JSON.
"""

from collections.abc import Iterable
from typing import Any

from django.http import QueryDict

from connectors.models import Connector
from connectors.types import type_of
from connectors.types.base import ConnectionType, Inputs
from connectors.types.rest import method_of
from records import forms
from records.forms import Fault

_PREFIX = "value."
_STORED = "stored; type to replace it"


def draw(connector: Connector, value: Inputs | None = None, faults: Iterable[Fault] = ()) -> dict[str, Any]:
    """Return the fields, in two parts, filled with the connector's value or with what was typed."""
    kind, faults = _kind(connector), list(faults)
    shown = _with_method(connector.value if value is None else value)
    parts: dict[str, Any] = {}
    for part, names in (("form", kind.FORM), ("more", kind.MORE)):
        schema = _schema(connector, names)
        wrong = [fault for fault in faults if not fault.path or fault.path[0] in names]
        parts[part] = forms.render(schema, _with_defaults(schema, shown), wrong, _PREFIX)
    said = {fault.path[0] for fault in faults if fault.path} | shown.keys()
    parts["more_is_open"] = not said.isdisjoint(kind.MORE)
    return parts


def read(connector: Connector, post: QueryDict) -> tuple[Inputs, list[Fault]]:
    """Return the connector's value with what was typed, and what is wrong with that."""
    kind = _kind(connector)
    offered = (*kind.FORM, *kind.MORE)
    typed, faults = forms.read(_schema(connector, offered), post, _PREFIX)
    kept = {name: value for name, value in connector.value.items() if name not in offered}
    return {**kept, **_without_defaults(kind.SCHEMA, typed)}, faults


def _kind(connector: Connector) -> ConnectionType:
    return type_of(connector.connector_type)


def _schema(connector: Connector, names: tuple[str, ...]) -> dict[str, Any]:
    kind = _kind(connector)
    properties = {name: kind.FORM_RULES.get(name, kind.SCHEMA["properties"][name]) for name in names}
    stored = {tuple(path.split(".")) for path in connector.secret_fields}
    return {"type": "object", "properties": _marked(properties, stored, ()), "additionalProperties": False}


def _marked(
    properties: dict[str, Any], stored: set[tuple[str, ...]], path: tuple[str, ...]
) -> dict[str, Any]:
    """Return the properties with a word in the empty fields of secrets that are stored."""
    marked = {}
    for number, (name, rule) in enumerate(properties.items()):
        here = (*path, name)
        marked[name] = {**rule, "order": number} | ({"placeholder": _STORED} if here in stored else {})
        if "properties" in rule:
            marked[name]["properties"] = _marked(rule["properties"], stored, here)
        if "oneOf" in rule:
            ways = [{**way, "properties": _marked(way["properties"], stored, here)} for way in rule["oneOf"]]
            marked[name]["oneOf"] = ways
    return marked


def _with_method(value: Inputs) -> Inputs:
    """Return the value with its way to sign in named, where it is only meant."""
    login = value.get("authentication")
    if not isinstance(login, dict) or (method := method_of(login)) == "none":
        return value
    return {**value, "authentication": {**login, "authentication_method": method}}


def _with_defaults(schema: dict[str, Any], value: Any) -> Any:
    """Return the value with the defaults of truths filled in: a box cannot show that nothing is said."""
    if not isinstance(value, dict):
        return value
    filled = {name: each for name, each in value.items() if name in schema["properties"]}
    for name, rule in schema["properties"].items():
        if "properties" in rule:
            filled[name] = _with_defaults(rule, filled.get(name, {}))
        elif rule.get("type") == "boolean" and "default" in rule:
            filled.setdefault(name, rule["default"])
    return filled


def _without_defaults(schema: dict[str, Any], value: Inputs) -> Inputs:
    """Return the value without truths that are as they would be anyway, and without groups that are empty then."""
    kept: Inputs = {}
    for name, each in value.items():
        rule = schema["properties"].get(name, {})
        if "properties" in rule and isinstance(each, dict):
            each = _without_defaults(rule, each)
            if not each:
                continue
        if rule.get("type") != "boolean" or "default" not in rule or each != rule["default"]:
            kept[name] = each
    return kept
