"""One slot is enough: connections take none, a waiting flow leaves memory, and the first examples run as they stand.

All on one worker, for which `example.org` is a server of ours: its certificate is checked as any other.
"""

# ruff: noqa: E501  (the examples stand as they are written)

import asyncio
from collections.abc import Iterator

import pytest

from connectors.operations import create_connector
from executions.lifecycle import Status
from flows.operations import create_flow
from projects.models import Project
from tests.cast import Cast
from tests.connections.certificates import Authority
from tests.connections.servers import Answer, Asked, Postgres, Web, as_json
from tests.executions.cluster import Fleet
from tests.executions.stage import Stage

pytestmark = pytest.mark.process

ADDRESS = "127.44.3.8"  # of what the worker takes for example.org
# What the worker's Python does first: it knows where our example.org is.
NAMES = f"""
import socket
_ask = socket.getaddrinfo
socket.getaddrinfo = lambda host, *args, **more: _ask("{ADDRESS}" if host == "example.org" else host, *args, **more)
"""


@pytest.fixture(scope="module")
def example(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """https://example.org, where this machine lets us have its port."""
    folder = tmp_path_factory.mktemp("example")
    try:
        made = Web(authority.server_context(folder, name="example.org"), address=ADDRESS, port=443)
    except PermissionError:
        pytest.skip("port 443 is not ours")
    made.page("/", as_json("an example"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def surroundings(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the worker's environment says of example.org, and of where connections may not go."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "sitecustomize.py").write_text(NAMES)
    (folder / "ca.pem").write_text(authority.pem)
    denied = {"OUTGOING_DENY": "default, localhost"}
    return {"PYTHONPATH": str(folder), "SSL_CERT_FILE": str(folder / "ca.pem"), **denied}


@pytest.fixture
def narrow(fleet: Fleet, stage: Stage, surroundings: dict[str, str]) -> Stage:
    """A stage with a worker of one slot, in which what waits leaves memory at once."""
    fleet.have(workers=1, slots=1, SLEEP_MAX_SECONDS="0", **surroundings)
    return stage


def test_many_wait_at_the_same_time_and_take_no_slot(narrow: Stage, web: Web) -> None:
    many = 200
    gate = asyncio.Event()

    async def page(asked: Asked) -> Answer:
        if len(web.asked["/gate"]) == many:
            gate.set()  # all have come: none waits for another's end
        await gate.wait()
        return as_json(1)

    parent = narrow.run(
        "calls = [this.connect(connector_type='REST', url=inputs['url'], total_timeout=120, connect_timeout=120,\n"
        f"    read_timeout=120, wait=False) for _ in range({many})]\n"
        "return len(this.wait_for(calls))",
        inputs={"url": web.page("/gate", page)},
    )
    assert (parent.status, parent.output_value) == (Status.ENDED_SUCCESS, many), parent.message
    assert web.most_at_once >= many
    # The parent left memory while it waited, and went on from there.
    assert parent.attempt == 2


def test_the_parent_leaves_memory_while_it_waits_for_one(narrow: Stage, web: Web) -> None:
    async def page(asked: Asked) -> Answer:
        await asyncio.sleep(0.3)
        return as_json({"a": 1})

    parent = narrow.run(
        "child = this.connect(connector_type='REST', url=inputs['url'])\nreturn child.get('output_value')['json']",
        inputs={"url": web.page("/later", page)},
    )
    assert (parent.output_value, parent.attempt) == ({"a": 1}, 2), parent.message
    assert len(web.asked["/later"]) == 1


def test_where_connections_may_not_go(narrow: Stage, web: Web) -> None:
    url = web.page("/denied", as_json(1))
    body = "return this.connect(connector_type='REST', url=inputs['url'], wait='ALL_ENDED').get('message')"
    assert narrow.run(body, inputs={"url": url}).output_value == "200 Said"
    parent = narrow.run(body, inputs={"url": url.replace("127.0.0.1", "localhost")})
    assert "localhost are denied by the policy of this engine" in parent.output_value
    assert len(web.asked["/denied"]) == 1


FIRST = """
import flow_api
def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.flow('my-child-flow', custom_parameter='value')
    this.connect('my-database', fetchval='SELECT 1+1')
    this.connect(connector_type='REST', url='https://example.org')
    return this.success('all done')
"""
SECOND = """
import flow_api
def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.flow('my-child-flow', custom_parameter='value', init={'project_id': system.project('my-project').get('id')})
    this.connect('my-database', fetchval='SELECT 1+1', init={'project_id': system.project('my-other-project').get('id')})
    this.connect(connector_type='REST', url='https://example.org', init={'project_id': system.project('Default project').get('id')})
    return this.success('all done')
"""


def test_the_first_examples(narrow: Stage, cast: Cast, postgres: Postgres, example: Web) -> None:
    mine, other = (Project.objects.create(name=name) for name in ("my-project", "my-other-project"))
    password = postgres.inputs["password"]
    value = {name: item for name, item in postgres.inputs.items() if name != "password"}
    echo = "def handler(system, this, inputs):\n    return inputs"
    create_flow(by=cast.root, name="my-child-flow", script=echo)
    create_connector(
        by=cast.root, name="my-database", connector_type="SQLPG", value=value, secrets={"password": password}
    )
    for script, places in ((FIRST, None), (SECOND, [mine, other, cast.default])):
        parent = narrow.run(script)
        assert (parent.status, parent.message) == (Status.ENDED_SUCCESS, "all done"), parent.message
        flow, database, rest = narrow.children(parent)
        assert [child.type for child in (flow, database, rest)] == ["FLOW", "CONNECTION", "CONNECTION"]
        assert flow.output_value == {"custom_parameter": "value"}
        assert database.output_value["result"] == 2
        assert rest.output_value["json"] == "an example"
        assert places is None or [child.project for child in (flow, database, rest)] == places
