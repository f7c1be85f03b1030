"""Pause, resume, savepoints, restore, fork, whole projects and maintenance by REST."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from executions.models import Execution, Maintenance, Savepoint
from executions.savepoint_list import SHOWN_WHOLE
from executions.savepoints import MAX_INLINE_BYTES, Request, record
from flows.models import Flow
from tests.cast import Cast
from tests.rest import runs
from tests.rest.conftest import SCRIPT, Caller
from tests.rest.test_errors import is_error


@pytest.fixture
def execution(alice: Caller, flow: Flow) -> str:
    """A queued execution in the workshop."""
    key: str = alice.post("/execution", {"flow_id": str(flow.pk), "name": "first"}).body["id"]
    return key


@pytest.fixture
def running(execution: str) -> str:
    """The same one, running, with three calls answered."""
    runs.claim(execution)
    runs.make_calls(execution, {"rows": 1}, None, [3])
    return execution


def status_of(key: str) -> str:
    return Execution.objects.get(pk=key).status


# -- Pause and resume -------------------------------------------------------------------------------------


def test_what_no_host_holds_pauses_at_once(bob: Caller, execution: str) -> None:
    paused = bob.post(f"/execution/{execution}/pause")
    assert (paused.status, paused.body["status"], paused.body["reason"]) == (200, "PAUSED", "paused")
    resumed = bob.post(f"/execution/{execution}/resume")
    assert (resumed.status, resumed.body["status"], resumed.body["reason"]) == (200, "QUEUED", "resumed")


def test_the_pause_of_a_running_one_is_a_wish_that_can_be_taken_back(bob: Caller, running: str) -> None:
    wished = bob.post(f"/execution/{running}/pause").body
    assert (wished["status"], wished["pause_requested_at"] is None) == ("RUNNING", False)
    spared = bob.post(f"/execution/{running}/resume").body
    assert (spared["status"], spared["pause_requested_at"]) == ("RUNNING", None)
    assert is_error(bob.post(f"/execution/{running}/resume"), 409, "not_paused")


def test_children_that_belong_to_it_pause_and_resume_with_it(alice: Caller, execution: str) -> None:
    child, orphan = runs.start_child(execution, "child"), runs.start_child(execution, "orphan")
    Execution.objects.filter(pk=child).update(orphan=False)
    alice.post(f"/execution/{execution}/pause")
    assert (status_of(child), status_of(orphan)) == ("PAUSED", "QUEUED")
    alice.post(f"/execution/{execution}/resume")
    assert status_of(child) == "QUEUED"


def test_what_has_ended_or_is_not_paused_409(alice: Caller, execution: str) -> None:
    assert is_error(alice.post(f"/execution/{execution}/resume"), 409, "not_paused")
    runs.end(execution)
    assert is_error(alice.post(f"/execution/{execution}/pause"), 409, "already_ended")
    assert is_error(alice.post(f"/execution/{execution}/resume"), 409, "not_paused")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_who_may_pause_and_resume(
    bob: Caller, carol: Caller, mallory: Caller, execution: str, verb: str
) -> None:
    address = f"/execution/{execution}/{verb}"
    assert is_error(carol.post(address), 403, "permission_denied")
    assert is_error(mallory.post(address), 404, "not_found")
    assert is_error(bob.post(address, {"hard": True}), 400, "input_invalid")
    assert is_error(bob.get(address), 405, "method_not_allowed")


def test_many_pause_and_resume(alice: Caller, carol: Caller, flow: Flow) -> None:
    start = {"flow_id": str(flow.pk), "name": "one of many"}
    keys = [alice.post("/execution", start).body["id"] for _ in range(3)]
    ended = alice.post("/execution", start).body["id"]
    runs.end(ended)
    answer = alice.post("/execution/pause", {"ids": [*keys, ended, str(uuid4())]}).body
    assert [row.get("error", {}).get("code") for row in answer["results"]] == [
        None, None, None, "already_ended", "not_found",
    ]  # fmt: skip
    assert (answer["done"], answer["refused"]) == (3, 2)
    assert {status_of(key) for key in keys} == {"PAUSED"}
    assert alice.post("/execution/resume", {"ids": [keys[0]]}).body["done"] == 1
    chosen = {"filter": {"field": "name", "value": "one of many"}}
    assert {row["id"] for row in alice.post("/execution/pause", chosen).body["results"]} == {keys[0]}
    assert {row["id"] for row in alice.post("/execution/resume", chosen).body["results"]} == set(keys)
    again = alice.post("/execution/resume", {"ids": keys}).body
    assert {row["error"]["code"] for row in again["results"]} == {"not_paused"}
    refused = carol.post("/execution/pause", {"ids": keys}).body
    assert {row["error"]["code"] for row in refused["results"]} == {"permission_denied"}


def test_a_filter_finds_those_that_are_still_to_pause(alice: Caller, running: str) -> None:
    chosen = {"filter": {"field": "name", "value": "first"}}
    assert alice.post("/execution/pause", chosen).body["done"] == 1
    assert alice.post("/execution/pause", chosen).body["results"] == [], "its pause was asked for already"
    assert alice.post("/execution/resume", chosen).body["done"] == 1
    assert Execution.objects.get(pk=running).pause_requested_at is None


# -- Savepoints -------------------------------------------------------------------------------------------


def test_savepoints_are_listed_by_number(carol: Caller, running: str) -> None:
    rows = carol.get(f"/execution/{running}/savepoints").body
    assert [(row["number"], row["call"], row["line"], row["value"]) for row in rows["results"]] == [
        (1, "log", 2, {"rows": 1}),
        (2, "log", 3, None),
        (3, "log", 4, [3]),
    ]
    assert rows["next"] is None
    first = rows["results"][0]
    assert set(first) == {
        "number", "call", "line", "digest", "name", "is_pending", "at", "attempt", "value", "error", "is_cut",
    }  # fmt: skip
    assert (first["digest"], first["attempt"], first["is_pending"], first["is_cut"]) == (
        "d1",
        1,
        False,
        False,
    )


def test_errors_names_and_what_waits_are_told(carol: Caller, running: str) -> None:
    caller = runs.caller_of(running)
    record(caller, Request(4, "savepoint.save"), name="half way")
    record(
        caller, Request(5, "flow.get"), error={"type": "ResourceNotFoundError", "message": "none", "data": {}}
    )
    record(caller, Request(6, "sleep"), pending={"kind": "time", "until": "2030-01-31T08:00:00+00:00"})
    named, failed, pending = carol.get(f"/execution/{running}/savepoints", {"after": 3}).body["results"]
    assert named["name"] == "half way"
    assert (failed["value"], failed["error"]["type"]) == (None, "ResourceNotFoundError")
    assert (pending["is_pending"], pending["value"]["kind"]) == (True, "time")


def test_savepoints_page_by_number(carol: Caller, execution: str) -> None:
    runs.claim(execution)
    runs.make_calls(execution, *range(25))
    numbers: list[int] = []
    after: int | None = 0
    while after is not None:
        answer = carol.get(f"/execution/{execution}/savepoints", {"after": after, "limit": 10}).body
        numbers += [row["number"] for row in answer["results"]]
        after = answer["next"]
    assert numbers == list(range(1, 26))
    for wrong in ({"limit": 1001}, {"limit": 0}, {"after": -1}, {"after": "x"}, {"before": 3}):
        assert is_error(carol.get(f"/execution/{execution}/savepoints", wrong), 400, "input_invalid")


@pytest.mark.parametrize(
    "value", ["x" * SHOWN_WHOLE, "y" * (MAX_INLINE_BYTES + 1), {"rows": list(range(SHOWN_WHOLE))}]
)
def test_a_long_answer_is_read_by_itself(carol: Caller, running: str, value: Any) -> None:
    runs.make_calls(running, value, first=4)
    row = carol.get(f"/execution/{running}/savepoints", {"after": 3}).body["results"][0]
    assert (row["value"], row["is_cut"]) == (None, True)
    whole = carol.get(f"/execution/{running}/savepoints/4").body
    assert (whole["value"], whole["is_cut"], whole["number"]) == (value, False, 4)


def test_the_list_is_few_statements_whatever_its_length(
    alice: Caller, running: str, statements: Callable[[], Any]
) -> None:
    alice.get(f"/execution/{running}/savepoints")
    sent = []
    for count in (3, 40):
        with statements() as collected:
            rows = alice.get(f"/execution/{running}/savepoints").body["results"]
        assert len(rows) == count
        sent.append([text for text in collected if "SELECT" in text])
        if count == 3:
            runs.make_calls(running, *range(37), first=4)
    assert len(sent[0]) == len(sent[1]) <= 4, sent


@pytest.mark.parametrize("number", ["99", "0", "-1", "x", "99999999999999", "²"])
def test_a_savepoint_that_is_none_404(carol: Caller, running: str, number: str) -> None:
    assert is_error(carol.get(f"/execution/{running}/savepoints/{number}"), 404, "not_found")


def test_savepoints_of_what_may_not_be_seen_404(mallory: Caller, running: str) -> None:
    for rest in ("savepoints", "savepoints/1"):
        assert is_error(mallory.get(f"/execution/{running}/{rest}"), 404, "not_found")
    for verb in ("restore", "fork"):
        assert is_error(mallory.post(f"/execution/{running}/{verb}", {"savepoint": 1}), 404, "not_found")


# -- Restore and fork -------------------------------------------------------------------------------------


def numbers_of(key: str) -> list[int]:
    return list(
        Savepoint.objects.filter(execution_id=key).order_by("number").values_list("number", flat=True)
    )


def test_restore_drops_what_came_later(bob: Caller, running: str) -> None:
    answer = bob.post(f"/execution/{running}/restore", {"savepoint": 2})
    assert (answer.status, answer.body["status"], answer.body["reason"]) == (200, "QUEUED", "restored")
    assert numbers_of(running) == [1, 2]
    assert is_error(bob.post(f"/execution/{running}/restore", {"savepoint": 3}), 404, "not_found")


def test_restore_by_name_takes_the_newest_of_that_name(bob: Caller, running: str) -> None:
    caller = runs.caller_of(running)
    for number in (4, 5):
        record(caller, Request(number, "savepoint.save"), name="7")
    record(caller, Request(6, "log"))
    assert bob.post(f"/execution/{running}/restore", {"savepoint": "7"}).status == 200
    assert numbers_of(running) == [1, 2, 3, 4, 5]


def test_what_has_ended_is_forked_not_restored(bob: Caller, running: str) -> None:
    caller = runs.caller_of(running)
    record(caller, Request(4, "sleep"), pending={"kind": "time"})
    Execution.objects.filter(pk=running).update(host=None)
    runs.end(running)
    answer = bob.post(f"/execution/{running}/restore", {"savepoint": 1})
    assert is_error(answer, 409, "already_ended")
    assert "Fork" in answer.body["error"]["message"]
    forked = bob.post(f"/execution/{running}/fork", {"savepoint": 3, "name": "second try"})
    assert forked.status == 201
    assert forked.headers["Location"] == f"/api/latest/execution/{forked.body['id']}"
    assert (forked.body["name"], forked.body["forked_from_id"], forked.body["status"]) == (
        "second try", running, "QUEUED",
    )  # fmt: skip
    assert numbers_of(forked.body["id"]) == [1, 2, 3]
    assert numbers_of(running) == [1, 2, 3, 4], "the first one keeps its own"
    assert is_error(bob.post(f"/execution/{running}/fork", {"savepoint": 4}), 404, "not_found")


@pytest.mark.parametrize("verb", ["restore", "fork"])
def test_wrong_savepoints(bob: Caller, carol: Caller, running: str, verb: str) -> None:
    address = f"/execution/{running}/{verb}"
    for missing in (99, 0, -1, 2**60, "no such name", "1"):
        assert is_error(bob.post(address, {"savepoint": missing}), 404, "not_found")
    for wrong in (True, 1.5, [1], {"number": 1}):
        answer = bob.post(address, {"savepoint": wrong})
        assert is_error(answer, 400, "input_invalid")
        assert list(answer.details) == ["savepoint"]
    assert is_error(carol.post(address, {"savepoint": 1}), 403, "permission_denied")
    assert numbers_of(running) == [1, 2, 3]


def test_a_fork_names_its_savepoint(bob: Caller, running: str) -> None:
    for body in ({}, {"savepoint": None}):
        assert list(bob.post(f"/execution/{running}/fork", body).details) == ["savepoint"]
    assert list(bob.post(f"/execution/{running}/fork", {"savepoint": 1, "name": 5}).details) == ["name"]


def test_restore_without_a_savepoint_is_out_of_the_trash(alice: Caller, running: str) -> None:
    Execution.objects.filter(pk=running).update(host=None)
    runs.end(running)
    assert is_error(alice.post(f"/execution/{running}/restore"), 404, "not_found")
    alice.delete(f"/execution/{running}")
    assert is_error(alice.post(f"/execution/{running}/fork", {"savepoint": 1}), 404, "not_found")
    assert alice.post(f"/execution/{running}/restore").body["deleted_at"] is None


def test_how_long_savepoints_are_kept_is_chosen_at_the_start(alice: Caller, flow: Flow) -> None:
    start = {"flow_id": str(flow.pk)}
    assert alice.post("/execution", start).body["savepoint_retention"] == "until_expiry"
    chosen = alice.post("/execution", start | {"savepoint_retention": "none"}).body
    assert chosen["savepoint_retention"] == "none"
    runs.end(chosen["id"])
    assert alice.post(f"/execution/{chosen['id']}/rerun").body["savepoint_retention"] == "none"
    for wrong in ("for ever", "", 3):
        answer = alice.post("/execution", start | {"savepoint_retention": wrong})
        assert is_error(answer, 400, "input_invalid")
        assert list(answer.details) == ["savepoint_retention"]


# -- Whole projects ---------------------------------------------------------------------------------------


def test_a_project_pauses_and_resumes(
    bob: Caller, alice: Caller, cast: Cast, running: str, flow: Flow
) -> None:
    queued = alice.post("/execution", {"flow_id": str(flow.pk)}).body["id"]
    elsewhere = alice.post("/execution", {"flow_id": str(flow.pk), "project_id": str(cast.attic.pk)}).body[
        "id"
    ]
    assert bob.post(f"/project/{cast.workshop.pk}/pause").body == {"executions": 2}
    assert (status_of(queued), status_of(running), status_of(elsewhere)) == ("PAUSED", "RUNNING", "QUEUED")
    assert Execution.objects.get(pk=running).pause_requested_at is not None
    assert bob.post("/project/Workshop/resume", query={"by": "name"}).body == {"executions": 2}
    assert status_of(queued) == "QUEUED"
    assert Execution.objects.get(pk=running).pause_requested_at is None


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_who_may_pause_a_project(bob: Caller, carol: Caller, mallory: Caller, cast: Cast, verb: str) -> None:
    address = f"/project/{cast.workshop.pk}/{verb}"
    assert is_error(carol.post(address), 403, "permission_denied")
    assert is_error(mallory.post(address), 404, "not_found")
    assert is_error(bob.post(f"/project/{cast.attic.pk}/{verb}"), 404, "not_found")
    assert is_error(bob.post(address, {"x": 1}), 400, "input_invalid")
    assert is_error(bob.get(address), 405, "method_not_allowed")


# -- Maintenance ------------------------------------------------------------------------------------------


def test_maintenance_goes_on_and_off(root: Caller, cast: Cast) -> None:
    off = {"is_on": False, "started_at": None, "started_by_id": None, "note": ""}
    assert root.get("/maintenance").body == off
    begun = root.post("/maintenance", {"note": " New disks "})
    assert begun.status == 200
    assert (begun.body["is_on"], begun.body["note"]) == (True, "New disks")
    assert str(begun.body["started_by_id"]) == str(cast.root.pk)
    assert root.post("/maintenance", {"note": "other"}).body["note"] == "New disks"
    assert root.get("/maintenance").body == begun.body
    assert root.delete("/maintenance").status == 204
    assert root.delete("/maintenance").status == 204
    assert root.get("/maintenance").body == off


def test_maintenance_is_for_staff(alice: Caller, nobody: Caller, root: Caller) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert is_error(alice.call(method, "/maintenance"), 403, "permission_denied")
        assert is_error(nobody.call(method, "/maintenance"), 401, "not_authenticated")
    assert not Maintenance.objects.exists()
    for wrong in ({"note": 3}, {"notice": "x"}, {"note": None}):
        assert is_error(root.post("/maintenance", wrong), 400, "input_invalid")
    assert is_error(root.get("/maintenance", {"x": 1}), 400, "input_invalid")


def test_the_example_of_a_script_is_enough(root: Caller) -> None:
    """What is started as a script alone is controlled alike."""
    key = root.post("/execution", {"script": SCRIPT, "savepoint_retention": "none"}).body["id"]
    assert root.post(f"/execution/{key}/pause").body["status"] == "PAUSED"
