"""Wrappers over REST: records like flows, kept by flows, and brought by starts."""

import pytest
from django.utils import timezone

from flows.models import Flow, Wrapper
from tests.cast import Cast
from tests.rest.conftest import SCRIPT, Caller

SCHEMA = {
    "type": "object",
    "properties": {"max_tries": {"type": "integer", "minimum": 1, "default": 3}},
    "additionalProperties": False,
}


@pytest.fixture
def again(root: Caller) -> str:
    """A wrapper in the workshop; returns its id."""
    body = {"name": "again", "script": SCRIPT, "input_schema": SCHEMA, "project_name": "Workshop"}
    made = root.post("/wrapper", body)
    assert made.status == 201
    key: str = made.body["id"]
    return key


def test_a_wrapper_has_versions_and_problems(alice: Caller, again: str) -> None:
    assert alice.patch(f"/wrapper/{again}", {"script": "x = = 1"}).body["problems"][0]["line"] == 1
    assert [row["number"] for row in alice.get(f"/wrapper/{again}/versions").body["results"]] == [2, 1]
    assert alice.get(f"/wrapper/{again}/versions/1").body["script"] == SCRIPT
    assert alice.get(f"/wrapper/{again}/versions/9").status == 404
    restored = alice.post(f"/wrapper/{again}/versions/1/restore")
    assert (restored.body["version"], restored.body["has_syntax_error"]) == (3, False)


def test_a_wrapper_is_copied_trashed_and_restored(alice: Caller, bob: Caller, again: str) -> None:
    copy = alice.post(f"/wrapper/{again}/duplicate").body
    assert (copy["name"], copy["input_schema"], copy["version"]) == ("again copy", SCHEMA, 1)
    assert bob.delete(f"/wrapper/{again}").status == 403
    assert alice.delete(f"/wrapper/{again}").status == 204
    assert alice.get("/wrapper", {"fields": "name"}).names() == ["again copy"]
    assert alice.post(f"/wrapper/{again}/restore").status == 200


def test_a_flow_keeps_its_wrappers_with_their_defaults(alice: Caller, flow: Flow, again: str) -> None:
    assert alice.get(f"/flow/{flow.pk}").body["wrappers"] == []
    kept = alice.patch(f"/flow/{flow.pk}", {"wrappers": [{"name": " again "}]})
    assert kept.body["wrappers"] == [{"name": "again", "inputs": {"max_tries": 3}}]
    copy = alice.post(f"/flow/{flow.pk}/duplicate").body
    assert copy["wrappers"] == kept.body["wrappers"]
    assert alice.patch(f"/flow/{flow.pk}", {"wrappers": []}).body["wrappers"] == []


@pytest.mark.parametrize(
    ("wrappers", "words"),
    [
        ("again", "Give a list"),
        (["again"], "wrappers[0]: Give an object with the name"),
        ([{"name": "again"}, {"name": "nobody"}], "wrappers[1]: There is no wrapper 'nobody'"),
        ([{"name": "again", "input": {}}], "wrappers[0]: There is no field 'input'"),
        ([{"name": "again", "inputs": []}], "wrappers[0].inputs: Give an object"),
        (
            [{"name": "again", "inputs": {"max_tries": 0}}],
            "wrappers[0].inputs.max_tries: must be 1 or more, not 0",
        ),
        ([{"name": "again"}] * 11, "Give 10 wrappers at most"),
    ],
)
def test_a_list_that_is_none_is_refused(
    alice: Caller, flow: Flow, again: str, wrappers: object, words: str
) -> None:
    for answer in (
        alice.patch(f"/flow/{flow.pk}", {"wrappers": wrappers}),
        alice.post("/execution", {"flow_id": str(flow.pk), "wrappers": wrappers}),
    ):
        assert answer.status == 400
        assert words in answer.details["wrappers"][0]


def test_a_start_brings_wrappers(bob: Caller, flow: Flow, again: str, cast: Cast) -> None:
    body = {"flow_id": str(flow.pk), "input_value": {"a": 1}, "wrappers": [{"name": "again"}], "run": False}
    made = bob.post("/execution", body).body
    assert (made["type"], made["wrapper_id"], made["flow_id"], made["name"]) == (
        "WRAPPER", again, None, flow.name,
    )  # fmt: skip
    assert made["project_id"] == str(cast.workshop.pk)
    assert made["input_value"]["wrapper_inputs"] == {"max_tries": 3}
    assert made["input_value"]["child"]["inputs"] == {"a": 1}


def test_a_start_leaves_those_of_the_flow_out(alice: Caller, bob: Caller, flow: Flow, again: str) -> None:
    alice.patch(f"/flow/{flow.pk}", {"wrappers": [{"name": "again"}]})
    start = {"flow_id": str(flow.pk), "run": False}
    assert bob.post("/execution", start).body["type"] == "WRAPPER"
    assert bob.post("/execution", {**start, "unwrapped": True}).body["type"] == "FLOW"
    assert bob.post("/execution", {**start, "unwrapped": 1}).details.keys() == {"unwrapped"}


def test_only_whoever_may_run_a_wrapper_names_it(root: Caller, bob: Caller, flow: Flow, again: str) -> None:
    root.patch(f"/wrapper/{again}", {"project_name": "Attic"})
    body = {"flow_id": str(flow.pk), "wrappers": [{"name": "again"}], "run": False}
    assert "that you may run" in bob.post("/execution", body).details["wrappers"][0]
    # Those of a flow are the choice of its editors.
    root.patch(f"/flow/{flow.pk}", {"wrappers": [{"name": "again"}]})
    assert bob.post("/execution", {"flow_id": str(flow.pk), "run": False}).body["type"] == "WRAPPER"


def test_a_wrapper_in_use_keeps_its_name_and_its_place(root: Caller, flow: Flow, again: str) -> None:
    root.patch(f"/flow/{flow.pk}", {"wrappers": [{"name": "again"}]})
    for refused in (root.delete(f"/wrapper/{again}"), root.patch(f"/wrapper/{again}", {"name": "anew"})):
        assert (refused.status, refused.code) == (409, "conflict")
        assert repr(flow.name) in refused.details["name"][0]
    assert root.patch(f"/wrapper/{again}", {"name": "again", "description": "x"}).status == 200
    root.patch(f"/flow/{flow.pk}", {"wrappers": []})
    assert root.delete(f"/wrapper/{again}").status == 204


def test_a_wrapper_that_is_gone_is_named(root: Caller, flow: Flow, again: str) -> None:
    root.patch(f"/flow/{flow.pk}", {"wrappers": [{"name": "again"}]})
    Wrapper.objects.filter(pk=again).update(deleted_at=timezone.now())
    answer = root.post("/execution", {"flow_id": str(flow.pk)})
    assert answer.details["wrappers"] == ["wrappers[0]: There is no wrapper 'again'."]
