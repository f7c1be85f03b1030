"""The description of the REST API, made from the kinds and from what each view says of itself.

The schema generator calls `RecordSchema` for every operation; views answer `describe(method)`.
"""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from drf_spectacular.openapi import AutoSchema

from records.kinds import Kind

Json = dict[str, Any]


@dataclass(frozen=True)
class Described:
    """One operation in words and shapes. `result` None means an empty answer."""

    summary: str
    result: Json | None = None
    body: Json | None = None
    status: int = 200
    example: Any = None  # of the body
    shown: Any = None  # of the answer
    errors: tuple[int, ...] = ()
    more: str = ""  # further sentences


ERRORS = {
    400: "Something in the request is wrong; `details` names each field at fault",
    401: "Nobody is signed in, or the API key is unknown, revoked or expired",
    403: "Seen, but not allowed",
    404: "Not there, or not to be seen by you",
    409: "In conflict with the present state: a name that is taken, an execution that has ended, …",
    413: "The body has more than 10 MB",
    422: "The list takes too long: narrow the filter",
    429: "Too many sign-ins failed; see `Retry-After`",
}
_PARAMETERS: dict[str, tuple[Json, str, Any]] = {
    "limit": ({"type": "integer", "minimum": 1}, "How many rows at most.", 50),
    "order": ({"type": "string"}, "A field, with a minus in front for descending.", "-id"),
    "cursor": ({"type": "string"}, "The `next` of the page before, unchanged.", None),
    "filter": (
        {"type": "string"},
        "An expression in JSON: field, op (eq ne lt le gt ge in like ilike is) and value; and, or, not.",
        '{"field": "name", "op": "like", "value": "daily-%"}',
    ),
    "fields": ({"type": "string"}, "Only these fields, with commas between them.", "id,name"),
    "trashed": ({"type": "boolean"}, "Look into the trash.", None),
    "by": ({"type": "string", "enum": ["id", "name"]}, "What the last part of the address is.", "name"),
    "wait": (
        {"type": "number", "minimum": 0, "maximum": 300},
        "Answer when it has ended, or after these seconds.",
        30,
    ),
    "after": ({"type": "integer", "minimum": 0}, "Only rows behind this number.", None),
    "before": ({"type": "integer", "minimum": 1}, "Only versions before this number.", None),
}
_TYPES: list[tuple[type[models.Field[Any, Any]], Json]] = [
    (models.UUIDField, {"type": "string", "format": "uuid"}),
    (models.BooleanField, {"type": "boolean"}),
    (models.IntegerField, {"type": "integer"}),
    (models.FloatField, {"type": "number"}),
    (models.DateTimeField, {"type": "string", "format": "date-time"}),
    (models.EmailField, {"type": "string", "format": "email"}),
    (models.CharField, {"type": "string"}),
    (models.TextField, {"type": "string"}),
]


def column_shape(column: "models.Field[Any, Any]") -> Json:
    """Return the JSON Schema of a column's values."""
    shape: Json
    if isinstance(column, ArrayField):
        shape = {"type": "array", "items": column_shape(column.base_field)}
    elif isinstance(column, models.ForeignKey):
        shape = column_shape(column.target_field)
    else:
        shape = dict(next((shape for kind, shape in _TYPES if isinstance(column, kind)), {}))
    if column.choices and shape:
        shape["enum"] = [value for value, _ in column.flatchoices]
        if column.blank:
            shape["enum"].append("")
    if isinstance(column, models.CharField) and column.max_length and not column.choices:
        shape["maxLength"] = column.max_length
    if column.null and "type" in shape:
        shape["type"] = [shape["type"], "null"]
        if "enum" in shape:
            shape["enum"].append(None)
    return shape


def kind_shape(kind: Kind) -> Json:
    """Return the JSON Schema of a record as answers show it."""
    properties = {
        name: column_shape(kind.columns[name])
        if name in kind.columns
        else kind.shapes.get(name, {"type": "boolean"})
        for name in kind.read
    }
    return {"type": "object", "properties": properties}


def body_shape(kind: Kind, required: tuple[str, ...] = ()) -> Json:
    """Return the JSON Schema of a body that sets fields of a record."""
    columns = {column.name: column for column in kind.model._meta.concrete_fields}
    properties: Json = {}
    for name in kind.write:
        if name in kind.references:
            properties[f"{name}_id"] = {"type": "string", "format": "uuid"}
            properties[f"{name}_name"] = {"type": "string"}
        else:
            # What is no column is written and never read.
            properties[name] = (
                column_shape(columns[name]) if name in columns else {"type": "object", "writeOnly": True}
            )
    return object_of(properties, required)


def object_of(properties: Json, required: tuple[str, ...] = ()) -> Json:
    """Return the shape of an object with these properties and no others."""
    shape: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**shape, "required": list(required)} if required else shape


def list_of(row: Json, following: Json | None = None) -> Json:
    """Return the shape of a page of rows."""
    return {
        "type": "object",
        "properties": {
            "results": {"type": "array", "items": row},
            "next": following or {"type": ["string", "null"]},
        },
    }


def ref(name: str) -> Json:
    """Return a reference to a shape by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def one(kind: Kind) -> str:
    """Return the kind's name with its article."""
    word = str(kind.model._meta.verbose_name)
    return f"{'an' if word[0] in 'Aaei' else 'a'} {word}"


def shape_name(kind: Kind) -> str:
    """Return the name that a kind's shape has in the description."""
    return "".join(part.title() for part in kind.name.split("_"))


class RecordSchema(AutoSchema):
    """Builds an operation from `view.describe(method)`; views without it are left out."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        self.path, self.path_regex, self.path_prefix = path, path_regex, path_prefix
        self.method, self.registry = method.upper(), registry
        describe = getattr(self.view, "describe", None)
        described = describe(self.method) if describe else None
        if described is None:
            return None
        parts = [part for part in path.split("/") if part][2:]
        operation: Json = {
            "operationId": "_".join([method.lower(), *(re.sub(r"\W", "", part) for part in parts)]),
            "tags": [parts[0]],
            "summary": described.summary,
            "description": described.more or str(self.view.__doc__ or "").split("\n\n")[0],
            "parameters": [*_path_parameters(path), *self._queries()],
            "responses": _responses(described),
        }
        if described.body is not None:
            content = {"schema": described.body, **_example(described.example)}
            operation["requestBody"] = {"content": {"application/json": content}, "required": True}
        if security := self.get_auth():
            operation["security"] = security
        return operation

    def _queries(self) -> list[Json]:
        view: Any = self.view
        names = view.accepted(self.method) if hasattr(view, "accepted") else ()
        return [
            {
                "in": "query",
                "name": name,
                "schema": shape,
                "description": words,
                **({"example": e} if e else {}),
            }
            for name, (shape, words, e) in (
                (name, _PARAMETERS[name]) for name in names if name in _PARAMETERS
            )
        ] + [
            {"in": "header", "name": name, "schema": {"type": "string"}, "description": words}
            for name, words in getattr(view, "reads_headers", {}).get(self.method, {}).items()
        ]


def _path_parameters(path: str) -> list[Json]:
    words = {"key": "The id, or with `?by=name` the name", "number": "The number of a version or savepoint"}
    return [
        {
            "in": "path",
            "name": name,
            "required": True,
            "schema": {"type": "string"},
            "description": words.get(name, ""),
        }
        for name in re.findall(r"{(\w+)}", path)
    ]


def _responses(described: Described) -> Json:
    good: Json = {"description": described.summary}
    if described.result is not None:
        good["content"] = {"application/json": {"schema": described.result, **_example(described.shown)}}
    error = {"application/json": {"schema": ref("Error")}}
    return {
        str(described.status): good,
        **{
            str(code): {"description": ERRORS[code], "content": error}
            for code in (400, 401, *described.errors)
        },
    }


def _example(value: Any) -> Json:
    return {} if value is None else {"example": value}
