"""A connector keeps wrappers: its connections run through them on a real worker, from every place that starts one."""

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from connectors.models import Connector
from connectors.operations import create_connector, save_connector
from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import rerun_execution
from executions.starting import Start, start_execution, try_connector
from flows.models import Wrapper
from flows.wrappers import create_wrapper
from projects.bundles import import_bundle
from tests.connections.servers import Answer, Asked, Web, as_json
from tests.executions.stage import Stage

pytestmark = pytest.mark.process
OK, BAD = Status.ENDED_SUCCESS, Status.ENDED_ERROR
SECRET = "open-sesame-31"
RETRY = {"name": "retry", "inputs": {"max_tries": 3, "delay_sec": 0}}
AROUND = """
def handler(system, this, inputs):
    this.log(inputs)
    return ['around', this.start_child().get('output_value')['json']]
"""


@pytest.fixture
def flaky(play: Stage, web: Web) -> Connector:
    """A connector that keeps `retry`; its page answers every third who asks."""
    if not Wrapper.objects.alive().filter(name="retry").exists():
        import_bundle("Wrappers", by=play.cast.root)
        create_wrapper(by=play.cast.root, name="around", project=play.cast.workshop, script=AROUND)

    async def page(asked: Asked) -> Answer:
        number = len(web.asked["/flaky"])
        return as_json(number) if number % 3 == 0 else Answer(503)

    fields: dict[str, Any] = {
        "value": {"url": web.page("/flaky", page)},
        "secrets": {"authentication": {"authentication_method": "bearer", "token": SECRET}},
        "wrappers": [RETRY],
    }
    if found := Connector.objects.alive().filter(name="Flaky").first():
        return save_connector(found, by=play.cast.root, **fields)
    return create_connector(
        by=play.cast.root, name="Flaky", project=play.cast.workshop, connector_type="REST", **fields
    )


def started(play: Stage, **options: Any) -> Execution:
    execution, _ = start_execution(Start(**options), by=play.cast.bob, origin=Execution.Origin.API)
    play.ids.append(execution.pk)
    return play.ended(execution)


def test_a_flow_connects_through_it_and_reads_the_same_output(
    play: Stage, web: Web, flaky: Connector
) -> None:
    parent = play.run("return this.connect('Flaky', priority=2).get('output_value')['json']")
    assert (parent.status, parent.output_value) == (OK, 3), parent.message
    outer = play.children(parent)[0]
    assert (outer.type, outer.name, outer.priority, outer.project) == (
        "WRAPPER", "Flaky", 2, play.cast.workshop,
    )  # fmt: skip
    tries = play.children(outer)
    assert [(each.type, each.connector, each.status, each.priority) for each in tries] == [
        ("CONNECTION", flaky, BAD, 2), ("CONNECTION", flaky, BAD, 2), ("CONNECTION", flaky, OK, 2),
    ]  # fmt: skip
    assert [asked.header("Authorization") for asked in web.asked["/flaky"]] == [f"Bearer {SECRET}"] * 3


def test_it_gives_up_with_the_last_error(play: Stage, web: Web, flaky: Connector) -> None:
    save_connector(flaky, by=play.cast.root, wrappers=[{"name": "retry", "inputs": {"max_tries": 1}}])
    parent = play.run("this.connect('Flaky')")
    assert parent.status == BAD and "503" in play.children(parent)[0].message


@pytest.mark.parametrize(
    ("call", "output"),
    [
        ("this.connect('Flaky', unwrapped=True, wait='ALL_ENDED').get('status')", "ENDED_ERROR"),
        ("this.using('around').connect('Flaky').get('output_value')", ["around", 3]),
        ("this.connect('Flaky', wrappers=[{'name': 'around'}]).get('output_value')", ["around", 3]),
        ("this.using('retry', delay_sec=0).connect('Flaky', unwrapped=True).get('output_value')['json']", 3),
        ("this.connect('Flaky', wait=False).wait().get('output_value')['json']", 3),
        ("this.connect('Flaky', run=False).run().get('output_value')['json']", 3),
        ("this.connect('Flaky').clone().get('output_value')['json']", 6),
    ],
)
def test_every_way_to_connect(play: Stage, flaky: Connector, call: str, output: Any) -> None:
    execution = play.run(f"return {call}")
    assert (execution.status, execution.output_value) == (OK, output), execution.message


def test_doors_start_it_through_its_wrappers(play: Stage, web: Web, flaky: Connector) -> None:
    wrapped = started(play, connector=flaky)
    assert (wrapped.type, wrapped.status, wrapped.output_value["json"]) == ("WRAPPER", OK, 3)
    again = rerun_execution(wrapped, by=play.cast.bob, origin=Execution.Origin.API)
    play.ids.append(again.pk)
    assert (play.ended(again).type, again.output_value["json"]) == ("WRAPPER", 6)
    bare = started(play, connector=flaky, unwrapped=True)
    assert (bare.type, bare.status, len(web.asked["/flaky"])) == ("CONNECTION", BAD, 7)


def test_its_test_goes_without_them(play: Stage, web: Web, flaky: Connector) -> None:
    trial = try_connector(flaky, by=play.cast.bob, origin=Execution.Origin.API)
    play.ids.append(trial.pk)
    assert (play.ended(trial).type, trial.status, len(web.asked["/flaky"])) == ("CONNECTION", BAD, 1)


def test_several_hand_secret_inputs_on_and_never_see_them(play: Stage, web: Web, flaky: Connector) -> None:
    save_connector(flaky, by=play.cast.root, wrappers=[{"name": "around"}, RETRY])
    sign = "authentication={'authentication_method': 'bearer', 'token': 'open-sesame-37'}"
    parent = play.run(f"return this.connect('Flaky', {sign}).get('output_value')")
    assert (parent.status, parent.output_value) == (OK, ["around", 3]), parent.message
    assert {asked.header("Authorization") for asked in web.asked["/flaky"]} == {"Bearer open-sesame-37"}
    outer = play.children(parent)[0]
    assert outer.input_value["child"]["inputs"]["authentication"]["token"] == "•••"
    with connection.cursor() as cursor:
        for table in ("executions_execution", "executions_savepoint", "executions_logline"):
            for secret in ("open-sesame-37", SECRET):
                cursor.execute(f"SELECT count(*) FROM {table} t WHERE t.*::text LIKE %s", [f"%{secret}%"])
                assert cursor.fetchone() == (0,), (table, secret)


def test_a_wrapper_that_is_gone_is_named(play: Stage, flaky: Connector) -> None:
    gone = create_wrapper(by=play.cast.root, name="soon gone", project=play.cast.workshop)
    save_connector(flaky, by=play.cast.root, wrappers=[{"name": "soon gone"}])
    Wrapper.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())
    parent = play.run("this.connect('Flaky')")
    assert parent.status == BAD and "There is no wrapper 'soon gone'" in parent.message
