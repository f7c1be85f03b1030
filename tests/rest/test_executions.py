"""Executions over REST: cancel, run, rerun, trash, bulk verbs; log, children, tree and history."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.lifecycle import Status
from executions.log import Line, write_lines
from executions.models import Execution, Process
from flows.models import Flow
from tests.cast import Cast
from tests.rest.conftest import Caller
from tests.rest.runs import claim, end, make_host, start_child


def start(caller: Caller, flow: Flow, **more: Any) -> str:
    made = caller.post("/execution", {"flow_id": str(flow.pk), **more})
    assert made.status == 201, made.body
    return str(made.body["id"])


def test_cancel_of_a_running_one_asks_its_host(bob: Caller, flow: Flow) -> None:
    key = start(bob, flow)
    claim(key)
    stopping = bob.post(f"/execution/{key}/cancel")
    assert (stopping.status, stopping.body["status"]) == (200, "RUNNING")
    assert stopping.body["cancel_requested_at"] is not None


def test_cancel_of_a_queued_one_ends_it_at_once(bob: Caller, flow: Flow) -> None:
    key = start(bob, flow)
    assert bob.post(f"/execution/{key}/cancel").body["status"] == "ENDED_CANCELLED"
    again = bob.post(f"/execution/{key}/cancel")
    assert (again.status, again.code) == (409, "already_ended")


def test_run(bob: Caller, flow: Flow) -> None:
    key = start(bob, flow, run=False)
    assert bob.post(f"/execution/{key}/run").body["status"] == "QUEUED"
    again = bob.post(f"/execution/{key}/run")
    assert (again.status, again.code) == (409, "not_runnable")


def test_rerun(alice: Caller, bob: Caller, flow: Flow) -> None:
    key = start(bob, flow, inputs={"n": 1}, priority=4, name="Special", is_productive=False)
    alice.patch(f"/flow/{flow.pk}", {"script": f"{flow.script}# newer\n"})
    new = bob.post(f"/execution/{key}/rerun")
    assert new.status == 201
    assert new.headers["Location"] == f"/api/latest/execution/{new.body['id']}"
    assert new.body["rerun_of_id"] == key != new.body["id"]
    assert (new.body["input_value"], new.body["priority"], new.body["name"]) == ({"n": 1}, 4, "Special")
    assert (new.body["is_productive"], new.body["flow_version"]) == (False, 2)


def test_trash_and_restore(alice: Caller, flow: Flow) -> None:
    key = start(alice, flow)
    refused = alice.delete(f"/execution/{key}")
    assert (refused.status, refused.code) == (409, "still_alive")
    alice.post(f"/execution/{key}/cancel")
    assert alice.delete(f"/execution/{key}").status == 204
    assert alice.get(f"/execution/{key}").status == 404
    assert alice.get(f"/execution/{key}", {"trashed": "true"}).status == 200
    assert alice.get("/execution", {"trashed": "true"}).names() == [flow.name]
    assert alice.post(f"/execution/{key}/restore").body["deleted_at"] is None
    assert alice.get(f"/execution/{key}").status == 200


def test_rename(bob: Caller, flow: Flow) -> None:
    key = start(bob, flow)
    renamed = bob.patch(f"/execution/{key}", {"name": " Better ", "description": "x"})
    assert (renamed.body["name"], renamed.body["description"], renamed.body["version"]) == ("Better", "x", 2)
    assert bob.patch(f"/execution/{key}", {"name": ""}).details.keys() == {"name"}
    assert bob.patch(f"/execution/{key}", {"status": "RUNNING"}).details.keys() == {"status"}


VERBS = [("POST", "/cancel"), ("POST", "/run"), ("POST", "/rerun"), ("PATCH", ""), ("DELETE", "")]


@pytest.mark.parametrize(("method", "tail"), VERBS)
def test_who_may_do_what(
    alice: Caller, bob: Caller, carol: Caller, mallory: Caller, flow: Flow, method: str, tail: str
) -> None:
    key = start(bob, flow, run=False)
    body: dict[str, str] = {}
    assert mallory.call(method, f"/execution/{key}{tail}", body).status == 404
    assert carol.call(method, f"/execution/{key}{tail}", body).status == 403
    assert bob.call(method, f"/execution/{key}{tail}", body).status == (
        403 if method == "DELETE" else bob_gets(tail)
    )
    if method == "DELETE":
        assert alice.call(method, f"/execution/{key}{tail}", body).status == 204


def bob_gets(tail: str) -> int:
    return 201 if tail == "/rerun" else 200


READS = ["", "/log", "/children", "/tree", "/transitions", "/script"]


@pytest.mark.parametrize("tail", READS)
def test_who_may_read(carol: Caller, bob: Caller, mallory: Caller, flow: Flow, tail: str) -> None:
    key = start(bob, flow)
    assert carol.get(f"/execution/{key}{tail}").status == 200
    assert mallory.get(f"/execution/{key}{tail}").status == 404
    assert mallory.get("/execution").names() == []


def test_the_log_by_number(bob: Caller, flow: Flow) -> None:
    key = start(bob, flow)
    execution = Execution.objects.get(pk=key)
    write_lines(
        [
            Line(execution.pk, n, timezone.now(), "info", "log", f"line {n}", {"n": n} if n == 7 else None)
            for n in range(1, 26)
        ]
    )
    first = bob.get(f"/execution/{key}/log", {"limit": 10}).body
    assert [line["number"] for line in first["results"]] == list(range(1, 11))
    assert first["results"][6]["data"] == {"n": 7}
    assert set(first["results"][0]) == {"number", "at", "level", "stream", "text", "data"}
    rest = bob.get(f"/execution/{key}/log", {"after": first["next"]}).body
    assert [line["number"] for line in rest["results"]] == list(range(11, 26))
    assert rest["next"] is None
    assert bob.get(f"/execution/{key}/log", {"after": 25}).body == {"results": [], "next": None}
    assert bob.get(f"/execution/{key}/log", {"after": "-1"}).details.keys() == {"after"}


def test_the_history(bob: Caller, flow: Flow) -> None:
    key = start(bob, flow)
    end(key, status=Status.ENDED_ERROR, reason="raised", message="it failed")
    rows = bob.get(f"/execution/{key}/transitions").body["results"]
    assert [(row["old"], row["new"]) for row in rows] == [
        ("", "QUEUED"),
        ("QUEUED", "RUNNING"),
        ("RUNNING", "ENDED_ERROR"),
    ]
    assert rows[-1]["reason"] == "raised"
    assert [row["version"] for row in rows] == sorted({row["version"] for row in rows})
    assert bob.get(f"/execution/{key}").body["message"] == "it failed"
    assert len(bob.get(f"/execution/{key}/transitions", {"after": rows[0]["version"]}).body["results"]) == 2


def test_children_and_tree(bob: Caller, flow: Flow) -> None:
    key = start(bob, flow)
    children = [start_child(key, f"child {n}") for n in range(5)]
    grandchild = start_child(children[1], "grandchild")
    listed = bob.walk(f"/execution/{key}/children", {"limit": 2})
    assert [row["id"] for row in listed] == children
    assert bob.get(
        f"/execution/{key}/children", {"filter": {"field": "name", "value": "child 3"}}
    ).names() == ["child 3"]
    for member in (key, children[0], grandchild):
        tree = bob.walk(f"/execution/{member}/tree", {"limit": 3})
        assert [row["id"] for row in tree] == [key, *children, grandchild]
    parents = {row["id"]: row["parent_id"] for row in tree}
    assert parents == {key: None, grandchild: children[1], **dict.fromkeys(children, key)}


def test_bulk_by_ids_answers_for_each(
    alice: Caller, bob: Caller, root: Caller, flow: Flow, cast: Cast
) -> None:
    alive, ended, foreign = start(bob, flow), start(bob, flow), start(alice, flow, project_name="Attic")
    bob.post(f"/execution/{ended}/cancel")
    missing = "0198c0de-0000-7000-8000-000000000000"
    answer = bob.post("/execution/cancel", {"ids": [alive, ended, foreign, missing, alive]})
    assert answer.status == 200
    got = [(row["id"], row["done"], row.get("error", {}).get("code")) for row in answer.body["results"]]
    assert got == [
        (alive, True, None),
        (ended, False, "already_ended"),
        (foreign, False, "not_found"),
        (missing, False, "not_found"),
    ]
    assert (answer.body["done"], answer.body["refused"], answer.body["next"]) == (1, 3, None)
    assert Execution.objects.get(pk=foreign).status == "QUEUED"


def test_bulk_needs_the_right(bob: Caller, carol: Caller, flow: Flow) -> None:
    key = start(bob, flow, run=False)
    for caller, verb in ((carol, "cancel"), (carol, "rerun"), (bob, "delete")):
        [row] = caller.post(f"/execution/{verb}", {"ids": [key]}).body["results"]
        assert (row["done"], row["error"]["code"]) == (False, "permission_denied")
    assert Execution.objects.count() == 1


def test_bulk_by_filter(alice: Caller, flow: Flow) -> None:
    mine = [start(alice, flow, name=f"wave {n}") for n in range(4)]
    other = start(alice, flow, name="calm")
    wave = {"filter": {"field": "name", "op": "like", "value": "wave%"}}
    assert alice.post("/execution/delete", wave).body["results"] == []  # none has ended
    cancelled = alice.post("/execution/cancel", wave).body
    assert (sorted(row["id"] for row in cancelled["results"]), cancelled["done"]) == (mine, 4)
    assert alice.get(f"/execution/{other}").body["status"] == "QUEUED"
    rerun = alice.post("/execution/rerun", wave).body
    assert rerun["done"] == 4
    assert {row["id"] for row in rerun["results"]} == set(mine)
    assert (
        Execution.objects.filter(
            pk__in=[row["new_id"] for row in rerun["results"]], rerun_of__in=mine
        ).count()
        == 4
    )
    deleted = alice.post("/execution/delete", wave).body
    assert (deleted["done"], sorted(row["id"] for row in deleted["results"])) == (4, mine)
    assert len(alice.get("/execution", {"trashed": "true"}).body["results"]) == 4


def test_bulk_goes_on_from_a_cursor(alice: Caller, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [start(alice, flow, run=False) for _ in range(7)]
    monkeypatch.setattr("executions.bulk.AT_MOST", 3)
    selected = {"filter": {"field": "flow_id", "value": str(flow.pk)}}
    done: list[str] = []
    cursor = None
    for _ in range(10):
        answer = alice.post("/execution/rerun", {**selected, **({"cursor": cursor} if cursor else {})}).body
        done += [row["id"] for row in answer["results"]]
        assert len(answer["results"]) <= 3
        cursor = answer["next"]
        if cursor is None:
            break
    assert sorted(done) == keys  # each once, and none of the new ones


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ids"),
        ({"ids": []}, "ids"),
        ({"ids": "all"}, "ids"),
        ({"ids": ["zz"]}, "ids"),
        ({"ids": [5]}, "ids"),
        ({"ids": ["0198c0de-0000-7000-8000-000000000000"] * 1001}, "ids"),
        ({"ids": ["0198c0de-0000-7000-8000-000000000000"], "filter": {}}, "ids"),
        ({"filter": {}}, "filter"),
        ({"filter": "name"}, "filter"),
        ({"filter": {"field": "name"}}, "filter"),
        ({"filter": {"field": "name", "value": "x"}, "cursor": "zz"}, "cursor"),
        ({"ids": ["0198c0de-0000-7000-8000-000000000000"], "all": True}, "all"),
    ],
)
def test_wrong_bulk(root: Caller, body: dict[str, Any], field: str) -> None:
    for verb in ("cancel", "rerun", "delete"):
        answer = root.post(f"/execution/{verb}", body)
        assert (answer.status, list(answer.details)) == (400, [field]), answer.body


def test_processes(root: Caller) -> None:
    host = make_host()
    listed = {row["id"]: row for row in root.get("/process", {"limit": 500}).body["results"]}
    mine = listed[host.pk]
    assert (mine["role"], mine["is_alive"], mine["slots"]) == ("host", True, 50)
    assert {"pid", "machine", "heartbeat_at"} <= mine.keys()
    assert root.get(f"/process/{host.pk}").body["is_alive"] is True
    Process.objects.filter(pk=host.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    assert root.get(f"/process/{host.pk}").body["is_alive"] is False
