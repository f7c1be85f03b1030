"""The scripts of the pages in a real browser: editor, keyboard, dialogs, a phone's window, no errors on the console."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect, sync_playwright

from executions.models import Execution, Lock
from executions.starting import Start, start_execution
from flows.operations import create_flow
from projects.models import Setting
from projects.setting import create_setting
from tests.cast import PASSWORD, make_cast
from tests.conftest import CHROMIUM

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
SCRIPT = "def handler(system, this, inputs):\n    return this.success('done')\n"
# The server of these tests speaks no websockets; the pages then poll, which is what they should do.
EXPECTED = ("WebSocket connection", "status of 409", "/ws/live")


class Window:
    """A browser window of a signed-in person that remembers what went wrong in it."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.errors: list[str] = []
        page.set_default_timeout(8000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    def open(self, address: str) -> None:
        self.page.goto(self.base + address)

    def sign_in(self) -> None:
        self.open(reverse("login"))
        self.page.get_by_label("User name").fill("alice")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.base}/")

    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(word in error for word in EXPECTED)]


@pytest.fixture
def flows(transactional_db: None) -> dict[str, Any]:
    """Two flows, made before the browser starts: its event loop keeps the database out of the test's thread."""
    cast = make_cast()
    return {
        name: create_flow(by=cast.alice, project=cast.workshop, name=name, script=SCRIPT)
        for name in ("alpha", "beta")
    }


@pytest.fixture
def setting(flows: dict[str, Any]) -> Setting:
    """A setting whose lock an execution holds."""
    cast = make_cast()
    made = create_setting(by=cast.alice, project=cast.workshop, name="limits", value={"rows": 100})
    holder = start_execution(Start(flow=flows["alpha"]), by=cast.alice, origin=Execution.Origin.USER)[0]
    Lock.objects.create(setting=made, execution=holder, since=timezone.now())
    return made


@pytest.fixture
def window(flows: dict[str, Any], live_server: Any) -> Iterator[Callable[..., Window]]:
    """Returns an opener of windows, signed in as Alice."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)

        def opened(**options: Any) -> Window:
            made = Window(browser.new_context(**options).new_page(), live_server.url)
            made.sign_in()
            return made

        yield opened
        browser.close()


def test_the_editor_checks_saves_and_asks_before_it_overwrites(window, flows):
    mine, theirs = window(), window()
    address = reverse("flow-detail", args=[flows["alpha"].pk])
    for person in (mine, theirs):
        person.open(address)
    page = mine.page
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("x = = 1")
    expect(page.locator("#problems")).to_contain_text("line 3")
    expect(page.locator("#save-state")).to_have_text("unsaved changes")
    page.keyboard.press("Control+s")
    expect(page.locator("#version")).to_have_text("@2")
    expect(page.locator("#problems-badge")).to_be_visible()
    for _ in "x = = 1":
        page.keyboard.press("Backspace")
    page.keyboard.press("Control+s")
    expect(page.locator("#version")).to_have_text("@3")
    expect(page.locator("#problems button")).to_have_count(0)

    theirs.page.locator(".cm-content").click()
    theirs.page.keyboard.type("# late\n")
    theirs.page.keyboard.press("Control+s")
    question = theirs.page.get_by_role("dialog")
    expect(question).to_contain_text("alice saved version 3 meanwhile")
    question.get_by_role("button", name="Save mine").click()
    expect(theirs.page.locator("#version")).to_have_text("@4")
    assert mine.unexpected() == theirs.unexpected() == []


def test_the_editor_knows_flow_api_and_guards_unsaved_changes(window, flows):
    alice = window()
    alice.open(reverse("flow-detail", args=[flows["alpha"].pk]))
    page = alice.page
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("this.wait_f")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("wait_for")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Projects", exact=True).click(no_wait_after=True)
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"] and "/flows/" in page.url


def test_the_keyboard_leads_through_the_pages(window, flows):
    alice = window()
    page = alice.page
    page.keyboard.press("g")
    page.keyboard.press("f")
    page.wait_for_url("**/flows/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{flows['beta'].pk}/")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts-help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts-help")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("alph")
    expect(page.get_by_role("option", name="alpha")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{flows['alpha'].pk}/")
    page.get_by_role("button", name="Create", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_text("Flow")
    page.keyboard.press("Escape")
    expect(page.locator(":focus")).to_have_text("Create")
    assert alice.unexpected() == []


def test_deleting_asks_by_name_and_can_be_undone(window, flows):
    alice = window()
    alice.open(reverse("flow-detail", args=[flows["alpha"].pk]))
    page = alice.page
    page.get_by_role("button", name="More", exact=True).click()
    page.locator(".menu-list .danger").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete the flow “alpha”?")
    expect(page.locator(":focus")).to_have_text("Keep")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="More", exact=True).click()
    page.locator(".menu-list .danger").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/flows/")
    expect(page.locator("#rows")).not_to_contain_text("alpha")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**/{flows['alpha'].pk}/")
    assert alice.unexpected() == []


def test_the_theme_stays_as_chosen(window):
    alice = window(color_scheme="light")
    page = alice.page

    def is_dark() -> bool:
        return page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 17, 21)"

    assert not is_dark()
    page.get_by_role("button", name="Account of alice").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    assert is_dark()
    page.reload()
    assert is_dark()


def test_every_page_fits_a_phone_and_says_no_error(window, flows):
    alice = window(viewport={"width": 390, "height": 800})
    page = alice.page
    tabs = ("flow-detail", "flow-schema", "flow-executions", "flow-history", "flow-details")
    addresses = ["/", *(reverse(name) for name in ("flow-list", "project-list", "api-key-list", "search"))]
    addresses += [reverse(name, args=[flows["alpha"].pk]) for name in tabs]
    addresses += [reverse("project-detail", args=[flows["alpha"].project_id])]
    for address in addresses:
        alice.open(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="Live monitor")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Live monitor")).not_to_be_in_viewport()
    expect(page.locator(":focus")).to_have_attribute("aria-label", "Menu")
    assert alice.unexpected() == []


def test_a_setting_is_edited_and_its_lock_followed(setting, window):
    made = window()
    made.open(reverse("setting-detail", args=[setting.pk]))
    page = made.page
    expect(page.locator(".cm-content")).to_contain_text("rows: 100")
    expect(page.locator("#lock")).to_contain_text("held")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.type("rows: 1: 2")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("alert")).to_contain_text("neither JSON nor YAML")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.type("rows: 7")
    page.keyboard.press("Control+s")
    expect(page.locator(".toast")).to_contain_text("Saved.")
    page.get_by_role("link", name="JSON", exact=True).click()
    expect(page.locator(".cm-content")).to_contain_text('"rows": 7')
    # The card asks again every other second; what is gone from the table goes from the page.
    with ThreadPoolExecutor(1) as other:
        other.submit(release, setting).result()
    expect(page.locator("#lock")).to_contain_text("free")
    assert [error for error in made.unexpected() if "422" not in error] == []


def release(setting: Setting) -> None:
    Lock.objects.filter(setting=setting).delete()
    connection.close()
