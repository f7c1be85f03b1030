"""The description of the API is valid, complete and true, and there is a page to read it."""

import re
from typing import Any

import orjson
import pytest
import yaml
from django.test import Client
from django.urls import URLPattern
from drf_spectacular.validation import validate_schema

from engine_site import api
from tests.cast import PASSWORD, Cast
from tests.rest.conftest import SCRIPT, Caller


@pytest.fixture
def description(nobody: Caller) -> dict[str, Any]:
    answer = nobody.get("/schema", {"format": "json"}, headers={"Accept": "*/*"})
    assert answer.status == 200
    found: dict[str, Any] = orjson.loads(answer.headers.content)
    return found


def test_it_is_valid(description: dict[str, Any]) -> None:
    validate_schema(description)
    assert description["openapi"].startswith("3.1")


def test_it_is_served_as_yaml_too(nobody: Caller) -> None:
    content = nobody.get("/schema").headers.content
    assert yaml.safe_load(content)["info"]["title"] == "Engine"


def test_every_address_is_described(description: dict[str, Any]) -> None:
    served = {
        "/api/latest/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        for pattern in api.urlpatterns
        if isinstance(pattern, URLPattern) and not str(pattern.pattern).startswith("^")
    }
    served -= {"/api/latest/schema", "/api/latest/docs"}
    assert set(description["paths"]) == served


def test_every_operation_says_what_it_does(description: dict[str, Any]) -> None:
    ids = []
    for operations in description["paths"].values():
        for operation in operations.values():
            assert operation["summary"] and operation["description"]
            assert "401" in operation["responses"]
            ids.append(operation["operationId"])
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", str(description)))
    assert names <= set(description["components"]["schemas"])
    assert {"Execution", "Flow", "Project", "Error", "ApiKey"} <= names


def test_records_look_as_described(description: dict[str, Any], root: Caller, cast: Cast) -> None:
    flow = root.post("/flow", {"name": "Seen", "script": SCRIPT}).body
    execution = root.post("/execution", {"flow_id": flow["id"]}).body
    project = root.get(f"/project/{cast.default.pk}").body
    shapes = description["components"]["schemas"]
    for name, record in (("Flow", flow), ("Execution", execution), ("Project", project)):
        assert set(record) - {"problems"} == set(shapes[name]["properties"])


def test_the_examples_work(description: dict[str, Any], root: Caller) -> None:
    start = description["paths"]["/api/latest/execution"]["post"]["requestBody"]["content"][
        "application/json"
    ]
    root.post("/flow", {"name": start["example"]["flow_name"], "script": SCRIPT})
    assert root.post("/execution", start["example"]).status == 201
    for path in ("/flow", "/project", "/api_key"):
        body = description["paths"][f"/api/latest{path}"]["post"]["requestBody"]["content"][
            "application/json"
        ]
        assert root.post(path, body["example"]).status == 201


def test_the_page(cast: Cast) -> None:
    browser = Client()
    assert browser.get("/api/latest/docs").status_code == 302
    browser.post("/api/latest/auth/login", {"user_name": "carol", "password": PASSWORD}, "application/json")
    page = browser.get("/api/latest/docs")
    assert page.status_code == 200
    text = page.content.decode()
    for words in (
        "Start an execution",
        "/execution/{key}/cancel",
        "curl",
        "Idempotency-Key",
        "input_invalid",
    ):
        assert words in text
    assert "<script>" not in text and "onclick" not in text
