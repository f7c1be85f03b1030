"""Projects and flows over REST: created, read, changed, trashed, restored, duplicated; versions and checks."""

from typing import Any

import pytest

from flows.models import Flow
from flows.operations import BOILERPLATE
from tests.cast import Cast
from tests.rest.conftest import SCRIPT, Answer, Caller


def test_a_flow_is_created_with_a_first_script(alice: Caller, cast: Cast) -> None:
    made = alice.post("/flow", {"name": " Report ", "project_name": "Workshop"})
    assert made.status == 201
    assert made.body["name"] == "Report"
    assert made.body["script"] == BOILERPLATE
    assert made.body["project_id"] == str(cast.workshop.pk)
    assert made.body["created_by_id"] == made.body["modified_by_id"] == str(cast.alice.pk)
    assert made.body["problems"] == []
    assert made.headers["Location"] == f"/api/latest/flow/{made.body['id']}"
    read = alice.get(f"/flow/{made.body['id']}").body
    assert read == {name: value for name, value in made.body.items() if name != "problems"}
    assert read["created_at"].endswith("Z")


def test_a_flow_goes_to_the_default_project_unless_told(root: Caller, cast: Cast) -> None:
    assert root.post("/flow", {"name": "A"}).body["project_id"] == str(cast.default.pk)
    by_id = root.post("/flow", {"name": "B", "project_id": str(cast.attic.pk)})
    assert by_id.body["project_id"] == str(cast.attic.pk)


def test_a_project_is_given_one_way_and_must_be_visible(alice: Caller, bob: Caller, cast: Cast) -> None:
    both = {"name": "A", "project_id": str(cast.attic.pk), "project_name": "Attic"}
    assert alice.post("/flow", both).details.keys() == {"project_name"}
    assert bob.post("/flow", {"name": "A", "project_name": "Attic"}).details.keys() == {"project_name"}
    assert bob.post("/flow", {"name": "A", "project_id": str(cast.attic.pk)}).details.keys() == {"project_id"}
    assert bob.post("/flow", {"name": "A", "project_id": 5}).details.keys() == {"project_id"}
    assert bob.post("/flow", {"name": "A", "project_name": "Workshop"}).status == 403


def test_problems_are_told_with_their_place_and_do_not_refuse(alice: Caller, flow: Flow) -> None:
    saved = alice.patch(f"/flow/{flow.pk}", {"script": "def handler(system):\n    pass\n\nx = = 1\n"})
    assert saved.status == 200
    assert saved.body["has_syntax_error"] is True
    assert saved.body["version"] == 2
    [problem] = saved.body["problems"]
    assert (problem["line"], problem["severity"]) == (4, "error")
    assert isinstance(problem["column"], int)
    mended = alice.patch(f"/flow/{flow.pk}", {"script": SCRIPT})
    assert (mended.body["problems"], mended.body["has_syntax_error"]) == ([], False)


def test_a_script_is_checked_without_being_stored(carol: Caller) -> None:
    answer = carol.post("/flow/check", {"script": "def handler(only):\n    pass"})
    assert answer.status == 200
    assert answer.body["problems"][0]["line"] == 1
    assert answer.body["has_syntax_error"] is True
    assert carol.post("/flow/check", {"script": SCRIPT}).body == {"problems": [], "has_syntax_error": False}
    assert carol.post("/flow/check", {}).details.keys() == {"script"}
    assert carol.post("/flow/check", {"script": 5}).details.keys() == {"script"}


def test_only_given_fields_change(alice: Caller, flow: Flow) -> None:
    before = alice.get(f"/flow/{flow.pk}").body
    after = alice.patch(f"/flow/{flow.pk}", {"priority": 7, "input_schema": {"type": "object"}}).body
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"priority", "input_schema", "modified_at"}
    assert alice.patch(f"/flow/{flow.pk}", {"input_schema": None}).body["input_schema"] is None


def test_a_schema_that_is_none_is_refused(alice: Caller, flow: Flow) -> None:
    answer = alice.patch(f"/flow/{flow.pk}", {"input_schema": {"type": "nonsense"}})
    assert answer.status == 400
    assert answer.details.keys() == {"input_schema"}


def test_a_flow_moves_between_projects(alice: Caller, bob: Caller, flow: Flow, cast: Cast) -> None:
    moved = alice.patch(f"/flow/{flow.pk}", {"project_name": "Attic"})
    assert moved.body["project_id"] == str(cast.attic.pk)
    assert bob.get(f"/flow/{flow.pk}").status == 404


def test_by_name(alice: Caller, flow: Flow) -> None:
    assert alice.get(f"/flow/{flow.name}", {"by": "name"}).body["id"] == str(flow.pk)
    assert alice.patch(f"/flow/{flow.name}", {"name": "Weekly/report"}, {"by": "name"}).status == 200
    assert alice.get("/flow/Weekly/report", {"by": "name"}).body["id"] == str(flow.pk)
    assert alice.get("/flow/Weekly%2Freport", {"by": "name"}).body["id"] == str(flow.pk)
    assert alice.get("/flow/Nothing", {"by": "name"}).status == 404


def test_fields_of_one_record(alice: Caller, flow: Flow) -> None:
    assert alice.get(f"/flow/{flow.pk}", {"fields": "name, id"}).body == {
        "name": flow.name,
        "id": str(flow.pk),
    }


def test_trash_and_restore(alice: Caller, flow: Flow) -> None:
    path = f"/flow/{flow.pk}"
    assert alice.delete(path).status == 204
    assert alice.get(path).status == 404
    assert alice.delete(path).status == 404
    assert alice.get("/flow").names() == []
    assert alice.get("/flow", {"trashed": "true"}).names() == [flow.name]
    assert alice.get(path, {"trashed": "true"}).body["deleted_at"] is not None
    restored = alice.post(f"{path}/restore")
    assert restored.status == 200
    assert restored.body["deleted_at"] is None
    assert alice.post(f"{path}/restore").status == 404
    assert alice.get(path).status == 200


def test_a_name_can_be_taken_while_its_owner_is_in_the_trash(alice: Caller, flow: Flow) -> None:
    alice.delete(f"/flow/{flow.pk}")
    assert alice.post("/flow", {"name": flow.name, "project_name": "Workshop"}).status == 201
    refused = alice.post(f"/flow/{flow.pk}/restore")
    assert (refused.status, refused.code) == (409, "conflict")


def test_duplicate(alice: Caller, bob: Caller, flow: Flow) -> None:
    first = alice.post(f"/flow/{flow.pk}/duplicate")
    assert first.status == 201
    assert (first.body["name"], first.body["script"]) == ("Daily report copy", SCRIPT)
    assert alice.post(f"/flow/{flow.pk}/duplicate").body["name"] == "Daily report copy 2"
    assert alice.post(f"/flow/{flow.pk}/duplicate", {"name": "Mine"}).body["name"] == "Mine"
    assert alice.post(f"/flow/{flow.pk}/duplicate", {"name": "Mine"}).status == 409
    assert bob.post(f"/flow/{flow.pk}/duplicate").status == 403


def test_versions(alice: Caller, flow: Flow) -> None:
    path = f"/flow/{flow.pk}"
    for number in range(2, 6):
        alice.patch(path, {"script": f"{SCRIPT}# {number}\n"})
    listed = alice.get(f"{path}/versions", {"limit": 2}).body
    assert [row["number"] for row in listed["results"]] == [5, 4]
    rest = alice.get(f"{path}/versions", {"before": listed["next"]}).body
    assert [row["number"] for row in rest["results"]] == [3, 2, 1]
    assert rest["next"] is None
    assert alice.get(f"{path}/versions/3").body["script"] == f"{SCRIPT}# 3\n"
    assert alice.get(f"{path}/versions/9").status == 404
    assert alice.get(f"{path}/versions/99999999999999999999").status == 404
    back = alice.post(f"{path}/versions/1/restore")
    assert (back.body["version"], back.body["script"], back.body["problems"]) == (6, SCRIPT, [])
    assert alice.post(f"{path}/versions/9/restore").status == 404


def test_projects(root: Caller, alice: Caller, carol: Caller, cast: Cast) -> None:
    assert alice.post("/project", {"name": "Cellar"}).status == 403
    made = root.post("/project", {"name": "Cellar", "description": "below"})
    assert made.status == 201
    assert sorted(alice.get("/project").names()) == ["Attic", "Workshop"]
    assert carol.get("/project").names() == ["Workshop"]
    path = f"/project/{made.body['id']}"
    assert root.patch(path, {"name": "Vault"}).body["name"] == "Vault"
    assert root.delete(path).status == 204
    assert root.post(f"{path}/restore").body["name"] == "Vault"


def test_the_default_project_stays(root: Caller, cast: Cast) -> None:
    path = f"/project/{cast.default.pk}"
    for answer in (root.delete(path), root.patch(path, {"name": "Other"})):
        assert (answer.status, answer.code) == (409, "conflict")
    assert root.patch(path, {"description": "for everyone"}).status == 200


def test_what_lives_in_a_trashed_project_leaves_the_lists(root: Caller, flow: Flow, cast: Cast) -> None:
    root.post("/execution", {"flow_id": str(flow.pk)})
    assert root.get("/flow").names() == [flow.name]
    assert root.get("/execution").names() == [flow.name]
    root.delete(f"/project/{cast.workshop.pk}")
    assert root.get("/flow").names() == []
    assert root.get("/execution").names() == []


WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", "", {"description": "x"}),
    ("DELETE", "", None),
    ("POST", "/duplicate", {}),
    ("POST", "/versions/1/restore", {}),
]


@pytest.mark.parametrize(("method", "tail", "body"), WRITES)
def test_who_may_write_flows(
    root: Caller,
    alice: Caller,
    bob: Caller,
    carol: Caller,
    mallory: Caller,
    flow: Flow,
    method: str,
    tail: str,
    body: Any,
) -> None:
    def status_for(caller: Caller) -> int:
        answer: Answer = caller.call(method, f"/flow/{flow.pk}{tail}", body)
        return answer.status

    assert status_for(mallory) == 404
    assert (status_for(carol), status_for(bob)) == (403, 403)
    assert status_for(alice) < 300
    if method == "DELETE":
        assert root.post(f"/flow/{flow.pk}/restore").status == 200
    assert status_for(root) < 300


def test_who_may_read_flows(
    root: Caller, alice: Caller, bob: Caller, carol: Caller, mallory: Caller, flow: Flow
) -> None:
    for caller in (root, alice, bob, carol):
        assert caller.get(f"/flow/{flow.pk}").status == 200
        assert caller.get("/flow").names() == [flow.name]
        assert caller.get(f"/flow/{flow.pk}/versions").status == 200
    assert mallory.get("/flow").names() == []
    assert mallory.get(f"/flow/{flow.pk}/versions").status == 404
    assert mallory.get(f"/flow/{flow.pk}/versions/1").status == 404
    assert mallory.get("/flow", {"trashed": "true"}).names() == []
