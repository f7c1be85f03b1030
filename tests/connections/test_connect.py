"""A flow connects: the connection is a child, carried out in the worker without a process of its own."""

import asyncio
import threading

import pytest
from django.db import connection

from connectors.operations import create_connector
from executions.lifecycle import Reason, Status
from executions.models import Execution, Transition
from executions.operations import cancel_execution
from executions.pausing import CannotPause, pause_execution, resume_execution
from flows.wrappers import create_wrapper
from tests.connections.servers import Answer, Asked, Web, as_json
from tests.executions.cluster import Fleet
from tests.executions.stage import Stage, wait_until

pytestmark = pytest.mark.process


def test_a_flow_gets_the_answer(play: Stage, web: Web) -> None:
    url = web.page("/answer", as_json({"pi": 3.14}))
    parent = play.run(
        "child = this.connect(connector_type='REST', url=inputs['url'])\n"
        "older = this.task('REST', url=inputs['url'], name='Older')\n"
        "return [child.get('output_value')['json'], older.get('output_value')['status_code']]",
        inputs={"url": url},
    )
    assert (parent.status, parent.output_value) == (Status.ENDED_SUCCESS, [{"pi": 3.14}, 200]), parent.message
    first, second = play.children(parent)
    assert (first.type, first.connector_type, first.name) == ("CONNECTION", "REST", "REST")
    assert (first.status, first.message, first.attempt) == (Status.ENDED_SUCCESS, "200 Said", 1)
    assert second.name == "Older"


def test_a_failure_is_told(play: Stage, web: Web) -> None:
    url = web.page("/gone", Answer(410, body=b"it went"))
    parent = play.run("this.connect(connector_type='REST', url=inputs['url'])", inputs={"url": url})
    child = play.children(parent)[0]
    assert (child.status, child.reason) == (Status.ENDED_ERROR, Reason.FAILED)
    assert "410 Said" in child.message and "200, 201" in child.message
    assert child.output_value["text"] == "it went"
    assert parent.status == Status.ENDED_ERROR and "DependencyFailedError" in parent.message


def test_an_answer_that_cannot_be_stored(play: Stage, web: Web) -> None:
    url = web.page("/deep", Answer(body=b"[" * 500 + b"]" * 500))
    parent = play.run("this.connect(connector_type='REST', url=inputs['url'])", inputs={"url": url})
    child = play.children(parent)[0]
    assert (child.status, child.reason, child.output_value) == (Status.ENDED_ERROR, Reason.FAILED, None)
    assert "cannot be stored" in child.message


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "url: give an address"),
        ({"url": "http://127.0.0.1:1/", "ulr": 1}, "inputs.ulr: is not known here"),
    ],
)
def test_wrong_inputs_are_named(play: Stage, inputs: dict[str, object], words: str) -> None:
    parent = play.run("this.connect(connector_type='REST', inputs=inputs, wait='ALL_ENDED')", inputs=inputs)
    child = play.children(parent)[0]
    assert (child.status, child.reason) == (Status.ENDED_ERROR, Reason.INPUT_INVALID)
    assert words in child.message


def test_it_is_cancelled_and_its_time_is_limited(play: Stage, web: Web) -> None:
    async def never(asked: Asked) -> Answer:
        await asyncio.sleep(600)
        return Answer()

    url = web.page("/never", never)
    body = "this.connect(connector_type='REST', url=inputs['url'], total_timeout=600)"
    parent = play.start(body, inputs={"url": url})
    child = wait_until(lambda: Execution.objects.filter(parent=parent, status=Status.RUNNING).first())
    cancel_execution(child, by=play.cast.root)
    play.ended(child)
    assert (child.status, child.reason) == (Status.ENDED_CANCELLED, Reason.CANCELLED)
    assert play.ended(parent).status == Status.ENDED_ERROR

    limited = body.replace("total_timeout=600", "total_timeout=600, max_runtime_minutes=0.005")
    parent = play.run(limited, inputs={"url": url})
    child = play.children(parent)[0]
    assert (child.status, child.reason) == (Status.ENDED_ERROR, Reason.TIMEOUT)


@pytest.fixture
def slow_at_first(web: Web) -> str:
    """A page that never answers the first who asks."""

    async def page(asked: Asked) -> Answer:
        if len(web.asked["/slow"]) == 1:
            await asyncio.sleep(600)
        return as_json("at last")

    return web.page("/slow", page)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"method": "get"}, ""),
        ({"method": "post"}, Reason.INTERRUPTED),
        ({"method": "post", "idempotent": True}, ""),
        ({"method": "get", "idempotent": False}, Reason.INTERRUPTED),
        ({"method": "post", "max_attempts": 2, "backoff": 0.1}, ""),
        ({"method": "get", "max_attempts": 1}, Reason.ATTEMPTS_EXHAUSTED),
    ],
)
def test_a_lost_worker(
    fleet: Fleet, play: Stage, web: Web, slow_at_first: str, inputs: dict[str, object], reason: str
) -> None:
    (worker,) = fleet.workers
    inputs = {"url": slow_at_first, "total_timeout": 600, **inputs}
    parent = play.start("this.connect(connector_type='REST', inputs=inputs)", inputs=inputs)
    wait_until(lambda: web.asked["/slow"])
    worker.kill("host")
    play.ended(parent)
    child = play.children(parent)[0]
    news = list(Transition.objects.filter(execution=child).order_by("version").values_list("new", "reason"))
    if reason:
        assert (child.status, child.reason) == (Status.ENDED_ERROR, reason), news
        assert len(web.asked["/slow"]) == 1
    else:
        assert (child.status, child.attempt, len(web.asked["/slow"])) == (Status.ENDED_SUCCESS, 2, 2), news
        assert "carried out again" in play.log(child)[0]


@pytest.mark.parametrize(("method", "is_repeated"), [("get", True), ("post", False)])
def test_a_stopped_worker(
    fleet: Fleet, stage: Stage, web: Web, slow_at_first: str, method: str, is_repeated: bool
) -> None:
    (worker,) = fleet.have(workers=1, slots=4)
    inputs = {"url": slow_at_first, "total_timeout": 600, "method": method}
    parent = stage.start("this.connect(connector_type='REST', inputs=inputs)", inputs=inputs)
    wait_until(lambda: web.asked["/slow"])
    assert worker.stop() == 0
    fleet.have(workers=1, slots=4)
    stage.ended(parent)
    child = stage.children(parent)[0]
    reason = "" if is_repeated else Reason.INTERRUPTED
    assert (child.reason, len(web.asked["/slow"])) == (reason, 2 if is_repeated else 1)


def test_a_parent_is_paused_and_resumed_while_it_waits(play: Stage, web: Web) -> None:
    gate = threading.Event()

    async def page(asked: Asked) -> Answer:
        while not gate.is_set():
            await asyncio.sleep(0.01)
        return as_json("opened")

    inputs = {"url": web.page("/gated", page)}
    parent = play.start(
        "return this.connect(connector_type='REST', url=inputs['url']).get('output_value')['json']",
        inputs=inputs,
    )
    child = wait_until(lambda: Execution.objects.filter(parent=parent, status=Status.RUNNING).first())
    with pytest.raises(CannotPause, match="cannot be paused"):
        pause_execution(child, by=play.cast.root)
    pause_execution(parent, by=play.cast.root)
    play.in_status(parent, Status.PAUSED)
    gate.set()
    play.ended(child)
    assert (child.status, child.pause_requested_at) == (Status.ENDED_SUCCESS, None)
    resume_execution(parent, by=play.cast.root)
    assert play.ended(parent).output_value == "opened"


def test_an_awaited_connection_ends_with_its_parent(play: Stage, web: Web) -> None:
    async def never(asked: Asked) -> Answer:
        await asyncio.sleep(600)
        return Answer()

    parent = play.start(
        "this.connect(connector_type='REST', url=inputs['url'])", inputs={"url": web.page("/n", never)}
    )
    child = wait_until(lambda: Execution.objects.filter(parent=parent, status=Status.RUNNING).first())
    cancel_execution(parent, by=play.cast.root)
    play.all_ended([parent.pk, child.pk])
    child.refresh_from_db()
    assert child.status == Status.ENDED_CANCELLED


def test_a_connector_brings_its_inputs_and_its_secrets(play: Stage, web: Web) -> None:
    async def page(asked: Asked) -> Answer:
        return as_json(
            {"query": asked.query, "signed": asked.header("Authorization"), "extra": asked.header("X-Extra")}
        )

    web.page("/base/things", page)
    create_connector(
        by=play.cast.root,
        name="Things",
        project=play.cast.workshop,
        connector_type="REST",
        value={"url": web.url + "/base", "headers": {"X-Extra": "stored"}, "query": {"page": 1, "size": 2}},
        secrets={"authentication": {"authentication_method": "bearer", "token": "open-sesame-17"}},
    )
    parent = play.run(
        "got = this.connect('Things', path='things', query={'page': 3}).get('output_value')['json']\n"
        "this.log('so it is', got)\nreturn got",
        project=play.cast.attic,
    )
    child = play.children(parent)[0]
    assert parent.status == Status.ENDED_SUCCESS, parent.message
    asked = web.asked["/base/things"][0]
    assert asked.header("Authorization") == "Bearer open-sesame-17"
    assert asked.query == [("page", "3"), ("size", "2")]
    assert parent.output_value == {
        "query": [["page", "3"], ["size", "2"]],
        "signed": "Bearer •••",
        "extra": "stored",
    }
    assert (child.name, child.project, child.connector.name) == ("Things", play.cast.workshop, "Things")


def test_through_a_wrapper(play: Stage, web: Web) -> None:
    url = web.page("/wrapped", as_json("inside"))
    root = play.cast.root
    create_connector(
        by=root, name="Wrapped", connector_type="REST", project=play.cast.workshop, value={"url": url}
    )
    text = "def handler(system, this, inputs):\n    return this.start_child().get('output_value')['json']"
    create_wrapper(by=root, name="enclosing", project=play.cast.workshop, script=text)
    parent = play.run("return this.using('enclosing').connect('Wrapped').get('output_value')")
    assert (parent.status, parent.output_value) == (Status.ENDED_SUCCESS, "inside"), parent.message


def test_wrappers_hand_secrets_on_and_never_see_them(play: Stage, web: Web) -> None:
    url = web.page("/twice-wrapped", as_json("inside"))
    text = "def handler(system, this, inputs):\n    this.log(inputs)\n    return this.start_child().get('output_value')"
    create_wrapper(by=play.cast.root, name="looks on", project=play.cast.workshop, script=text)
    sign = "authentication={'authentication_method': 'bearer', 'token': 'open-sesame-23'}"
    call = f"this.using('looks on').using('looks on').connect(connector_type='REST', url={url!r}, {sign})"
    parent = play.run(f"child = {call}\nreturn child.clone().get('output_value')['json']")
    assert (parent.status, parent.output_value) == (Status.ENDED_SUCCESS, "inside"), parent.message
    assert [asked.header("Authorization") for asked in web.asked["/twice-wrapped"]] == [
        "Bearer open-sesame-23",
        "Bearer open-sesame-23",
    ]
    outer = play.children(parent)[0]
    given = outer.input_value["child"]["inputs"]
    assert given["authentication"] == {"authentication_method": "bearer", "token": "•••"}
    with connection.cursor() as cursor:
        for table in ("executions_execution", "executions_savepoint", "executions_logline"):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t.*::text LIKE '%open-sesame-23%'")
            assert cursor.fetchone() == (0,), table
