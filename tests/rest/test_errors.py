"""Every error has one shape and the right status, and says what is wrong and where."""

import pytest

from executions.models import Execution
from flows.models import Flow
from records import json_http
from tests.rest.conftest import Answer, Caller


def is_error(answer: Answer, status: int, code: str) -> bool:
    assert answer.status == status, answer.body
    assert set(answer.body) == {"error"}
    assert set(answer.body["error"]) == {"code", "message", "details"}
    assert answer.code == code
    assert answer.body["error"]["message"]
    return True


def test_without_a_key_401(nobody: Caller) -> None:
    answer = nobody.get("/flow")
    assert is_error(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", ["Bearer eng_000000000000_ff", "Bearer nonsense", "Basic YTpi", "Bearer ", "eng_a_b"]
)
def test_a_wrong_key_401(nobody: Caller, header: str) -> None:
    assert is_error(nobody.get("/flow", headers={"Authorization": header}), 401, "not_authenticated")


def test_what_may_not_be_done_403(carol: Caller, flow: Flow) -> None:
    answer = carol.patch(f"/flow/{flow.pk}", {"name": "Mine"})
    assert is_error(answer, 403, "permission_denied")
    assert "UPDATE" in answer.body["error"]["message"]


def test_what_may_not_be_seen_404(mallory: Caller, flow: Flow) -> None:
    assert is_error(mallory.get(f"/flow/{flow.pk}"), 404, "not_found")
    assert is_error(mallory.patch(f"/flow/{flow.pk}", {"name": "Mine"}), 404, "not_found")
    assert is_error(mallory.delete(f"/flow/{flow.pk}"), 404, "not_found")


@pytest.mark.parametrize("path", ["/nonsense", "/flow/", "/", "/execution/1/2/3"])
def test_an_address_that_is_none_404(root: Caller, nobody: Caller, path: str) -> None:
    assert is_error(root.get(path), 404, "not_found") or path == "/flow/"


def test_a_method_that_is_none_405(root: Caller) -> None:
    answer = root.call("PUT", "/flow")
    assert is_error(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
    assert is_error(root.post("/process", {}), 405, "method_not_allowed")
    assert is_error(root.patch("/process/1", {}), 405, "method_not_allowed")


def test_another_content_type_415(root: Caller) -> None:
    answer = root.call("POST", "/flow", raw=b"name=x", content_type="application/x-www-form-urlencoded")
    assert is_error(answer, 415, "unsupported_media_type")


def test_too_large_a_body_413(root: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_http, "MAX_BODY_BYTES", 1_000)
    fits = root.post("/flow", {"name": "Small", "script": "#" * 500})
    assert fits.status == 201
    assert is_error(root.post("/flow", {"name": "Large", "script": "#" * 1_000}), 413, "too_large")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"name": "x",}', "line 1, column 13"),
        (b'{"name":\n nope}', "line 2"),
        (b"\xff\xfe", "not JSON"),
        (b'{"name": "a\\u0000b"}', "name contains a null character"),
        (b'{"input_schema": {"x": ["\\u0000"]}, "name": "x"}', "input_schema.x[0] contains a null character"),
        (b'{"name": NaN}', "not JSON"),
        (b'{"name": "\\ud800"}', "not JSON"),
        (b"[" * 300 + b"]" * 300, "nested"),
    ],
)
def test_malformed_json_400(root: Caller, body: bytes, words: str) -> None:
    answer = root.call("POST", "/flow", raw=body)
    assert is_error(answer, 400, "malformed_json")
    assert words in answer.body["error"]["message"]


@pytest.mark.parametrize("body", [[], "text", 5, True])
def test_a_body_that_is_no_object_400(root: Caller, body: object) -> None:
    assert is_error(root.post("/flow", body), 400, "input_invalid")


def test_every_wrong_field_is_named_400(root: Caller) -> None:
    answer = root.post("/flow", {"name": 5, "priority": "high", "is_readonly": 1, "description": None})
    assert is_error(answer, 400, "input_invalid")
    assert set(answer.details) == {"name", "priority", "is_readonly", "description"}
    answer = root.post("/flow", {"titel": "x", "project": "y"})
    assert set(answer.details) == {"titel", "project", "name"}


def test_values_beyond_their_range_400(root: Caller) -> None:
    answer = root.post("/flow", {"name": "x" * 129, "priority": 2**40, "max_runtime_minutes": -1})
    assert is_error(answer, 400, "input_invalid")
    assert set(answer.details) == {"name", "priority", "max_runtime_minutes"}
    assert root.post("/flow", {"name": "   "}).details.keys() == {"name"}


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/flow/abc", {}, "id"),
        ("/execution/123", {}, "id"),
        ("/process/abc", {}, "id"),
        ("/process/99999999999999999999999", {}, "id"),
        ("/flow/abc", {"by": "title"}, "by"),
        ("/execution/abc", {"by": "name"}, "by"),
        ("/flow", {"limit": "0"}, "limit"),
        ("/flow", {"limit": "501"}, "limit"),
        ("/flow", {"limit": "ten"}, "limit"),
        ("/flow", {"order": "script"}, "order"),
        ("/flow", {"order": "--name"}, "order"),
        ("/flow", {"fields": "id,titel"}, "fields"),
        ("/flow", {"fields": ","}, "fields"),
        ("/flow", {"trashed": "maybe"}, "trashed"),
        ("/flow", {"cursor": "abc"}, "cursor"),
        ("/flow", {"cursor": "é"}, "cursor"),
        ("/flow", {"cursor": "WyJuYW1lIiwxLDJd"}, "cursor"),
        ("/flow", {"stauts": "x"}, "stauts"),
        ("/flow", {"limit": "1\0"}, "limit"),
        ("/flow", {"filter": "{"}, "filter"),
        ("/execution", {"filter": '{"field": "name", "value": "a\\u0000"}'}, "filter"),
    ],
)
def test_a_wrong_address_400(root: Caller, path: str, query: dict[str, str], field: str) -> None:
    answer = root.get(path, query)
    assert is_error(answer, 400, "input_invalid")
    assert field in answer.details


def test_a_parameter_given_twice_400(root: Caller) -> None:
    answer = root.call("GET", "/flow?limit=1&limit=2")
    assert is_error(answer, 400, "input_invalid")
    assert "limit" in answer.details


def test_a_name_that_is_taken_409(root: Caller, flow: Flow) -> None:
    answer = root.post("/flow", {"name": f"  {flow.name} "})
    assert is_error(answer, 409, "conflict")
    assert list(answer.details) == ["name"]
    other = root.post("/flow", {"name": "Other"}).body["id"]
    assert is_error(root.patch(f"/flow/{other}", {"name": flow.name}), 409, "conflict")


def test_what_is_readonly_409(root: Caller, flow: Flow) -> None:
    assert root.patch(f"/flow/{flow.pk}", {"is_readonly": True}).status == 200
    assert is_error(root.patch(f"/flow/{flow.pk}", {"description": "x"}), 409, "readonly")
    assert is_error(root.delete(f"/flow/{flow.pk}"), 409, "readonly")
    assert root.patch(f"/flow/{flow.pk}", {"is_readonly": False, "description": "x"}).status == 200


def test_what_nobody_foresaw_500_says_nothing_of_itself(
    root: Caller, flow: Flow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*args: object, **options: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("executions.api.start_execution", breaks)
    answer = root.post("/execution", {"flow_id": str(flow.pk)})
    assert is_error(answer, 500, "internal_error")
    assert "secret" not in str(answer.body)
    assert "the secret of the house" in caplog.text
    assert not Execution.objects.exists()


@pytest.mark.parametrize("wanted", ["text/html", "application/xml", "*/*", "nonsense"])
def test_answers_are_json_whatever_is_accepted(root: Caller, nobody: Caller, wanted: str) -> None:
    assert root.get("/flow", headers={"Accept": wanted}).body == {"results": [], "next": None}
    assert is_error(nobody.get("/flow", headers={"Accept": wanted}), 401, "not_authenticated")


def test_head_and_options(root: Caller, flow: Flow) -> None:
    assert root.call("HEAD", "/flow").status == 200
    assert root.call("HEAD", f"/flow/{flow.pk}").status == 200
    assert root.call("OPTIONS", "/flow").status == 200


def test_both_versions_answer(root: Caller) -> None:
    assert root.client.get("/api/1/flow", headers={"Authorization": f"Bearer {root.key}"}).status_code == 200
