"""The description of the REST API as a whole: which addresses it covers and the shapes they share.

The settings name these hooks; the operations come from `records.openapi`.
"""

from typing import Any

from access.kinds import API_KEY
from records.kinds import all_kinds
from records.openapi import kind_shape, ref, shape_name

_FAILURE = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "examples": ["input_invalid"]},
        "message": {"type": "string"},
        "details": {
            "type": "object",
            "description": "The fields at fault, each with what is wrong",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["code", "message", "details"],
}
_PROBLEM = {
    "type": "object",
    "properties": {
        "message": {"type": "string"},
        "line": {"type": "integer", "description": "from 1"},
        "column": {"type": "integer", "description": "from 0"},
        "severity": {"type": "string", "enum": ["error", "warning"]},
    },
}


def only_latest(endpoints: list[Any], **_: Any) -> list[Any]:
    """Keep one set of addresses: those with a number are the same ones."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/latest/")]


def add_shapes(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the shapes that operations refer to by name."""
    shapes = result.setdefault("components", {}).setdefault("schemas", {})
    shapes |= {shape_name(kind): kind_shape(kind) for kind in [*all_kinds(), API_KEY]}
    shapes["Failure"], shapes["Problem"] = _FAILURE, _PROBLEM
    shapes["Error"] = {"type": "object", "properties": {"error": ref("Failure")}, "required": ["error"]}
    return result
