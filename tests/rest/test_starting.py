"""`POST /execution`: what can be given, waiting for the end, idempotency, and how little it asks the database."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from executions import moves
from executions.lifecycle import Status
from executions.models import Execution, Transition
from flows.models import Flow
from flows.operations import create_flow
from projects.models import Project
from tests.cast import Cast, make_cast
from tests.rest.conftest import SCRIPT, Caller
from tests.rest.runs import end


def test_by_flow_id(bob: Caller, flow: Flow, cast: Cast) -> None:
    made = bob.post("/execution", {"flow_id": str(flow.pk), "input_value": {"n": 1}})
    assert made.status == 201
    assert made.headers["Location"] == f"/api/latest/execution/{made.body['id']}"
    expected = {
        "name": "Daily report",
        "type": "FLOW",
        "status": "QUEUED",
        "flow_id": str(flow.pk),
        "flow_version": 1,
        "project_id": str(cast.workshop.pk),
        "input_value": {"n": 1},
        "output_value": None,
        "is_productive": True,
        "origin": "API",
        "created_by_id": str(cast.bob.pk),
        "version": 1,
        "parent_id": None,
        "root_id": made.body["id"],
    }
    assert {name: made.body[name] for name in expected} == expected
    assert bob.get(f"/execution/{made.body['id']}").body == made.body


def test_with_everything(alice: Caller, flow: Flow, cast: Cast) -> None:
    body = {
        "flow_name": flow.name,
        "inputs": {"list": [1, 2.5, None, True], "text": "ü"},
        "name": " Nightly ",
        "description": "of today",
        "is_productive": False,
        "project_name": "Attic",
        "priority": -3,
        "max_runtime_minutes": 1.5,
        "run": False,
    }
    made = alice.post("/execution", body)
    assert made.status == 201, made.body
    assert made.body["status"] == "CREATED"
    assert made.body["name"] == "Nightly"
    assert made.body["project_id"] == str(cast.attic.pk)
    assert made.body["input_value"] == body["inputs"]
    for name in ("description", "is_productive", "priority", "max_runtime_minutes"):
        assert made.body[name] == body[name]


def test_by_script(root: Caller, cast: Cast) -> None:
    made = root.post("/execution", {"script": SCRIPT})
    assert (made.status, made.body["type"], made.body["name"]) == (201, "SCRIPT", "script")
    assert made.body["project_id"] == str(cast.default.pk)
    assert root.get(f"/execution/{made.body['id']}/script").body["script"] == SCRIPT


def test_later(root: Caller, flow: Flow) -> None:
    moment = timezone.now() + timedelta(hours=2)
    made = root.post("/execution", {"flow_id": str(flow.pk), "scheduled_for": moment.isoformat()})
    assert (made.status, made.body["status"]) == (201, "SCHEDULED")
    assert made.body["scheduled_for"] == moment.isoformat().replace("+00:00", "Z")


def test_paused_from_the_beginning(root: Caller, flow: Flow) -> None:
    body = {"flow_id": str(flow.pk), "is_paused": True, "orphan": False}
    made = root.post("/execution", body)
    assert (made.status, made.body["status"], made.body["orphan"]) == (201, "PAUSED", False)
    assert root.post(f"/execution/{made.body['id']}/resume").body["status"] == "QUEUED"
    moment = (timezone.now() + timedelta(hours=2)).isoformat()
    later = root.post("/execution", body | {"scheduled_for": moment}).body
    assert later["status"] == "PAUSED"
    assert root.post(f"/execution/{later['id']}/resume").body["status"] == "SCHEDULED"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"flow_name": "Daily report", "is_paused": 1}, "is_paused"),
        ({"flow_name": "Daily report", "is_paused": True, "run": False}, "is_paused"),
        ({"flow_name": "Daily report", "orphan": "no"}, "orphan"),
        ({}, "script"),
        ({"script": "  "}, "script"),
        ({"script": 5}, "script"),
        ({"flow_id": "zz"}, "flow_id"),
        ({"flow_id": 5}, "flow_id"),
        ({"flow_id": "0198c0de-0000-7000-8000-000000000000"}, "flow_id"),
        ({"flow_name": "Nothing"}, "flow_name"),
        ({"flow_name": "Daily report", "script": "x"}, "script"),
        ({"flow_name": "Daily report", "input_value": [1]}, "input_value"),
        ({"flow_name": "Daily report", "inputs": "x"}, "input_value"),
        ({"flow_name": "Daily report", "inputs": {}, "input_value": {"a": 1}}, "inputs"),
        ({"flow_name": "Daily report", "name": 5}, "name"),
        ({"flow_name": "Daily report", "is_productive": "yes"}, "is_productive"),
        ({"flow_name": "Daily report", "priority": 40000}, "priority"),
        ({"flow_name": "Daily report", "priority": "high"}, "priority"),
        ({"flow_name": "Daily report", "scheduled_for": "tomorrow"}, "scheduled_for"),
        ({"flow_name": "Daily report", "scheduled_for": "2040-01-01T00:00:00"}, "scheduled_for"),
        ({"flow_name": "Daily report", "max_runtime_minutes": 0}, "max_runtime_minutes"),
        ({"flow_name": "Daily report", "max_runtime_minutes": "1"}, "max_runtime_minutes"),
        ({"flow_name": "Daily report", "run": "no"}, "run"),
        ({"flow_name": "Daily report", "project_name": "Nowhere"}, "project_name"),
        ({"flow_name": "Daily report", "status": "RUNNING"}, "status"),
    ],
)
def test_what_is_wrong_is_named(root: Caller, flow: Flow, body: dict[str, Any], field: str) -> None:
    answer = root.post("/execution", body)
    assert answer.status == 400, answer.body
    assert field in answer.details
    assert not Execution.objects.exists()


def test_inputs_must_fit_the_schema(alice: Caller, flow: Flow) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    alice.patch(f"/flow/{flow.pk}", {"input_schema": schema})
    refused = alice.post("/execution", {"flow_id": str(flow.pk), "inputs": {"n": "x"}})
    assert (refused.status, list(refused.details)) == (400, ["input_value"])
    assert refused.details["input_value"] == ['inputs.n: must be a whole number, not "x" (rule type integer)']
    assert alice.post("/execution", {"flow_id": str(flow.pk), "inputs": {"n": 1}}).status == 201


def test_who_may_start(
    root: Caller, alice: Caller, bob: Caller, carol: Caller, mallory: Caller, flow: Flow
) -> None:
    body = {"flow_id": str(flow.pk)}
    assert [caller.post("/execution", body).status for caller in (root, alice, bob)] == [201, 201, 201]
    assert carol.post("/execution", body).status == 403
    assert mallory.post("/execution", body).details.keys() == {"flow_id"}
    assert bob.post("/execution", {"script": SCRIPT}).status == 403  # the Default project is not his
    assert bob.post("/execution", {**body, "project_name": "Attic"}).details.keys() == {"project_name"}


def test_a_flow_in_the_trash_cannot_be_started(alice: Caller, flow: Flow) -> None:
    alice.delete(f"/flow/{flow.pk}")
    assert alice.post("/execution", {"flow_id": str(flow.pk)}).details.keys() == {"flow_id"}


# -- How much it asks ---------------------------------------------------------------------------------------


def test_a_start_is_a_handful_of_statements(root: Caller, flow: Flow, statements: Any) -> None:
    body = {"flow_id": str(flow.pk), "input_value": {"n": 1}}
    root.post("/execution", body)
    with statements() as sent:
        assert root.post("/execution", body).status == 201
    asked = [text for text in sent if not text.startswith(("SAVEPOINT", "RELEASE"))]
    assert len(asked) <= 6, asked
    assert sum("INSERT" in text for text in asked) == 1
    assert sum("pg_notify" in text for text in asked) <= 2


def test_a_start_costs_the_same_with_many_executions(root: Caller, flow: Flow, statements: Any) -> None:
    body = {"flow_id": str(flow.pk)}
    counts = []
    for _ in range(3):
        with statements() as sent:
            root.post("/execution", body)
        counts.append(len(sent))
        for _ in range(20):
            root.post("/execution", {**body, "run": False})
    assert counts[1] == counts[2]


def test_a_member_costs_two_statements_more(bob: Caller, flow: Flow, statements: Any) -> None:
    body = {"flow_id": str(flow.pk)}
    bob.post("/execution", body)
    with statements() as sent:
        assert bob.post("/execution", body).status == 201
    asked = [text for text in sent if not text.startswith(("SAVEPOINT", "RELEASE"))]
    assert len(asked) <= 8, asked


# -- Waiting ------------------------------------------------------------------------------------------------


@pytest.fixture
def committed(transactional_db: None) -> Cast:
    """The cast in a database where threads see each other's rows."""
    return make_cast()


def shared_flow(cast: Cast) -> Flow:
    return create_flow(by=cast.alice, project=cast.workshop, name="Shared", script=SCRIPT)


class LaterEnd(threading.Thread):
    """Runs and ends what is queued after a while."""

    def __init__(self, delay: float, **outcome: Any) -> None:
        super().__init__()
        self.delay, self.outcome = delay, outcome
        self.start()

    def run(self) -> None:
        try:
            for _ in range(100):
                time.sleep(self.delay)
                if queued := list(
                    Execution.objects.filter(status=Status.QUEUED).values_list("id", flat=True)
                ):
                    end(*queued, **self.outcome)
                    return
        finally:
            connection.close()


def test_wait_answers_when_it_ended(committed: Cast) -> None:
    caller = Caller(committed.bob)
    flow = shared_flow(committed)
    ending = LaterEnd(0.3, status=Status.ENDED_ERROR, reason="raised", message="it failed")
    began = time.monotonic()
    made = caller.post("/execution", {"flow_id": str(flow.pk)}, {"wait": 20})
    ending.join()
    assert made.status == 201
    assert (made.body["status"], made.body["message"]) == ("ENDED_ERROR", "it failed")
    assert 0.25 < time.monotonic() - began < 10


def test_wait_gives_up_when_the_time_is_up(committed: Cast) -> None:
    caller = Caller(committed.bob)
    flow = shared_flow(committed)
    made = caller.post("/execution", {"flow_id": str(flow.pk)}, {"wait": "0.2"})
    assert (made.status, made.body["status"]) == (202, "QUEUED")
    later = caller.get(f"/execution/{made.body['id']}", {"wait": "0"})
    assert (later.status, later.body["status"]) == (202, "QUEUED")


def test_wait_on_one_that_exists(committed: Cast) -> None:
    caller = Caller(committed.bob)
    made = caller.post("/execution", {"flow_id": str(shared_flow(committed).pk)})
    ending = LaterEnd(0.1)
    answer = caller.get(f"/execution/{made.body['id']}", {"wait": 20, "fields": "status"})
    ending.join()
    assert (answer.status, answer.body) == (200, {"status": "ENDED_SUCCESS"})


@pytest.mark.parametrize("seconds", ["-1", "301", "nan", "soon", "inf"])
def test_a_wait_that_is_none(root: Caller, flow: Flow, seconds: str) -> None:
    answer = root.post("/execution", {"flow_id": str(flow.pk)}, {"wait": seconds})
    assert (answer.status, list(answer.details)) == (400, ["wait"])
    assert not Execution.objects.exists()


def test_a_waiting_request_holds_no_connection(committed: Cast) -> None:
    flow = shared_flow(committed)
    caller = Caller(committed.bob)
    made = caller.post("/execution", {"flow_id": str(flow.pk)}).body
    backends: list[int] = []

    def wait() -> None:
        try:
            Caller(key=caller.key).get(f"/execution/{made['id']}", {"wait": 3})
        finally:
            connection.close()

    def count() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return int(cursor.fetchone()[0])

    before = count()
    waiting = [threading.Thread(target=wait) for _ in range(6)]
    for thread in waiting:
        thread.start()
    time.sleep(0.5)
    for _ in range(20):
        backends.append(count())
        time.sleep(0.02)
    end(made["id"])
    for thread in waiting:
        thread.join()
    # Six waiting requests look now and then; on the average they hold next to nothing.
    assert sum(backends) / len(backends) - before < 3, backends


# -- Idempotency --------------------------------------------------------------------------------------------


def test_the_same_key_is_the_same_execution(bob: Caller, flow: Flow) -> None:
    body = {"flow_id": str(flow.pk), "inputs": {"a": 1, "b": 2}}
    first = bob.post("/execution", body, headers={"Idempotency-Key": "order 17"})
    again = bob.post("/execution", dict(reversed(body.items())), headers={"Idempotency-Key": "order 17"})
    assert (first.status, again.status) == (201, 200)
    assert "Idempotent-Replay" not in first.headers
    assert again.headers["Idempotent-Replay"] == "true"
    assert first.body == again.body
    assert Execution.objects.count() == Transition.objects.count() == 1


def test_the_same_key_with_another_body_409(bob: Caller, flow: Flow) -> None:
    bob.post("/execution", {"flow_id": str(flow.pk)}, headers={"Idempotency-Key": "k"})
    other = bob.post("/execution", {"flow_id": str(flow.pk), "priority": 1}, headers={"Idempotency-Key": "k"})
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert Execution.objects.count() == 1


def test_another_user_or_key_is_another_execution(alice: Caller, bob: Caller, flow: Flow) -> None:
    body = {"flow_id": str(flow.pk)}
    made = {
        caller.post("/execution", body, headers={"Idempotency-Key": key}).body["id"]
        for caller in (alice, bob)
        for key in ("a", "b")
    }
    assert len(made) == 4


def test_a_repeated_request_is_answered_though_its_flow_is_gone(alice: Caller, flow: Flow) -> None:
    body = {"flow_name": flow.name}
    first = alice.post("/execution", body, headers={"Idempotency-Key": "k"})
    alice.delete(f"/flow/{flow.pk}")
    again = alice.post("/execution", body, headers={"Idempotency-Key": "k"})
    assert (again.status, again.body["id"]) == (200, first.body["id"])


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tbed"])
def test_a_key_that_is_none(bob: Caller, flow: Flow, key: str) -> None:
    answer = bob.post("/execution", {"flow_id": str(flow.pk)}, headers={"Idempotency-Key": key})
    assert (answer.status, list(answer.details)) == (400, ["Idempotency-Key"])


def in_parallel(number: int, act: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(number)

    def one(index: int) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(20)
            return act(index)
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_eight_at_once_start_one(committed: Cast) -> None:
    flow = shared_flow(committed)
    caller = Caller(committed.bob)
    body = {"flow_id": str(flow.pk), "input_value": {"n": 1}}
    for round_number in range(4):
        headers = {"Idempotency-Key": f"round {round_number}"}
        answers = in_parallel(
            8, lambda index, h=headers: Caller(key=caller.key).post("/execution", body, headers=h)
        )  # type: ignore[misc]
        assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
        assert len({answer.body["id"] for answer in answers}) == 1
        assert sum("Idempotent-Replay" in answer.headers for answer in answers) == 7
    assert Execution.objects.count() == 4
    assert Transition.objects.count() == 4


def test_eight_at_once_with_other_bodies_start_one(committed: Cast) -> None:
    flow = shared_flow(committed)
    caller = Caller(committed.bob)

    def act(index: int) -> Any:
        body = {"flow_id": str(flow.pk), "input_value": {"n": index}}
        return Caller(key=caller.key).post("/execution", body, headers={"Idempotency-Key": "one"})

    assert sorted(answer.status for answer in in_parallel(8, act)) == [201] + [409] * 7
    assert Execution.objects.count() == 1


def test_eight_at_once_with_one_name_make_one_flow(committed: Cast) -> None:
    caller = Caller(committed.alice)
    body = {"name": "Wanted", "project_name": "Workshop"}
    answers = in_parallel(8, lambda index: Caller(key=caller.key).post("/flow", body))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert {answer.code for answer in answers if answer.status == 409} == {"conflict"}
    assert Flow.objects.filter(name="Wanted").count() == 1


def test_a_start_is_answered_only_after_its_commit(committed: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = shared_flow(committed)

    def fails(*_: Any, **__: Any) -> list[Any]:
        return [("SELECT 1 / %s::int", (0,))]

    monkeypatch.setattr(moves, "told_with", fails)
    assert Caller(committed.bob).post("/execution", {"flow_id": str(flow.pk)}).status == 500
    assert not Execution.objects.exists()
    assert Project.objects.exists()
    assert Status.QUEUED not in Transition.objects.values_list("new", flat=True)
