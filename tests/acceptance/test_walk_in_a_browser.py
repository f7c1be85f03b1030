"""The walk of a newcomer in a real browser: the buttons that start executions, and the pages that show them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.acceptance.engine import Engine, Rest
from tests.conftest import CHROMIUM

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
EXECUTION = re.compile(r"/executions/[0-9a-f-]{36}/")
FLOW = "A flow to walk with"
SCRIPT = """
import flow_api

def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    this.log('a line from the handler')
    return this.success('all done')
"""


@pytest.fixture(scope="module")
def flow(admin: Rest) -> str:
    admin.have_bundle("Scheduling")
    made: str = admin.post("/flow", name=FLOW, script=SCRIPT)["id"]
    return made


@pytest.fixture
def page(engine: Engine, flow: str) -> Iterator[Page]:
    """A page of somebody who has just signed in; errors on its console fail the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(20_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(engine.url)
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password").fill("a-good-password-1")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{engine.url}/")
        yield page
        browser.close()
        assert not errors


def open_flow(page: Page, engine: Engine, flow: str) -> None:
    page.goto(f"{engine.url}/flows/{flow}/")


def expect_it_ended(page: Page, engine: Engine) -> None:
    """It leads to the execution, which ends before one's eyes, its log and message with it."""
    page.wait_for_url(EXECUTION)
    expect(page.locator("main")).to_contain_text("Success", timeout=30_000)
    expect(page.locator("main")).to_contain_text("all done")
    expect(page.locator("main")).to_contain_text("a line from the handler")


def test_run(page: Page, engine: Engine, flow: str) -> None:
    open_flow(page, engine, flow)
    page.get_by_role("button", name="Run", exact=True).click()
    expect_it_ended(page, engine)
    page.get_by_role("link", name="Monitor").first.click()
    expect(page.locator("main")).to_contain_text(FLOW)


def test_run_in_dev_mode(page: Page, engine: Engine, flow: str, admin: Rest) -> None:
    open_flow(page, engine, flow)
    page.get_by_role("button", name="Run in dev mode").click()
    expect_it_ended(page, engine)
    execution = admin.get(f"/execution/{page.url.rstrip('/').split('/')[-1]}")
    assert execution["is_productive"] is False


def test_run_with_options(page: Page, engine: Engine, flow: str) -> None:
    open_flow(page, engine, flow)
    page.get_by_role("button", name="More ways to run").click()
    page.get_by_role("link", name="Run with options").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Chosen by hand")
    dialog.get_by_role("button", name="Run", exact=True).click()
    expect_it_ended(page, engine)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Chosen by hand")


def test_the_schedule_button(page: Page, engine: Engine, flow: str, admin: Rest) -> None:
    open_flow(page, engine, flow)
    page.get_by_role("button", name="Schedule", exact=True).click()
    page.wait_for_url(EXECUTION)
    page.get_by_label("Name of the schedule").fill("By the button")
    page.get_by_label("Interval").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Seconds").fill("3600")
    page.get_by_role("button", name="Create the schedule").click()
    expect(page.locator("main")).to_contain_text("By the button is scheduled", timeout=30_000)
    made = admin.get("/schedule/By the button", by="name")
    assert made["is_enabled"] and made["flow_id"] == flow
    assert admin.get(f"/execution/{made['execution_id']}")["status"] == "SLEEPING"
    page.goto(f"{engine.url}/schedules/{made['id']}/")
    expect(page.locator("main")).to_contain_text("By the button")
