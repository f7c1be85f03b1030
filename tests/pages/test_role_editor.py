"""The matrix of a role in a real browser: keyboard, whole rows, rows for one project, and what is implied."""

from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect, sync_playwright

from access.models import Role
from access.operations import create_role
from tests.cast import PASSWORD, Cast, make_cast
from tests.conftest import CHROMIUM
from tests.pages.test_browser import ARGUMENTS, EXPECTED

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def role(transactional_db: None) -> tuple[Cast, Role]:
    """Made before the browser starts: its event loop keeps the database out of the test's thread."""
    cast = make_cast()
    return cast, create_role(
        by=cast.root, name="Writers", permissions=[{"record_type": "flow", "operation": "READ"}]
    )


@pytest.fixture
def page(role: tuple[Cast, Role], live_server: object) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_context(base_url=live_server.url).new_page()  # type: ignore[attr-defined]
        page.set_default_timeout(8000)
        page.goto(reverse("login"))
        page.get_by_label("User name").fill("root")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        yield page
        browser.close()


def test_a_role_is_edited_by_keyboard_and_for_one_project(page: Page, role: tuple[Cast, Role]) -> None:
    cast, made = role
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(reverse("role-detail", args=[made.pk]))
    everywhere = page.locator("[data-place]").first
    box = everywhere.get_by_label("Read Flow", exact=True)
    expect(box).to_be_checked()
    box.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(everywhere.get_by_label("Create Flow", exact=True)).to_be_checked()
    page.keyboard.press("ArrowUp")
    expect(everywhere.get_by_label("Create Execution", exact=True)).to_be_focused()
    everywhere.get_by_role("button", name="Execution").click()
    for operation in ("Read", "Create", "Update", "Delete", "Run"):
        expect(everywhere.get_by_label(f"{operation} Execution", exact=True)).to_be_checked()

    page.get_by_label("Add rows for one project").select_option("Attic")
    attic = page.locator(f'[data-place="{cast.attic.pk}"]')
    attic.get_by_label("Update Everything", exact=True).check()
    expect(attic.locator('[data-type="flow"] td.is-implied')).to_have_count(
        3
    )  # read, create; update by everything
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    expect(page.locator(f'[data-place="{cast.attic.pk}"]').get_by_label("Update Everything")).to_be_checked()
    expect(page.get_by_label("Create Flow", exact=True).first).to_be_checked()
    assert [error for error in errors if not any(word in error for word in EXPECTED)] == []
