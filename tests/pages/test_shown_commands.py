"""The commands that the dialog shows start what its button starts: both are carried out, against a real server."""

import os
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.api_keys import create_api_key
from executions.models import Execution
from executions.starting import Start, start_execution
from flows.models import Flow
from flows.operations import create_flow
from flows.wrappers import create_wrapper
from tests.cast import Cast, make_cast
from tests.executions.cluster import Fleet
from tests.executions.stage import wait_until
from tests.pages.test_running import SCHEMA, options_of, run, sent

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]
REPORT = "def handler(system, this, inputs):\n    return inputs\n"
COMPARED = (
    "type", "flow_id", "wrapper_id", "input_value", "is_productive", "project_id", "priority", "scheduled_for",
    "max_runtime_minutes", "savepoint_retention", "orphan", "roles", "name",
)  # fmt: skip


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def fleet(database_url: str, cast: Cast) -> Iterator[Fleet]:
    made = Fleet(database_url)
    made.have(workers=1, slots=4)
    yield made
    made.stop()


@pytest.fixture
def flow(cast: Cast) -> Flow:
    name = 'it\'s a "report" \\ $HOME'
    return create_flow(by=cast.root, project=cast.workshop, name=name, script=REPORT, input_schema=SCHEMA)


def shown(client: Client, flow: Flow, host: str, **chosen: Any) -> list[str]:
    fields = sent(client, flow, **chosen)
    text = client.post(
        reverse("flow-run-code", args=[flow.pk]),
        fields.urlencode(),
        content_type="application/x-www-form-urlencoded",
        headers={"Host": host},
    ).text
    return [unescape(part) for part in re.findall(r'<pre tabindex="0">(.*?)</pre>', text, re.DOTALL)]


def of(execution: Execution) -> dict[str, Any]:
    return {name: getattr(execution, name) for name in COMPARED}


@pytest.mark.parametrize("is_usual", [True, False])
def test_both_commands_start_what_the_button_starts(
    cast: Cast, flow: Flow, fleet: Fleet, live_server: Any, is_usual: bool
) -> None:
    script = "def handler(system, this, inputs):\n    this.start_child()\n"
    schema = {"type": "object", "properties": {"tries": {"type": "integer"}}}
    create_wrapper(by=cast.root, project=cast.workshop, name="thrice", script=script, input_schema=schema)
    client = Client()
    client.force_login(cast.alice)
    chosen = {"inputs__day": "2030-01-31", "inputs__copies": "4"}
    chosen |= {} if is_usual else options_of(cast, "thrice", client, flow)
    chosen["inputs__token"] = 'it\'s "quoted"; `touch /x` $HOME \\n ü'
    curl, script = shown(client, flow, live_server.url.removeprefix("http://"), **chosen)
    run(client, flow, **chosen)
    by_button = Execution.objects.get()

    key = create_api_key(cast.alice, "shell")[1]
    done = subprocess.run(
        ["bash", "-c", curl],
        env={"KEY": key, "PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=30,
        check=True,
    )
    by_curl = Execution.objects.exclude(pk=by_button.pk).get()
    assert of(by_curl) == of(by_button), done.stdout

    starter, _ = start_execution(Start(script=script, project=cast.workshop), by=cast.alice, origin="COMMAND")
    wait_until(lambda: starter.refresh_from_db() or starter.is_ended, fleet.tail())
    assert starter.status == "ENDED_SUCCESS", starter.message
    by_flow = Execution.objects.get(parent=starter)
    expected = of(by_button)
    if is_usual:
        expected["orphan"] = False  # it waits for its child, which then belongs to it
    assert of(by_flow) == expected
    if not is_usual:
        # The flow's child belongs to its parent, and has ended with it.
        assert {each.transitions.order_by("version")[0].new for each in (by_button, by_curl, by_flow)} == {
            "PAUSED"
        }
