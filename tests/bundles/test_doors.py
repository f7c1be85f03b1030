"""The doors to bundles: REST, the manager's pages, and the command."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from flows.models import Flow
from projects.bundles import import_bundle
from projects.models import Bundle
from projects.shipped_bundles import DEFAULT_ROLES
from tests.bundles.conftest import Ship, ship_tools
from tests.cast import Cast
from tests.rest.conftest import Caller

pytestmark = pytest.mark.django_db


def test_rest_imports_lists_updates_and_deletes(cast: Cast, ship: Ship) -> None:
    ship_tools(ship)
    root = Caller(cast.root)
    available = root.get("/bundle/available").body["results"]
    assert [(row["name"], len(row["content"])) for row in available] == [(DEFAULT_ROLES, 7), ("Tools", 2)]
    made = root.post("/bundle", {"name": "Tools", "project_name": "Workshop"})
    assert made.status == 201 and made.body["project_id"] == str(cast.workshop.pk)
    again = root.post("/bundle", {"name": "Tools"})
    assert (again.status, again.code) == (409, "conflict")
    assert root.get("/bundle").names() == [DEFAULT_ROLES, "Tools"]
    key = made.body["id"]
    assert root.patch(f"/bundle/{key}", {"is_readonly": False}).body["is_readonly"] is False
    assert root.patch(f"/bundle/{key}", {"name": "Mine"}).status == 400
    flow = Flow.objects.get(name="greet")
    assert root.patch(f"/flow/{flow.pk}", {"description": "mine"}).status == 200
    content = root.get(f"/bundle/{key}/content").body["results"]
    assert [(row["name"], row["is_changed"]) for row in content] == [("count", False), ("greet", True)]
    ship_tools(ship, "1.1", flow_count=None)
    assert root.get(f"/bundle/{key}").body["has_update"] is True
    done = root.post("/bundle/Tools/update", query={"by": "name"}).body
    assert done == {
        "added": [],
        "changed": [{"type": "flow", "name": "greet"}],
        "removed": [{"type": "flow", "name": "count"}],
    }
    assert root.delete(f"/bundle/{key}").status == 204
    assert root.get("/bundle").names() == [DEFAULT_ROLES]


def test_rest_refuses_to_change_what_is_read_only(cast: Cast, tools: Path) -> None:
    import_bundle("Tools", by=cast.root, project=cast.workshop)
    alice = Caller(cast.alice)
    answer = alice.patch("/flow/greet", {"description": "mine"}, {"by": "name"})
    assert (answer.status, answer.code) == (409, "readonly")
    assert "bundle" in answer.details["is_readonly"][0]


def test_others_see_no_bundle_of_a_project_they_are_not_in(cast: Cast, tools: Path) -> None:
    bundle = import_bundle("Tools", by=cast.root, project=cast.workshop)
    assert Caller(cast.carol).get("/bundle").names() == ["Tools"]
    assert Caller(cast.carol).delete(f"/bundle/{bundle.pk}").status == 403
    assert Caller(cast.mallory).get(f"/bundle/{bundle.pk}").status == 404


@pytest.fixture
def browser(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.root)
    return client


def test_the_manager_leads_through_a_bundle_s_life(browser: Client, cast: Cast, ship: Ship) -> None:
    ship_tools(ship)
    listed = browser.get(reverse("bundle-list")).content.decode()
    assert "Tools" in listed and "not imported" in listed
    page = reverse("bundle-detail", args=["Tools"])
    assert "What importing makes" in browser.get(page).content.decode()
    said = browser.post(
        reverse("bundle-import", args=["Tools"]), {"project": str(cast.workshop.pk)}, follow=True
    )
    assert "Imported “Tools” 1.0." in said.content.decode()
    flow_page = browser.get(reverse("flow-detail", args=[Flow.objects.get(name="greet").pk])).content.decode()
    assert 'title="It came with this bundle"' in flow_page and "flow-delete" not in flow_page
    ship_tools(ship, "1.1", flow_count=None)
    assert "See the update" in browser.get(reverse("bundle-list") + "?updates").content.decode()
    shown = browser.get(page).content.decode()
    assert "Version 1.1 is available." in shown and "removed" in shown
    said = browser.post(reverse("bundle-update", args=["Tools"]), follow=True).content.decode()
    assert "Updated “Tools”: 1 removed." in said
    browser.post(reverse("bundle-save", args=["Tools"]))
    assert "Make read-only" in browser.get(page).content.decode()
    browser.post(reverse("bundle-save", args=["Tools"]), {"is_readonly": "on"})
    assert Bundle.objects.get(name="Tools").is_readonly
    said = browser.post(reverse("bundle-delete", args=["Tools"]), follow=True).content.decode()
    assert "Its records are in the trash." in said


def test_pages_offer_what_a_person_may_do(cast: Cast, tools: Path) -> None:
    import_bundle("Tools", by=cast.root, project=cast.workshop)
    client = Client()
    client.force_login(cast.carol)
    page = client.get(reverse("bundle-detail", args=["Tools"])).content.decode()
    assert "greet" in page and "bundle-delete" not in page and "Open to changes" not in page
    assert client.post(reverse("bundle-delete", args=["Tools"])).status_code == 403
    assert client.get(reverse("bundle-detail", args=["Nothing"])).status_code == 404


def test_the_command_does_it_too(cast: Cast, ship: Ship) -> None:
    def say(*words: str) -> str:
        call_command("bundles", *words, stdout=(out := StringIO()))
        return out.getvalue().strip()

    ship_tools(ship)
    assert say("list").endswith("\nTools 1.0 (not imported): Things for tests.")
    assert say("import", "Tools") == "Imported Tools 1.0."
    ship_tools(ship, "1.1", flow_count=None)
    assert "imported 1.0, update available" in say("list")
    assert say("update", "Tools") == "Updated Tools: 1 removed."
    assert say("delete", "Tools") == "Deleted Tools. Its records are in the trash."
    with pytest.raises(CommandError, match="No bundle 'Tools' is imported"):
        say("update", "Tools")
