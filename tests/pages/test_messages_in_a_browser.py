"""People answer in a real browser: on the page of a waiting execution, in a popup, and the bell that counts along.

The server of these tests speaks no websockets, so the pages poll: slower, and all the same.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from flows.operations import create_flow
from tests.cast import make_cast
from tests.executions.cluster import Fleet
from tests.pages.test_browser import Window, window  # noqa: F401  a fixture, found by its name

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATIENCE = 20_000
ASKS = """
FORM = {
    'type': 'object', 'required': ['version'],
    'properties': {
        'version': {'element': 'string', 'type': 'string', 'label': 'Version', 'minLength': 2},
        'at': {'type': 'string', 'format': 'date-time', 'label': 'Not before'},
        'hosts': {'type': 'array', 'label': 'Hosts', 'items': {'type': 'string'}},
        'login': {'label': 'Login', 'oneOf': [
            {'title': 'Key', 'type': 'object', 'required': ['kind', 'key'],
             'properties': {'kind': {'const': 'key'}, 'key': {'type': 'string', 'label': 'The key'}}},
            {'title': 'Name', 'type': 'object', 'required': ['kind', 'user'],
             'properties': {'kind': {'const': 'name'}, 'user': {'type': 'string', 'label': 'The name'}}},
        ]},
        'go': {'element': 'submit', 'type': 'boolean', 'label': 'Deploy'},
        'no': {'element': 'submit', 'type': 'boolean', 'label': 'Not now', 'required': []},
    },
}


def handler(system, this, inputs):
    answer = this.message('Deploy?', body=FORM).get('response')
    again = this.message('Sure?', request='Why?', message_type='POPUP').get('response')
    return {'answer': answer, 'again': again}
"""


@pytest.fixture
def flows(transactional_db: None, database_url: str) -> Iterator[dict[str, Any]]:
    """A flow that asks twice, and a worker; made before the browser starts, as its loop forbids more."""
    cast = make_cast()
    made = {"asks": create_flow(by=cast.alice, project=cast.workshop, name="asks", script=ASKS)}
    fleet = Fleet(database_url)
    fleet.have(workers=1, slots=4)
    yield made
    fleet.stop()


def test_a_form_a_popup_and_the_bell(window: Callable[..., Window], flows: dict[str, Any]) -> None:  # noqa: F811
    alice = window(timezone_id="Asia/Tokyo")
    page = alice.page
    alice.open(reverse("flow-detail", args=[flows["asks"].pk]))
    expect(page.locator("[data-bell-count]")).to_be_hidden()
    page.get_by_role("button", name="Run", exact=True).first.click()
    page.wait_for_url("**/executions/*/")

    card = page.locator(".message-card")
    expect(card).to_contain_text("Deploy?", timeout=PATIENCE)
    expect(page.locator("[data-bell-count]")).to_have_text("1", timeout=PATIENCE)
    # What is typed stays while the page refreshes itself.
    page.get_by_label("Version").fill("1")
    page.get_by_label("Not before").fill("2030-01-31T08:30:00")
    page.get_by_role("button", name="Add").click()
    page.locator("form-rows input").fill("web-1")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_label("The key")).to_be_hidden()
    page.get_by_label("Login").select_option("Name")
    expect(page.get_by_label("The key")).to_be_hidden()
    page.get_by_label("The name").fill("ada")
    page.get_by_role("button", name="Deploy").click()
    expect(card).to_contain_text("Must have 2 or more characters.")
    expect(page.get_by_label("Version")).to_have_value("1")
    expect(page.get_by_label("The name")).to_have_value("ada")
    page.get_by_label("Version").fill("1.2")
    page.get_by_role("button", name="Deploy").click()

    # The page of the execution has the next form in its midst; all others have it come up.
    expect(card).to_contain_text("Sure?", timeout=PATIENCE)
    popup = page.locator("dialog.popup")
    expect(page.locator("[data-bell-count]")).to_have_text("1", timeout=PATIENCE)
    expect(popup).to_have_count(0)
    alice.open(reverse("dashboard"))
    expect(popup).to_contain_text("Sure?", timeout=PATIENCE)
    expect(popup.get_by_label("Why?")).to_be_focused()
    popup.get_by_role("button", name="Later").click()
    page.get_by_role("button", name="Messages").click()
    page.locator("#bell-list").get_by_role("link", name="Sure?").click()
    page.wait_for_url("**/inbox/*/")
    page.get_by_label("Why?").fill("because")
    page.get_by_role("button", name="OK").click()
    expect(page.locator(".message-card")).to_contain_text("Answered by alice")
    expect(page.locator("[data-bell-count]")).to_be_hidden(timeout=PATIENCE)
    page.get_by_role("link", name="Its execution").click()
    page.get_by_role("link", name="Output").click()
    output = page.locator("json-tree")
    for words in ("1.2", "2030-01-31T08:30:00+09:00", "web-1", "ada", "because"):
        expect(output).to_contain_text(words, timeout=PATIENCE)
    assert alice.unexpected() == []
