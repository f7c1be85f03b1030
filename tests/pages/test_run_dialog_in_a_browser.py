"""The dialog "Run with options" in a real browser: form, text, commands that follow along, unsaved scripts."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from flows.operations import create_flow
from tests.cast import make_cast
from tests.pages.test_browser import SCRIPT, Window, window  # noqa: F401  a fixture, found by its name
from tests.pages.test_running import SCHEMA

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def flows(transactional_db: None) -> dict[str, Any]:
    cast = make_cast()
    make = {"by": cast.alice, "project": cast.workshop, "script": SCRIPT}
    return {
        "asks": create_flow(name="asks", input_schema=SCHEMA, **make),
        "plain": create_flow(name="plain", **make),
    }


def test_run_with_options(window: Callable[..., Window], flows: dict[str, Any]) -> None:  # noqa: F811
    alice = window()
    page = alice.page
    alice.open(reverse("flow-detail", args=[flows["asks"].pk]))
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("# changed")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Run", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("day")).to_be_focused()
    dialog.get_by_role("button", name="Run").click()
    expect(dialog).to_contain_text("Is required.")

    dialog.get_by_text("As code").click()
    dialog.get_by_label("day").fill("2030-01-31")
    expect(dialog.locator("pre").first).to_contain_text('"day": "2030-01-31"')
    dialog.get_by_text("JSON or YAML").click()
    value = dialog.get_by_label("Value")
    expect(value).to_have_value('{\n  "day": "2030-01-31",\n  "copies": 2\n}')
    value.fill("day: 2031-01-31\ncopies: 7")
    expect(dialog.locator("pre").last).to_contain_text("inputs={'day': '2031-01-31', 'copies': 7}")
    dialog.get_by_label("Form").click()
    expect(dialog.get_by_label("copies")).to_have_value("7")
    dialog.get_by_text("Options", exact=True).click()
    dialog.get_by_label("Development").check()
    expect(dialog.locator("pre").first).to_contain_text('"is_productive": false')
    dialog.get_by_role("button", name="Run").click()
    page.wait_for_url("**/executions/*/")
    expect(page.locator("h1")).to_contain_text("asks")
    page.get_by_role("link", name="Inputs").click()
    expect(page.locator("json-tree")).to_contain_text("2031-01-31")
    page.get_by_role("link", name="Script", exact=True).click()
    expect(page.locator(".script-whole")).to_contain_text("# changed")  # it was saved before

    alice.open(reverse("flow-list"))
    page.get_by_role("link", name="Run asks").click()
    expect(dialog).to_contain_text("As you ran it last")
    expect(dialog.get_by_label("copies")).to_have_value("7")
    dialog.get_by_role("link", name="Start from the defaults").click()
    expect(dialog.get_by_label("copies")).to_have_value("2")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    alice.open(reverse("flow-detail", args=[flows["plain"].pk]))
    page.get_by_role("button", name="More ways to run").click()
    page.get_by_role("link", name="Run with options").click()
    expect(dialog.get_by_label("Priority")).to_be_visible()
    dialog.get_by_label("Inputs, in JSON or YAML").fill("{oops")
    dialog.get_by_role("button", name="Run").click()
    expect(dialog.get_by_role("alert")).to_contain_text("neither JSON nor YAML")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert alice.unexpected() == []
