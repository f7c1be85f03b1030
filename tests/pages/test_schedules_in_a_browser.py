"""Schedules in a real browser: the form with its preview, the switch, and the dialog that makes up for past times."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from flows.operations import create_flow
from schedules.scheduler_operations import create_scheduler
from tests.cast import make_cast
from tests.pages.test_browser import SCRIPT, Window, window  # noqa: F401  a fixture, found by its name
from tests.pages.test_running import SCHEMA

# A preview gives way to the next one; what was filled in wrongly is answered so.
EXPECTED = ("htmx:afterRequest", "htmx:sendAbort", "status of 422")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def flows(transactional_db: None) -> dict[str, Any]:
    cast = make_cast()
    make = {"by": cast.alice, "project": cast.workshop}
    for built_in in ("daily", "interval"):
        create_scheduler(name=built_in.title(), built_in=built_in, **make)
    return {"report": create_flow(name="report", script=SCRIPT, input_schema=SCHEMA, **make)}


def test_a_flow_is_scheduled(window: Callable[..., Window], flows: dict[str, Any]) -> None:  # noqa: F811
    alice = window(timezone_id="Europe/Vienna")
    page = alice.page
    alice.open(reverse("flow-detail", args=[flows["report"].pk]))
    page.get_by_role("link", name="Schedule", exact=True).click()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Vienna")
    times = page.locator("#preview li")
    configuration = page.locator("#configuration")
    page.get_by_label("When", exact=True).select_option("Interval")
    expect(configuration.get_by_label("seconds")).to_be_visible()
    expect(times).to_have_count(10)
    page.get_by_label("When", exact=True).select_option("Daily")
    expect(configuration.get_by_label("time")).to_have_value("08:30")
    configuration.get_by_label("time").fill("25:00")
    expect(page.locator("#preview")).to_contain_text("25:00")
    configuration.get_by_label("time").fill("07:45")
    expect(times).to_have_count(10)
    expect(times.last).to_contain_text("07:45")

    page.locator("#name").fill("every morning")
    page.get_by_label("Enabled:").check()
    create = page.get_by_role("region", name="Fields").get_by_role("button", name="Create")
    create.click()
    expect(page.locator("main")).to_contain_text("Is required.")
    page.locator('[name="inputs.day"]').fill("2030-01-31")
    create.click()
    page.wait_for_url("**/schedules/*/")
    expect(page.locator("h1")).to_contain_text("every morning")
    expect(page.locator(".times li").first).to_contain_text("07:45")

    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("link", name="Make up for past times").click()
    dialog = page.get_by_role("dialog")
    now = timezone.now()
    dialog.get_by_label("From").fill(f"{now - timedelta(days=3):%Y-%m-%dT00:00}")
    dialog.get_by_label("To").fill(f"{now - timedelta(days=1):%Y-%m-%dT00:00}")
    expect(dialog).to_contain_text("2 of 2 times")
    dialog.get_by_role("button", name="Start").click()
    expect(page.locator("[data-row]")).to_have_count(2)

    alice.open(reverse("schedule-list"))
    page.get_by_role("switch", name="every morning is enabled").click()
    expect(page.get_by_role("switch", name="every morning is disabled")).to_be_visible()
    assert [error for error in alice.unexpected() if not any(word in error for word in EXPECTED)] == []
