"""Running a flow by hand: at once, or by the dialog with inputs and options, which remembers and shows its commands."""

import re
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from executions.models import Execution, RunChoice
from flows.models import Flow
from flows.operations import create_flow, save_flow
from flows.wrappers import create_wrapper
from tests.cast import Cast, hold
from tests.forms.test_forms import Fields
from tests.pages.conftest import SCRIPT

SCHEMA = {
    "type": "object",
    "required": ["day"],
    "properties": {
        "day": {"type": "string", "format": "date"},
        "copies": {"type": "integer", "default": 2},
        "token": {"type": "string", "format": "password"},
    },
}


@pytest.fixture
def asks(cast: Cast) -> Flow:
    return create_flow(
        by=cast.root, project=cast.workshop, name="it's a report", script=SCRIPT, input_schema=SCHEMA
    )


def address(flow: Flow, query: str = "") -> str:
    return reverse("flow-run-options", args=[flow.pk]) + query


def posted(client: Any, path: str, fields: Any, **headers: str) -> Any:
    """Send fields as a form does, in which a name may come several times."""
    return client.post(
        path, fields.urlencode(), content_type="application/x-www-form-urlencoded", headers=headers
    )


def sent(client: Any, flow: Flow, query: str = "", **changes: Any) -> Any:
    """Open the dialog, change some of its fields as a person would, and return what the browser would send."""
    fields = Fields(client.get(address(flow, query), headers={"HX-Request": "true"}).text).sent
    for name, value in changes.items():
        fields.setlist(name.replace("__", "."), value if isinstance(value, list) else [value])
    return fields


def run(client: Any, flow: Flow, query: str = "", **changes: Any) -> Any:
    fields = sent(client, flow, query, **changes)
    return posted(client, address(flow), fields)


@pytest.mark.parametrize(("mode", "is_productive"), [("productive", True), ("dev", False)])
def test_run_starts_at_once_and_opens_it(cast, browser_of, flow, mode, is_productive):
    response = browser_of(cast.bob).post(reverse("flow-run", args=[flow.pk]), {"mode": mode})
    execution = Execution.objects.get()
    assert response["Location"] == reverse("execution-detail", args=[execution.pk])
    assert (execution.flow, execution.created_by) == (flow, cast.bob)
    assert (execution.is_productive, execution.origin) == (is_productive, "USER")


def test_a_flow_that_lacks_inputs_leads_to_the_dialog(cast, browser_of, flow):
    save_flow(flow, by=cast.root, input_schema={"type": "object", "required": ["name"]})
    response = browser_of(cast.bob).post(reverse("flow-run", args=[flow.pk]), follow=True)
    assert response.redirect_chain[-1][0] == address(flow)
    assert "was not started" in response.text and "inputs.name: is required" in response.text
    assert not Execution.objects.exists()


def test_the_button_opens_the_form_of_a_flow_with_inputs(cast, browser_of, flow, asks):
    client = browser_of(cast.bob)
    plain, with_inputs = (client.get(reverse("flow-detail", args=[each.pk])).text for each in (flow, asks))
    assert f'action="{reverse("flow-run", args=[flow.pk])}"' in plain
    assert f'href="{address(asks)}" data-dialog data-shortcut="r"' in with_inputs
    assert all(
        f'href="{address(each)}?options"' in text for each, text in ((flow, plain), (asks, with_inputs))
    )
    assert f'href="{address(flow)}" data-dialog' in client.get(reverse("flow-list")).text


def test_the_usual_is_what_run_does(cast, browser_of, asks):
    response = run(browser_of(cast.bob), asks, inputs__day="2030-01-31")
    execution = Execution.objects.get()
    assert response["Location"] == reverse("execution-detail", args=[execution.pk])
    assert execution.input_value == {"day": "2030-01-31", "copies": 2}
    assert (execution.name, execution.status, execution.is_productive) == (asks.name, "QUEUED", True)
    assert (execution.project, execution.priority, execution.scheduled_for) == (cast.workshop, 0, None)
    assert (execution.savepoint_retention, execution.orphan) == ("until_expiry", True)


def test_wrong_inputs_are_said_at_their_field_and_start_nothing(cast, browser_of, asks):
    client = browser_of(cast.bob)
    fields = sent(client, asks, inputs__day="soon", inputs__copies="two", options__priority="99999")
    answer = posted(client, address(asks), fields, **{"HX-Request": "true"})
    assert answer.status_code == 200
    for words in (
        "Must be a date such as",
        "Must be a whole number.",
        "Must be 32767 or less.",
        'value="soon"',
    ):
        assert words in answer.text
    assert '<details class="more-fields" open>' in answer.text
    assert not Execution.objects.exists() and not RunChoice.objects.exists()
    assert run(client, asks).status_code == 422


def test_inputs_as_text(cast, browser_of, asks, flow):
    client = browser_of(cast.bob)
    run(client, asks, **{"inputs__?as": "raw", "inputs__?raw": "day: 2030-01-31\ncopies: 5"})
    assert Execution.objects.get().input_value == {"day": "2030-01-31", "copies": 5}
    run(client, flow, **{"inputs__?raw": '{"anything": [1]}'})
    assert Execution.objects.order_by("-id")[0].input_value == {"anything": [1]}
    assert "Give an object" in run(client, flow, **{"inputs__?raw": "[1]"}).text


@pytest.fixture
def wrapped(cast: Cast) -> str:
    schema = {"type": "object", "properties": {"tries": {"type": "integer"}}}
    create_wrapper(by=cast.root, project=cast.workshop, name="thrice", script=SCRIPT, input_schema=schema)
    return "thrice"


def options_of(cast: Cast, wrapped: str, client: Any, flow: Flow) -> dict[str, Any]:
    """Return all options, chosen otherwise than usual, as fields of the form."""
    text = client.get(address(flow), headers={"HX-Request": "true"}).text
    projects = re.findall(r'<option value="(\d+)">(\w+)</option>', text)
    attic = next(number for number, name in projects if name == "Attic")
    return {
        "inputs__day": "2030-01-31", "inputs__copies": "3", "options__name": "Special “run”",
        "options__is_productive": "1", "options__project_name": attic, "options__priority": "7",
        "options__scheduled_for": "2031-02-03T04:05:06", "options__is_paused": "true",
        "options__max_runtime_minutes": "1.5", "options__savepoint_retention": "0", "options__roles": ["0"],
        "options__wrappers__0?way": "0", "options__wrappers__0?way__0__inputs__tries": "4", "options__orphan": [],
    }  # fmt: skip


def test_every_option_arrives(cast, browser_of, asks, wrapped):
    client = browser_of(cast.alice)
    run(client, asks, **options_of(cast, wrapped, client, asks))
    execution = Execution.objects.get()
    assert (execution.type, execution.wrapper.name, execution.name) == ("WRAPPER", "thrice", "Special “run”")
    assert execution.input_value["wrapper_inputs"] == {"tries": 4}
    assert execution.input_value["child"]["inputs"] == {"day": "2030-01-31", "copies": 3}
    assert (execution.status, execution.is_productive, execution.project) == ("PAUSED", False, cast.attic)
    assert (execution.priority, execution.max_runtime_minutes, execution.orphan) == (7, 1.5, False)
    assert execution.scheduled_for.isoformat() == "2031-02-03T04:05:06+00:00"
    assert execution.savepoint_retention == "none"
    assert [str(role) for role in execution.roles] == [str(hold(cast.alice, "Admin", cast.workshop).role_id)]


def test_the_last_choice_is_remembered_without_what_is_secret_or_meant_once(cast, browser_of, asks, wrapped):
    client = browser_of(cast.alice)
    assert "As you ran it last" not in client.get(address(asks)).text
    chosen = options_of(cast, wrapped, client, asks) | {
        "inputs__token": "hunter2",
        "options__wrappers__0?way": "",
    }
    run(client, asks, **chosen)
    kept = RunChoice.objects.get()
    assert kept.inputs == {"day": "2030-01-31", "copies": 3}
    again = sent(client, asks, "?options")
    assert (again["inputs.day"], again["inputs.token"], again["options.priority"]) == ("2030-01-31", "", "7")
    assert (again["options.name"], again["options.scheduled_for"]) == ("", "")
    assert (again["options.is_productive"], "options.orphan" in again) == ("1", False)
    assert "As you ran it last" in client.get(address(asks)).text
    # Without a look at the options, the button that was pressed says which mode it is.
    assert [sent(client, asks, query)["options.is_productive"] for query in ("", "?mode=dev")] == ["0", "1"]
    assert sent(client, asks, "?fresh")["inputs.day"] == ""
    assert "As you ran it last" not in browser_of(cast.bob).get(address(asks)).text


def test_only_what_is_allowed_is_offered(cast, browser_of, asks, wrapped):
    assert browser_of(cast.carol).get(address(asks)).status_code == 403
    assert browser_of(cast.mallory).get(address(asks)).status_code == 404
    create_wrapper(by=cast.root, project=cast.attic, name="elsewhere", script=SCRIPT)
    for person, offered in ((cast.bob, False), (cast.alice, True)):
        text = browser_of(person).get(address(asks)).text
        assert wrapped in text and ("elsewhere" in text, "Attic</option>" in text) == (offered, offered)


def test_the_commands_are_shown(cast, browser_of, asks):
    client = browser_of(cast.bob)
    fields = sent(client, asks, inputs__day="2030-01-31", options__priority="3")
    text = posted(client, reverse("flow-run-code", args=[asks.pk]), fields).text
    curl, script = (unescape(part) for part in re.findall(r'<pre tabindex="0">(.*?)</pre>', text, re.DOTALL))
    assert "curl http://testserver/api/latest/execution" in curl
    assert '"day": "2030-01-31"' in curl and '"priority": 3' in curl and "is_paused" not in curl
    assert "priority=3" in script and 'this.flow(\n        "it\'s a report",' in script
    compile(script, "shown", "exec")
    assert "not valid yet" not in text
    fields["inputs.day"] = ""
    assert "not valid yet" in posted(client, reverse("flow-run-code", args=[asks.pk]), fields).text
