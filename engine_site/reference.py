"""The page on which people read the REST API: its description, arranged by record type, with commands to copy.

Made once per process from the same description that `/api/latest/schema` serves.
"""

import json
import shlex
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from drf_spectacular.generators import SchemaGenerator

from access.pages import page
from records.filters import OPERATORS
from records.listing import DEFAULT_LIMIT, MAX_LIMIT
from records.openapi import ERRORS
from records.templatetags.ui import with_code

_ORDER = ("execution", "flow", "webhook", "project", "api_key", "user", "process", "auth")
_TITLES = {"api_key": "API keys", "auth": "Signing in and out", "process": "Processes"}


@require_GET
@page
def api_docs(request: HttpRequest) -> HttpResponse:
    """Show the REST API."""
    context = {
        "groups": groups(),
        "base_url": request.build_absolute_uri("/").rstrip("/"),
        "errors": {code: with_code(words) for code, words in ERRORS.items()},
        "operators": OPERATORS,
        "default_limit": DEFAULT_LIMIT,
        "max_limit": MAX_LIMIT,
    }
    return render(request, "site/api_docs.html", context)


@cache
def groups() -> list[dict[str, Any]]:
    """Return the operations by record type, in the order people look for them."""
    description = SchemaGenerator().get_schema(request=None, public=True)
    shapes = description["components"]["schemas"]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _ORDER}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            shown = _operation(path, method.upper(), operation, shapes)
            found.setdefault(operation["tags"][0], []).append(shown)
    return [
        {"name": name, "title": _TITLES.get(name, f"{name.title()}s"), "operations": sorted(rows, key=_place)}
        for name, rows in found.items()
    ]


def _place(shown: dict[str, Any]) -> tuple[int, int, int]:
    path, methods = shown["path"], ("GET", "POST", "PATCH", "DELETE")
    is_bulk = path.endswith(("/cancel", "/rerun", "/delete")) and "{" not in path
    return int(is_bulk), path.count("/"), methods.index(shown["method"])


def _operation(path: str, method: str, operation: dict[str, Any], shapes: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    success = next(code for code in operation["responses"] if code.startswith("2"))
    answer = operation["responses"][success].get("content", {}).get("application/json", {})
    return {
        "id": operation["operationId"],
        "method": method,
        "path": path.removeprefix("/api/latest"),
        "summary": operation["summary"],
        "description": with_code(operation["description"]),
        "parameters": [
            {
                "name": p["name"],
                "where": p["in"],
                "words": p.get("description", ""),
                "type": _type(p["schema"], shapes),
            }
            for p in operation["parameters"]
        ],
        "body": _properties(content.get("schema"), shapes),
        "command": _command(path, method, content.get("example")),
        "success": success,
        "answer": _properties(answer.get("schema"), shapes),
        "errors": sorted(code for code in operation["responses"] if not code.startswith("2")),
    }


def _properties(shape: dict[str, Any] | None, shapes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of an object's shape, with those of a list's rows told apart."""
    if shape is None:
        return []
    if "allOf" in shape:
        return [row for part in shape["allOf"] for row in _properties(part, shapes)]
    shape = _resolved(shape, shapes)
    required = shape.get("required", ())
    rows = []
    for name, part in shape.get("properties", {}).items():
        inner = _resolved(part, shapes)
        rows.append(
            {
                "name": name,
                "type": _type(part, shapes),
                "words": inner.get("description", ""),
                "required": name in required,
                "choices": [str(value) for value in inner.get("enum", ()) if value],
                "rows": _properties(inner["items"], shapes) if inner.get("type") == "array" else [],
            }
        )
    return rows


def _resolved(shape: dict[str, Any], shapes: dict[str, Any]) -> dict[str, Any]:
    name = shape.get("$ref", "").rsplit("/", 1)[-1]
    found: dict[str, Any] = shapes[name] if name else shape
    return found


def _type(shape: dict[str, Any], shapes: dict[str, Any]) -> str:
    shape = _resolved(shape, shapes)
    kind = shape.get("type", "any JSON")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return {"uuid": words.replace("string", "id"), "date-time": words.replace("string", "time")}.get(
        shape.get("format", ""), words
    )


def _command(path: str, method: str, example: Any) -> str:
    """Return the operation as a curl command, with $ENGINE for the site and $KEY for the key."""
    address = '"$ENGINE' + path.replace("{key}", "$ID").replace("{number}", "1") + '"'
    implied = "GET" if example is None else "POST"
    lines = [
        f"curl {address}" if method == implied else f"curl -X {method} {address}",
        '-H "Authorization: Bearer $KEY"',
    ]
    if example is not None:
        lines += [
            "-H 'Content-Type: application/json'",
            "-d " + shlex.quote(json.dumps(example, ensure_ascii=False)),
        ]
    return " \\\n  ".join(lines)
