"""Whatever is sent, to whatever address: an answer in one of the known shapes, never a 500."""

import logging
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from drf_spectacular.generators import SchemaGenerator

from flows.models import Flow
from tests.rest.conftest import Caller

VALUES: list[Any] = [
    None,
    "",
    -1,
    2**63,
    1e300,
    True,
    [],
    {"a": [1]},
    "x" * 300,
    "' OR 1=1 --",
    "💥",
    ["x", None],
]
TEXTS = [
    "",
    "-1",
    "9" * 30,
    "1e9",
    "null",
    "true",
    "[]",
    '{"a": 1}',
    "x" * 300,
    "' OR 1=1 --",
    "💥",
    "%00",
    "\\",
]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    description = SchemaGenerator().get_schema(request=None, public=True)
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path.removeprefix("/api/latest"), operation


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)  # hundreds of refusals
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def ids(root: Caller, flow: Flow) -> dict[str, str]:
    """Something to do it to, of each type."""
    ended = root.post("/execution", {"flow_id": str(flow.pk)}).body["id"]
    root.post(f"/execution/{ended}/cancel")
    return {
        "execution": ended,
        "flow": str(flow.pk),
        "project": str(flow.project_id),
        "user": "me",
        "api_key": root.get("/api_key", {"limit": 1}).body["results"][0]["id"],
    }


def check(
    caller: Caller, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
) -> None:
    answer = caller.call(method, path, body, query_params=query or {})
    assert answer.status < 500 or answer.code == "list_too_slow", (method, path, body, query, answer.body)
    if answer.status >= 400:
        assert set(answer.body["error"]) == {"code", "message", "details"}, (method, path, body, query)


def test_bodies(root: Caller, ids: dict[str, str]) -> None:
    for method, path, operation in operations():
        if method == "GET" or path == "/auth/logout":
            continue
        address = path.replace("{key}", ids.get(path.split("/")[1], "1")).replace("{number}", "1")
        shape = (
            operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        )
        for value in VALUES:
            if method != "DELETE":
                check(root, method, address, value)
            for name in shape.get("properties", {}):
                needed = dict.fromkeys(shape.get("required", ()), "x")
                check(root, method, address, {**needed, name: value})


def test_parameters(root: Caller, ids: dict[str, str]) -> None:
    for method, path, operation in operations():
        if method != "GET":
            continue
        address = path.replace("{key}", ids.get(path.split("/")[1], "1")).replace("{number}", "1")
        for parameter in operation["parameters"]:
            if parameter["in"] == "query" and parameter["name"] != "wait":
                for text in TEXTS:
                    check(root, method, address, query={parameter["name"]: text})


def test_keys(root: Caller, ids: dict[str, str]) -> None:
    for method, path, _ in operations():
        if "{key}" in path and method == "GET":
            for text in (
                "0",
                "-1",
                "9" * 40,
                "x" * 300,
                "%00",
                "..%2f..",
                "💥",
                "00000000000000000000000000000000",
                "NaN",
            ):
                check(root, method, path.replace("{key}", text).replace("{number}", "1"))
                check(
                    root, method, path.replace("{key}", text).replace("{number}", "1"), query={"by": "name"}
                )


def test_filters(root: Caller, ids: dict[str, str]) -> None:
    for kind in ("flow", "execution", "process", "user"):
        [row, *_] = root.get(f"/{kind}", {"limit": 1}).body["results"] or [{"id": None}]
        for field in row:
            for operator in ("eq", "ne", "lt", "in", "like", "is"):
                for value in (None, -1, 2**63, [], "x\\", "💥"):
                    text = orjson.dumps({"field": field, "op": operator, "value": value}).decode()
                    check(root, "GET", f"/{kind}", query={"filter": text, "limit": "1"})


@pytest.mark.parametrize(
    ("moment", "status"),
    [("0215-06-14T16:12:57-16:33", 200), ("0001-01-01T00:00:00+10:00", 400), ("2030-01-01T00:00:00", 400)],
)
def test_moments_that_the_database_does_not_know(
    root: Caller, ids: dict[str, str], moment: str, status: int
) -> None:
    answer = root.patch(f"/execution/{ids['execution']}", {"expires_at": moment})
    assert answer.status == status, answer.body
