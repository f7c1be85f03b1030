"""Schedulers and schedules over REST: make, enable, look ahead and back, run now."""

from datetime import timedelta

import pytest
from django.utils import timezone

from executions.models import Execution
from flows.operations import create_flow
from projects.bundles import import_bundle
from schedules.helper import BUNDLE
from schedules.models import Firing, Schedule
from tests.cast import Cast
from tests.rest.conftest import Caller

DAILY = {"time": "08:30"}


@pytest.fixture
def alice(cast: Cast) -> Caller:
    create_flow(by=cast.alice, project=cast.workshop, name="report")
    caller = Caller(cast.alice)
    for built_in in ("daily", "cron"):
        body = {"name": built_in.title(), "built_in": built_in, "project_name": "Workshop"}
        assert caller.post("/scheduler", body).status == 201
    return caller


def make(caller: Caller, **fields: object) -> dict:
    body = {
        "name": "morning",
        "flow_name": "report",
        "scheduler_name": "Daily",
        "configuration": DAILY,
        **fields,
    }
    response = caller.post("/schedule", body)
    assert response.status == 201, response.body
    return response.body


def test_a_schedule_is_made_enabled_and_disabled(alice: Caller) -> None:
    made = make(alice, time_zone="Europe/Vienna", is_enabled=True)
    assert made["is_enabled"] and len(made["next_runs"]) == 10 and made["roles"] == ["Schedule"]
    assert Execution.objects.get(pk=made["execution_id"]).type == "SCHEDULE"
    changed = alice.patch(f"/schedule/{made['id']}", {"is_enabled": False}).body
    assert (changed["is_enabled"], changed["next_runs"], changed["next_at"]) == (False, [], None)
    assert alice.get("/schedule/morning", {"by": "name"}).body["id"] == made["id"]
    (row,) = alice.get("/schedule").body["results"]
    assert "next_runs" not in row and "configuration" not in row
    (row,) = alice.get("/schedule", {"fields": "name,next_runs"}).body["results"]
    assert row == {"name": "morning", "next_runs": []}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"configuration": {"time": "25:00"}}, "configuration"),
        ({"configuration": 7}, "configuration"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"scheduler_name": "Yearly"}, "scheduler_name"),
        ({"flow_name": "nothing"}, "flow_name"),
        ({"overlap": "never"}, "overlap"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"ends_at": "soon"}, "ends_at"),
        ({"iterations": 3}, "iterations"),
    ],
)
def test_what_is_wrong_is_named(alice: Caller, fields: dict, field: str) -> None:
    body = {
        "name": "morning",
        "flow_name": "report",
        "scheduler_name": "Daily",
        "configuration": DAILY,
        **fields,
    }
    response = alice.post("/schedule", body)
    assert response.status == 400 and list(response.details) == [field], response.body


def test_the_next_runs_and_a_preview(alice: Caller) -> None:
    made = make(alice, is_enabled=True, max_iterations=40)
    found = alice.get(f"/schedule/{made['id']}/next_runs", {"limit": 25}).body["next_runs"]
    assert (
        len(found) == 25
        and found == sorted(set(found))
        and all(each.endswith("T08:30:00Z") for each in found)
    )
    body = {
        "scheduler_name": "Cron",
        "configuration": {"expression": "0 9 * * MON"},
        "time_zone": "Asia/Tokyo",
    }
    seen = alice.post("/schedule/preview", body).body["next_runs"]
    assert len(seen) == 10 and all(each.endswith("T00:00:00Z") for each in seen)
    wrong = alice.post("/schedule/preview", {**body, "configuration": {"expression": "never"}})
    assert wrong.status == 400 and "configuration" in wrong.details
    missing = alice.post("/schedule/preview", {"configuration": {}})
    assert missing.status == 400 and "scheduler_name" in missing.details


def test_run_now_and_the_firings(alice: Caller) -> None:
    made = make(alice, input_value={"a": 1})
    started = alice.post(f"/schedule/{made['id']}/run", {})
    assert started.status == 201 and started.body["input_value"] == {"a": 1}
    assert started.headers["Location"].endswith(f"/execution/{started.body['id']}")
    (row,) = alice.get(f"/schedule/{made['id']}/firings").body["results"]
    assert (row["outcome"], row["cause"], row["execution_id"]) == ("started", "person", started.body["id"])


def test_firings_page_by_key(alice: Caller) -> None:
    made = make(alice)
    now = timezone.now()
    for number in range(5):
        moment = now - timedelta(hours=number)
        Firing.objects.create(schedule_id=made["id"], nominal_at=moment, outcome="skipped", at=now)
    first = alice.get(f"/schedule/{made['id']}/firings", {"limit": 3}).body
    second = alice.get(f"/schedule/{made['id']}/firings", {"limit": 3, "cursor": first["next"]}).body
    moments = [row["nominal_at"] for row in first["results"] + second["results"]]
    assert moments == sorted(moments, reverse=True) and len(moments) == 5 and second["next"] is None


def test_backfill(alice: Caller) -> None:
    made = make(alice, is_enabled=True, overlap="allow")
    now = timezone.now()
    body = {"start": (now - timedelta(days=3)).isoformat(), "end": now.isoformat()}
    asked = alice.post(f"/schedule/{made['id']}/backfill", {**body, "dry_run": True}).body
    assert len(asked["open"]) == 3 and not asked["started"] and not Firing.objects.exists()
    done = alice.post(f"/schedule/{made['id']}/backfill", body).body
    assert done["open"] == asked["open"] and done["started"]
    again = alice.post(f"/schedule/{made['id']}/backfill", body).body
    assert again["times"] == done["times"] and again["open"] == []
    assert alice.post(f"/schedule/{made['id']}/backfill", {"start": "x", "end": "y"}).status == 400


def test_schedulers(alice: Caller) -> None:
    own = alice.post("/scheduler", {"name": "own", "project_name": "Workshop"}).body
    assert own["built_in"] == "" and "def handler" in own["script"] and own["version"] == 1
    daily = alice.get("/scheduler/Daily", {"by": "name"}).body
    assert daily["configuration_schema"]["required"] == ["time"] and daily["input_schema"] is None
    make(alice)
    refused = alice.delete(f"/scheduler/{daily['id']}")
    assert refused.status == 400 and "morning" in refused.body["error"]["message"]


def test_others_see_no_foreign_schedule(alice: Caller, cast: Cast) -> None:
    made = make(alice)
    mallory = Caller(cast.mallory)
    assert mallory.get(f"/schedule/{made['id']}").status == 404
    assert mallory.get("/scheduler").body["results"] == []
    carol = Caller(cast.carol)
    assert carol.get(f"/schedule/{made['id']}").status == 200
    assert carol.patch(f"/schedule/{made['id']}", {"is_enabled": True}).status == 403
    assert carol.post(f"/schedule/{made['id']}/run", {}).status == 403


def test_everybody_sees_the_schedulers_of_the_bundle(cast: Cast) -> None:
    import_bundle(BUNDLE, by=cast.root)
    alice = Caller(cast.alice)
    assert (
        alice.post("/scheduler", {"name": "own", "built_in": "once", "project_name": "Workshop"}).status
        == 201
    )
    names = {row["name"] for row in Caller(cast.mallory).get("/scheduler").body["results"]}
    assert len(names) == 7 and "Daily" in names and "own" not in names


def test_the_trash(alice: Caller) -> None:
    made = make(alice, is_enabled=True)
    assert alice.delete(f"/schedule/{made['id']}").status == 204
    assert Execution.objects.get(pk=made["execution_id"]).status == "ENDED_CANCELLED"
    restored = alice.post(f"/schedule/{made['id']}/restore", {}).body
    assert not restored["is_enabled"] and Schedule.objects.get(pk=made["id"]).deleted_at is None
    copy = alice.post(f"/schedule/{made['id']}/duplicate", {})
    assert copy.status == 201 and copy.body["name"] == "morning copy"
