"""A connector in a real browser: made in a dialog, given an address, and tested against a real server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.cast import make_cast
from tests.executions.cluster import Fleet
from tests.pages.test_browser import window  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATIENCE = 20_000


class Answers(BaseHTTPRequestHandler):
    """Answers every GET with a word in JSON."""

    def do_GET(self) -> None:
        body = b'{"hello": "there"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *given: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def flows(transactional_db: None, database_url: str) -> Iterator[None]:
    """The cast and a worker; made before the browser starts, as its loop forbids more."""
    make_cast()
    fleet = Fleet(database_url)
    fleet.have(workers=1, slots=2)
    yield
    fleet.stop()


def test_a_connector_is_made_and_its_connection_tested(flows, address, window) -> None:  # noqa: F811
    alice = window()
    page = alice.page
    page.get_by_role("link", name="Connectors", exact=True).click()
    page.wait_for_url("**/connectors/")
    page.get_by_role("button", name="Create a connector").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("greeter")
    dialog.get_by_label("Type").select_option("REST")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("textbox", name="URL").fill(address)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The connection works")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Show what came back").click()
    page.wait_for_url("**/executions/**")
    assert alice.unexpected() == []
