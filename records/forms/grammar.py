"""The grammar of forms: what a schema says about each of its fields. Reading and drawing both ask here.

A word of presentation (`label`, `order`, ...) may also be written with `form-` in front, as extensions of JSON Schema
are in other tools; that one wins. What has no such word is understood from plain JSON Schema.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from django.core.exceptions import ValidationError

Schema = Mapping[str, Any]
DEEPEST = 8  # nested schemas beyond are edited as text

ELEMENTS = (
    "string", "textarea", "password", "number", "toggle", "date", "time", "date-time", "select", "radio",
    "checkboxes", "object", "array", "variants", "code", "markdown", "submit",
)  # fmt: skip
_SAME = {
    "text": "string", "integer": "number", "boolean": "toggle", "checkbox": "toggle", "enum": "select",
    "datetime": "date-time", "multiline": "textarea", "json": "code", "yaml": "code",
}  # fmt: skip
_OF_FORMAT = {
    "date": "date",
    "time": "time",
    "date-time": "date-time",
    "password": "password",
    "textarea": "textarea",
}
_LONG_TEXT = 300

_TEXT = {"type": "string"}
_WORDS: dict[str, Any] = {
    "element": {"enum": [*ELEMENTS, *_SAME]},
    "label": _TEXT,
    "help": _TEXT,
    "order": {"type": "number"},
    "placeholder": _TEXT,
}
META_SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Form",
    "description": "A JSON Schema of an object, with words that say how its properties are shown.",
    "allOf": [{"$ref": "http://json-schema.org/draft-07/schema#"}],
    "type": "object",
    "properties": {
        "type": {"const": "object"},
        "properties": {"type": "object", "additionalProperties": {"$ref": "#/definitions/field"}},
    },
    "definitions": {
        "field": {
            "properties": {
                **_WORDS,
                **{f"form-{word}": rule for word, rule in _WORDS.items()},
                "example": {"description": "Shown in the empty field"},
                "description": {
                    "type": "string",
                    "description": "Help below the field; the text of a markdown",
                },
                "required": {
                    "description": "On a submit: the fields that are required when this button is pressed"
                },
                "properties": {"type": "object", "additionalProperties": {"$ref": "#/definitions/field"}},
            }
        }
    },
}


def check_form(schema: Any) -> None:
    """Raise ValidationError saying where `schema` is no form."""
    for rules in (jsonschema.Draft7Validator.META_SCHEMA, META_SCHEMA):
        error = jsonschema.exceptions.best_match(jsonschema.Draft7Validator(rules).iter_errors(schema))
        if error is not None:
            where = ".".join(map(str, error.absolute_path)) or "the form"
            raise ValidationError(f"{where}: {error.message[:300]} (rule {error.validator!r})")


def has_fields(schema: Any) -> bool:
    """Tell whether there is anything to fill in."""
    return isinstance(schema, Mapping) and any(
        element_of(each) not in ("markdown", "submit") for _, each in properties_of(schema, schema)
    )


def word(schema: Schema, name: str, default: Any = None) -> Any:
    """Return a word of presentation."""
    return schema.get(f"form-{name}", schema.get(name, default))


def resolve(schema: Any, root: Schema) -> Schema:
    """Return the schema that a local `$ref` leads to, with the words beside the reference over it."""
    found: Schema = schema if isinstance(schema, Mapping) else {}
    for _ in range(DEEPEST):
        reference = found.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        target: Any = root
        for step in reference[1:].strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, Mapping) and step else target
        beside = {name: value for name, value in found.items() if name != "$ref"}
        found = {**(target if isinstance(target, Mapping) else {}), **beside}
    return found


def properties_of(schema: Schema, root: Schema) -> list[tuple[str, Schema]]:
    """Return the properties in the order in which they are shown."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return []
    found = [(str(key), resolve(each, root)) for key, each in properties.items()]
    # A database may forget the order of an object's keys; that of a list it keeps.
    required = {key: number for number, key in enumerate(required_of(schema))}

    def place(item: tuple[str, Schema]) -> tuple[float, int]:
        order = word(item[1], "order")
        is_number = isinstance(order, int | float) and not isinstance(order, bool)
        return (order if is_number else float("inf"), required.get(item[0], len(required)))

    return sorted(found, key=place)


def required_of(schema: Schema) -> list[str]:
    """Return the names of the required properties."""
    required = schema.get("required")
    return [str(key) for key in required] if isinstance(required, list) else []


def type_of(schema: Schema) -> str:
    """Return the one type that values are to have, as far as the schema names it."""
    given = schema.get("type")
    if isinstance(given, list):
        given = next((each for each in given if each != "null"), None)
    if isinstance(given, str):
        return given
    known = [*schema["enum"]] if isinstance(schema.get("enum"), list) else []
    known += [schema["const"]] if "const" in schema else []
    if known and all(isinstance(each, str) for each in known):
        return "string"
    return "object" if "properties" in schema else ""


def choices_of(schema: Schema) -> list[tuple[Any, str]]:
    """Return the values to choose from, each with its words; none when the schema is not a choice."""
    if isinstance(schema.get("enum"), list):
        names = word(schema, "enumNames")
        names = names if isinstance(names, list) else []
        return [
            (value, str(names[n]) if n < len(names) else _shown(value))
            for n, value in enumerate(schema["enum"])
        ]
    for key in ("oneOf", "anyOf"):
        ways = schema.get(key)
        if (
            isinstance(ways, list)
            and ways
            and all(isinstance(way, Mapping) and "const" in way for way in ways)
        ):
            return [(way["const"], str(way.get("title", _shown(way["const"])))) for way in ways]
    return []


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def variants_of(schema: Schema, root: Schema) -> list[Schema]:
    """Return the objects that a value may be one of; none when the schema is not such a choice."""
    for key in ("oneOf", "anyOf"):
        ways = schema.get(key)
        if not isinstance(ways, list) or not ways:
            continue
        found = [resolve(way, root) for way in ways]
        if all(type_of(way) == "object" for way in found):
            shared = {name: schema[name] for name in ("properties", "required") if name in schema}
            return [_merged(shared, way) for way in found]
    return []


def _merged(shared: Schema, way: Schema) -> Schema:
    properties = {**shared.get("properties", {}), **way.get("properties", {})}
    return {**way, "properties": properties, "required": [*required_of(shared), *required_of(way)]}


def consts_of(schema: Schema, root: Schema) -> Iterator[tuple[str, Any]]:
    """Return the properties that can have one value only: they tell variants apart and are not shown."""
    for key, each in properties_of(schema, root):
        if "const" in each:
            yield key, each["const"]


def element_of(schema: Schema, root: Schema | None = None, depth: int = 0) -> str:
    """Return the element that a field is shown as."""
    root = schema if root is None else root
    named = word(schema, "element")
    named = _SAME.get(named, named) if isinstance(named, str) else None
    if named in ELEMENTS and named not in ("string", "number", "object", "array", "variants"):
        return str(named)
    kind = type_of(schema) or ("string" if named == "string" else "")
    if choices_of(schema):
        return "select"
    if kind == "string":
        return _text_element(schema)
    if kind in ("number", "integer") or named == "number":
        return "number"
    if kind == "boolean":
        return "toggle"
    if depth < DEEPEST:
        if variants_of(schema, root):
            return "variants"
        if kind == "object" and schema.get("properties"):
            return "object"
        if kind == "array" and isinstance(schema.get("items"), Mapping):
            return "checkboxes" if choices_of(resolve(schema["items"], root)) else "array"
    return "code"


def _text_element(schema: Schema) -> str:
    if element := _OF_FORMAT.get(str(schema.get("format"))):
        return element
    if schema.get("writeOnly") is True:
        return "password"
    is_long = "contentMediaType" in schema or schema.get("maxLength", 0) > _LONG_TEXT
    return "textarea" if is_long else "string"
