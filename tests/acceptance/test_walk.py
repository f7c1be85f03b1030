"""The walk of a newcomer who reads about executions and tries each sentence: over REST, with just the rights needed.

Every way to start an execution is tried by somebody who may do that and little else, and is refused without it.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.acceptance.engine import Engine, Rest
from tests.connections.servers import Postgres

pytestmark = pytest.mark.process

HELLO = """
import flow_api

def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.log('hello', inputs.get('custom_parameter'))
    this.set_output('heard', inputs.get('custom_parameter'))
    return this.success('all done')
"""

# The two examples of the page as they are written there, but for the address: tests stay on this machine.
CHILDREN = """
import flow_api
def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.flow('my-child-flow', custom_parameter='value')
    this.connect('my-database', fetchval='SELECT 1+1')
    this.connect(connector_type='REST', url='https://cloudomation.com')
    return this.success('all done')
"""
IN_PROJECTS = """
import flow_api
def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.flow('my-child-flow', custom_parameter='value', init={'project_id': system.project('my-project').get('id')})
    this.connect('my-database', fetchval='SELECT 1+1', init={'project_id': system.project('my-other-project').get('id')})
    this.connect(connector_type='REST', url='https://cloudomation.com', init={'project_id': system.project('Default project').get('id')})
    return this.success('all done')
"""  # noqa: E501  as written
STARTS = {"flow": "READ RUN", "execution": "CREATE READ", "project": "READ"}


@pytest.fixture(scope="module", autouse=True)
def content(admin: Rest, site: str, postgres: Postgres) -> None:
    """What the examples name and the demo content does not have: a project, a database, and the flows themselves."""
    admin.post("/project", name="my-other-project")
    admin.patch("/flow/my-child-flow?by=name", script=HELLO)
    secret = postgres.inputs["password"]
    value = {key: each for key, each in postgres.inputs.items() if key != "password"}
    admin.post(
        "/connector", name="my-database", connector_type="SQLPG", value=value, secrets={"password": secret}
    )
    for name, script in (("my-parent-flow", CHILDREN), ("my-placing-flow", IN_PROJECTS)):
        admin.post("/flow", name=name, script=script.replace("https://cloudomation.com", site))


def eventually(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Tell whether the condition comes true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def children_of(rest: Rest, execution: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rest.get(f"/execution/{execution['id']}/children")["results"]
    return sorted(found, key=lambda each: each["id"])


def test_running_a_flow_makes_an_execution_that_carries_out_its_handler(engine: Engine, admin: Rest) -> None:
    ada = engine.person(admin, "ada", STARTS)
    first = ada.run(flow_name="my-child-flow", input_value={"custom_parameter": 1})
    second = ada.run(flow_name="my-child-flow", input_value={"custom_parameter": 2})
    assert first["id"] != second["id"]
    assert [each["status"] for each in (first, second)] == ["ENDED_SUCCESS"] * 2
    assert [each["output_value"] for each in (first, second)] == [{"heard": 1}, {"heard": 2}]
    assert (first["type"], first["message"]) == ("FLOW", "all done")
    assert "hello 1" in ada.log_of(first["id"])


@pytest.mark.parametrize("missing", ["flow", "execution"])
def test_without_the_rights_nothing_is_started(engine: Engine, admin: Rest, missing: str) -> None:
    rights = {kind: operations for kind, operations in STARTS.items() if kind != missing}
    some = engine.person(admin, f"without-{missing}", rights)
    before = len(admin.get("/execution", limit=500)["results"])
    assert some.status_of("/execution", flow_name="my-child-flow") in (400, 403)
    assert len(admin.get("/execution", limit=500)["results"]) == before
    sees = engine.person(admin, f"sees-{missing}", {**STARTS, missing: "READ"})
    refused = sees.http.post("/execution", json={"flow_name": "my-child-flow"})
    assert refused.status_code == 403
    assert ("RUN" if missing == "flow" else "CREATE") in refused.json()["error"]["message"]


def test_in_development_mode_and_with_options(engine: Engine, admin: Rest) -> None:
    ben = engine.person(admin, "ben", STARTS)
    assert ben.run(flow_name="my-child-flow", is_productive=False)["is_productive"] is False
    options = {"name": "by hand", "priority": 5, "max_runtime_minutes": 2, "project_name": "my-project"}
    execution = ben.run(flow_name="my-child-flow", **options)
    assert (execution["name"], execution["priority"], execution["max_runtime_minutes"]) == ("by hand", 5, 2)
    assert execution["project_id"] == admin.get("/project/my-project", by="name")["id"]


def test_ended_executions_are_kept_and_shown_until_they_expire(engine: Engine, admin: Rest) -> None:
    execution = admin.run(flow_name="my-child-flow", name="kept for a while")
    listed = admin.get("/execution", filter='{"field": "name", "value": "kept for a while"}')["results"]
    assert [each["id"] for each in listed] == [execution["id"]]
    assert admin.get(f"/execution/{execution['id']}/expiry")["expires_at"] is not None
    brief = admin.run(flow_name="my-child-flow", name="brief", retention_seconds=0.1)
    admin.post("/housework/retention/run")
    assert eventually(lambda: admin.http.get(f"/execution/{brief['id']}").status_code == 404)
    assert admin.get(f"/execution/{execution['id']}")["status"] == "ENDED_SUCCESS"


def test_a_webhook_has_to_be_made_and_enabled(engine: Engine, admin: Rest) -> None:
    made = admin.post("/webhook", name="my-webhook", flow_name="my-child-flow")
    assert made["is_enabled"] is False
    address = f"{engine.url}/api/latest/webhook/my-webhook/call"
    assert httpx.post(address, json={}).status_code == 404
    admin.patch(f"/webhook/{made['id']}", is_enabled=True)
    answer = httpx.post(address, json={"n": 1}, timeout=60)
    assert answer.status_code == 200, answer.text
    execution = admin.get(f"/execution/{answer.json()['id']}")
    assert (execution["origin"], execution["status"]) == ("WEBHOOK", "ENDED_SUCCESS")
    assert execution["input_value"]["json"] == {"n": 1}
    later = httpx.post(f"{address}?async=1", json={}, timeout=60)
    assert later.status_code == 202
    assert admin.wait_for(later.json()["id"], "ENDED_SUCCESS")


def test_a_schedule_has_to_be_made_and_enabled(admin: Rest) -> None:
    admin.have_bundle("Scheduling")
    made = admin.post(
        "/schedule",
        name="my-schedule",
        flow_name="my-child-flow",
        scheduler_name="Interval",
        configuration={"seconds": 1},
    )
    assert made["is_enabled"] is False and made["execution_id"] is None
    enabled = admin.patch(f"/schedule/{made['id']}", is_enabled=True)
    timer = admin.get(f"/execution/{enabled['execution_id']}")
    assert (timer["type"], timer["status"]) == ("SCHEDULE", "SLEEPING")
    wanted = '{"field": "origin", "value": "SCHEDULE"}'
    assert eventually(lambda: len(admin.get("/execution", filter=wanted)["results"]) >= 2)
    admin.patch(f"/schedule/{made['id']}", is_enabled=False)
    assert admin.wait_for(timer["id"], "ENDED_CANCELLED", "ENDED_SUCCESS")


def test_an_execution_starts_a_flow_and_two_connections(engine: Engine, admin: Rest) -> None:
    may = {**STARTS, "connector": "READ RUN"}
    cleo = engine.person(admin, "cleo", may)
    parent = cleo.run(flow_name="my-parent-flow")
    assert (parent["status"], parent["message"]) == ("ENDED_SUCCESS", "all done")
    flow, database, rest = children_of(cleo, parent)
    assert [each["type"] for each in (flow, database, rest)] == ["FLOW", "CONNECTION", "CONNECTION"]
    assert admin.get(f"/execution/{flow['id']}")["output_value"] == {"heard": "value"}
    assert admin.get(f"/execution/{database['id']}")["output_value"]["result"] == 2
    assert admin.get(f"/execution/{rest['id']}")["output_value"]["status_code"] == 200

    poor = engine.person(admin, "without-connectors", STARTS)
    refused = poor.run(flow_name="my-parent-flow")
    assert refused["status"] == "ENDED_ERROR"
    assert "my-database" in refused["message"]


def test_an_execution_says_where_its_children_run(admin: Rest) -> None:
    parent = admin.run(flow_name="my-placing-flow")
    assert parent["status"] == "ENDED_SUCCESS", parent["message"]
    places = [each["project_id"] for each in children_of(admin, parent)]
    names = ("my-project", "my-other-project", "Default project")
    assert places == [admin.get(f"/project/{name}", by="name")["id"] for name in names]
