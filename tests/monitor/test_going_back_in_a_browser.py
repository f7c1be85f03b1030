"""Pause, resume, restore and fork by the buttons of the pages, with a real browser and a real worker."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from flows.operations import create_flow
from tests.cast import make_cast
from tests.executions.cluster import Fleet
from tests.pages.test_browser import Window, window  # noqa: F401  a fixture, found by its name

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATIENCE = 20_000
SCRIPT = """
def handler(system, this, inputs):
    this.set_output(known=[flow.get('name') for flow in system.flows()])
    this.save_dump('known')
    for step in range(10_000):
        this.set_output(step=step)
        this.sleep(0.4)
"""


@pytest.fixture
def flows(transactional_db: None, database_url: str) -> Iterator[dict[str, Any]]:
    """A flow that makes a call now and then, and a worker; made before the browser starts, as its loop forbids more."""
    cast = make_cast()
    made = {"steps": create_flow(by=cast.alice, project=cast.workshop, name="steps", script=SCRIPT)}
    fleet = Fleet(database_url)
    fleet.have(workers=1, slots=4)
    yield made
    fleet.stop()


def has_status(page: Page, *words: str) -> None:
    badge = page.locator('[data-live="head"] h1 .badge[data-status]')
    expect(badge).to_have_text(re.compile("|".join(words)), timeout=PATIENCE)


def press(page: Page, name: str) -> None:
    page.locator(".page-actions").get_by_role("button", name=name, exact=True).click()


def newest(page: Page) -> int:
    return int(page.locator(".savepoints-table tbody tr").first.get_attribute("data-key") or 0)


def row(page: Page, number: int) -> Locator:
    return page.locator(f"#P{number}")


def agree(page: Page, words: str, name: str) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(words)
    expect(dialog).to_contain_text("effects outside stay")
    dialog.get_by_role("button", name=name, exact=True).click()


def test_pause_resume_restore_and_fork(window: Callable[..., Window], flows: dict[str, Any]) -> None:  # noqa: F811
    alice = window()
    page = alice.page
    alice.open(reverse("flow-detail", args=[flows["steps"].pk]))
    page.get_by_role("button", name="Run", exact=True).first.click()
    page.wait_for_url("**/executions/*/")
    first = page.url
    has_status(page, "Running", "Sleeping")

    # New savepoints come by themselves, and what is unfolded stays so.
    page.goto(f"{first}?tab=savepoints&named")
    expect(page.locator(".savepoints-table tbody tr")).to_have_count(1, timeout=PATIENCE)
    named = int(page.locator(".savepoints-table tbody tr").get_attribute("data-key") or 0)
    page.goto(f"{first}?tab=savepoints")
    seen = newest(page)
    listed = page.locator("details[data-savepoint]").last
    listed.locator("summary").click()
    expect(listed.locator("json-tree")).to_contain_text("steps")
    expect(row(page, seen + 4)).to_be_visible(timeout=PATIENCE)
    expect(listed.locator("json-tree")).to_contain_text("steps")

    # Paused, nothing more happens; resumed, it goes on where it was.
    press(page, "Pause")
    has_status(page, "Paused")
    expect(page.locator(".why")).to_contain_text("Resume lets it go on from its last savepoint")
    page.goto(f"{first}?tab=savepoints")
    stopped = newest(page)
    page.wait_for_timeout(1500)
    page.reload()
    assert newest(page) == stopped
    press(page, "Resume")
    has_status(page, "Running", "Sleeping")
    page.goto(f"{first}?tab=savepoints")
    expect(row(page, stopped + 2)).to_be_visible(timeout=PATIENCE)

    # The line leads into the script.
    row(page, stopped + 2).get_by_role("link", name=re.compile("line")).click()
    expect(page.locator(".script-lines .is-target").last).to_have_text(
        re.compile("this.set_output|this.sleep")
    )

    # Back to the savepoint that has a name.
    press(page, "Pause")
    has_status(page, "Paused")
    page.goto(f"{first}?tab=savepoints&named")
    row(page, named).get_by_role("button", name="Restore").click()
    agree(page, "Later savepoints are dropped for good", "Restore")
    page.wait_for_url("**?tab=savepoints")
    expect(page.locator(".toast")).to_contain_text(f"goes on from savepoint {named}")
    expect(row(page, named + 1)).to_be_visible(timeout=PATIENCE)
    page.goto(f"{first}?tab=transitions")
    expect(page.locator('[data-live="transitions"]')).to_contain_text("it was taken back to a savepoint")

    # A new one from there, which points back and goes its own way.
    page.goto(f"{first}?tab=savepoints&named")
    row(page, named).get_by_role("button", name="Fork").click()
    agree(page, "this execution is left as it is", "Fork")
    page.wait_for_url(lambda url: url.split("?")[0] != first)
    second = page.url
    expect(page.locator(".page-facts")).to_contain_text("forked from")
    has_status(page, "Running", "Sleeping")
    page.goto(f"{second}?tab=savepoints")
    expect(row(page, named + 3)).to_be_visible(timeout=PATIENCE)
    for address in (first, second):
        page.goto(address)
        press(page, "Cancel")
        page.get_by_role("dialog").get_by_role("button", name="Cancel it").click()
        has_status(page, "Cancelled")
    assert alice.unexpected() == []
