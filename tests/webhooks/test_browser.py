"""A webhook in a real browser: made in a dialog, enabled, called by the test, and looked at on a phone."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from flows.models import Flow
from flows.operations import create_flow
from tests.cast import make_cast
from tests.pages.test_browser import window  # noqa: F401  (a fixture)
from tests.webhooks.conftest import call
from webhooks.models import Webhook
from webhooks.operations import create_webhook

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def flows(transactional_db: None) -> Flow:
    cast = make_cast()
    script = "def handler(system, this, inputs):\n    return 1\n"
    return create_flow(by=cast.alice, project=cast.workshop, name="Take an order", script=script)


@pytest.fixture
def orders(flows: Flow) -> Webhook:
    """A webhook that is there before the browser starts, as its loop forbids more."""
    return create_webhook(by=flows.created_by, name="orders", flow=flows, is_enabled=True)


def test_a_webhook_is_made_enabled_and_called(threads, flows, window):  # noqa: F811
    alice = window()
    page = alice.page
    page.keyboard.press("g")
    page.keyboard.press("w")
    page.wait_for_url("**/webhooks/")
    page.get_by_role("link", name="Create a webhook").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("orders")
    dialog.get_by_label("Flow").fill("Take an order")
    dialog.get_by_role("button", name="Create").click()
    expect(page.locator("#new-key")).to_have_text(re.compile(r"^whk_[\w-]{43}$"))
    page.get_by_role("switch").click()
    expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "true")
    assert page.locator("#new-key").count() == 0
    page.keyboard.press("t")
    page.wait_for_url("**/test/")
    page.get_by_label("Do not wait").check()
    page.get_by_label("Body").focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_contain_text("202")
    page.locator("#answer").get_by_role("link", name="Call").click()
    expect(page.locator("json-tree")).to_contain_text("hello")
    page.get_by_role("button", name="Deliver again").click()
    page.get_by_role("dialog").get_by_role("button", name="Deliver again").click()
    expect(page.locator(".toast")).to_contain_text("Delivered again")
    page.get_by_role("link", name="Calls", exact=True).click()
    expect(page.locator("tr[data-row]")).to_have_count(2)
    assert alice.unexpected() == []


def call_elsewhere(*given: Any, **options: Any) -> Any:
    """Call the webhook in a thread without the browser's loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call, *given, **options).result(30)


def test_the_log_shows_calls_as_they_come(threads, orders, window):  # noqa: F811
    alice = window()
    page = alice.page
    alice.open(reverse("webhook-calls", args=[orders.pk]))
    expect(page.locator("#rows")).to_contain_text("It has not been called yet")
    assert call_elsewhere(params={"async": "1"}).status_code == 202
    expect(page.locator("tr[data-row]")).to_have_count(1, timeout=20_000)
    expect(page.locator("tr[data-row]")).to_contain_text("202")
    page.locator("tr[data-row]").hover()  # what is being read does not move away
    assert call_elsewhere("BREW").status_code == 405
    page.get_by_role("button", name="There is news").click(timeout=20_000)
    expect(page.locator("tr[data-row]")).to_have_count(2)
    assert alice.unexpected() == []


def test_every_page_fits_a_phone(flows, window):  # noqa: F811
    alice = window(viewport={"width": 390, "height": 800})
    page = alice.page
    alice.open(reverse("webhook-create"))
    page.locator("#new-webhook-name").fill("orders-of-the-shop-with-a-name-that-is-rather-long")
    page.locator("#new-webhook-flow").fill("Take an order")
    page.locator(".page").get_by_role("button", name="Create").click()
    page.wait_for_selector("#new-key")
    alice.open(reverse("webhook-list"))
    page.get_by_role("link", name="orders-of").click()
    page.wait_for_url("**/webhooks/*-*/")
    address = page.url.removeprefix(alice.base)
    for part in ("", "calls/", "test/", "roles/", "settings/"):
        alice.open(address + part)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, part
    assert alice.unexpected() == []
