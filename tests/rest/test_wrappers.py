"""Wrappers over REST: records like flows, kept by flows and connectors, and brought by starts."""

from dataclasses import dataclass

import pytest
from django.utils import timezone

from access.models import AuditEntry
from flows.models import Flow, Wrapper
from projects.models import Project
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


@dataclass(frozen=True)
class Keeper:
    """A record that can keep wrappers."""

    type: str
    key: str
    name: str

    @property
    def path(self) -> str:
        return f"/{self.type}/{self.key}"

    @property
    def start(self) -> dict[str, object]:
        return {f"{self.type}_id": self.key, "run": False}

    @property
    def started(self) -> str:
        """The type of its executions."""
        return {"flow": "FLOW", "connector": "CONNECTION"}[self.type]


@pytest.fixture(params=["flow", "connector"])
def keeper(request: pytest.FixtureRequest, alice: Caller, flow: Flow) -> Keeper:
    if request.param == "flow":
        return Keeper("flow", str(flow.pk), flow.name)
    body = {"name": "Billing", "connector_type": "REST", "project_name": "Workshop"}
    made = alice.post("/connector", body)
    assert made.status == 201
    return Keeper("connector", made.body["id"], "Billing")


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


def test_wrappers_are_kept_with_their_defaults(alice: Caller, keeper: Keeper, again: str) -> None:
    assert alice.get(keeper.path).body["wrappers"] == []
    kept = alice.patch(keeper.path, {"wrappers": [{"name": " again "}]})
    assert kept.body["wrappers"] == [{"name": "again", "inputs": {"max_tries": 3}}]
    copy = alice.post(f"{keeper.path}/duplicate").body
    assert copy["wrappers"] == kept.body["wrappers"]
    entry = AuditEntry.objects.get(record_id=keeper.key, action="update")
    assert entry.changes == {"wrappers": [[], kept.body["wrappers"]]}
    assert alice.patch(keeper.path, {"wrappers": []}).body["wrappers"] == []


def test_one_is_made_with_wrappers(alice: Caller, keeper: Keeper, again: str) -> None:
    body = {"name": "another", "project_name": "Workshop", "wrappers": [{"name": "again"}]}
    body |= {"connector_type": "REST"} if keeper.type == "connector" else {}
    made = alice.post(f"/{keeper.type}", body)
    assert (made.status, made.body["wrappers"][0]["name"]) == (201, "again")
    wrong = alice.post(f"/{keeper.type}", {**body, "name": "x", "wrappers": [{"name": "nobody"}]})
    assert "There is no wrapper 'nobody'" in wrong.details["wrappers"][0]


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
    alice: Caller, keeper: Keeper, again: str, wrappers: object, words: str
) -> None:
    for answer in (
        alice.patch(keeper.path, {"wrappers": wrappers}),
        alice.post("/execution", {**keeper.start, "wrappers": wrappers}),
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


def test_a_start_leaves_those_that_are_kept_out(
    alice: Caller, bob: Caller, keeper: Keeper, again: str
) -> None:
    alice.patch(keeper.path, {"wrappers": [{"name": "again"}]})
    made = bob.post("/execution", keeper.start).body
    assert (made["type"], made["wrapper_id"], made["name"]) == ("WRAPPER", again, keeper.name)
    assert made["input_value"]["child"][f"{keeper.type}_id"] == keeper.key
    assert bob.post("/execution", {**keeper.start, "unwrapped": True}).body["type"] == keeper.started
    assert bob.post("/execution", {**keeper.start, "unwrapped": 1}).details.keys() == {"unwrapped"}


def test_only_whoever_may_run_a_wrapper_names_it(
    root: Caller, bob: Caller, alice: Caller, keeper: Keeper, again: str
) -> None:
    root.patch(f"/wrapper/{again}", {"project_name": "Attic"})
    body = {**keeper.start, "wrappers": [{"name": "again"}]}
    assert "that you may run" in bob.post("/execution", body).details["wrappers"][0]
    # Those that are kept are the choice of its editors, also in its copies.
    root.patch(f"/wrapper/{again}", {"project_id": str(Project.default().pk)})
    assert (
        "that you may run"
        in alice.patch(keeper.path, {"wrappers": [{"name": "again"}]}).details["wrappers"][0]
    )
    root.patch(keeper.path, {"wrappers": [{"name": "again"}]})
    assert bob.post("/execution", keeper.start).body["type"] == "WRAPPER"
    assert alice.post(f"{keeper.path}/duplicate").body["wrappers"][0]["name"] == "again"


def test_a_wrapper_in_use_keeps_its_name_and_its_place(root: Caller, keeper: Keeper, again: str) -> None:
    root.patch(keeper.path, {"wrappers": [{"name": "again"}]})
    for refused in (root.delete(f"/wrapper/{again}"), root.patch(f"/wrapper/{again}", {"name": "anew"})):
        assert (refused.status, refused.code) == (409, "conflict")
        assert f"the {keeper.type} {keeper.name!r}" in refused.details["name"][0]
    assert root.patch(f"/wrapper/{again}", {"name": "again", "description": "x"}).status == 200
    root.delete(keeper.path)
    assert root.delete(f"/wrapper/{again}").status == 204


def test_a_wrapper_that_is_gone_is_named(root: Caller, keeper: Keeper, again: str) -> None:
    root.patch(keeper.path, {"wrappers": [{"name": "again"}]})
    Wrapper.objects.filter(pk=again).update(deleted_at=timezone.now())
    answer = root.post("/execution", keeper.start)
    assert answer.details["wrappers"] == ["wrappers[0]: There is no wrapper 'again'."]
    assert root.post("/execution", {**keeper.start, "unwrapped": True}).status == 201


def test_an_unknown_type_is_refused_also_through_a_wrapper(bob: Caller, again: str) -> None:
    body = {"connector_type": "SMOKE", "project_name": "Workshop", "wrappers": [{"name": "again"}]}
    assert bob.post("/execution", body).details.keys() == {"connector_type"}
