"""The configuration over REST and on its page, and that a running worker takes a change up."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from records import configuration
from records.models import ManualValue
from tests.cast import Cast, make_cast
from tests.rest.conftest import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    configuration._read_at = float("-inf")


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def test_rest(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Caller(cast.root)
    monkeypatch.setenv("MAX_RESIDENT", "300")
    rows = {row["name"]: row for row in root.get("/workspace_config").body["results"]}
    assert {"SLEEP_MAX_SECONDS", "MAX_RESIDENT", "LOG_LEVEL", "ENGINE_ENV_NAME"} <= set(rows)
    shown = [
        rows["MAX_RESIDENT"][name] for name in ("default", "environment", "manual", "effective", "source")
    ]
    assert shown == [500, 300, None, 300, "environment"]
    done = root.patch("/workspace_config/MAX_RESIDENT", {"value": 20}).body
    assert (done["manual"], done["effective"], done["modified_by_id"]) == (20, 20, str(cast.root.pk))
    refused = root.patch("/workspace_config/MAX_RESIDENT", {"value": 0})
    assert refused.status == 400 and "whole number from 1 to 100,000" in refused.details["value"][0]
    assert root.get("/workspace_config/MAX_RESIDENT").body["effective"] == 20
    assert root.delete("/workspace_config/MAX_RESIDENT").body["effective"] == 300
    assert root.get("/workspace_config/MAX_RESIDENTS").status == 404


def test_rest_is_for_those_who_may(cast: Cast) -> None:
    alice = Caller(cast.alice)
    assert alice.get("/workspace_config").status == 403
    assert alice.patch("/workspace_config/MAX_RESIDENT", {"value": 20}).status == 403
    assert alice.delete("/workspace_config/MAX_RESIDENT").status == 403


def test_the_page_sets_and_resets(cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.root)
    page, change = reverse("configuration"), reverse("configuration-set", args=["SLEEP_MAX_SECONDS"])
    assert "SLEEP_MAX_SECONDS" in browser.get(page).content.decode()
    said = browser.post(change, {"value": "30"}, follow=True).content.decode()
    assert "SLEEP_MAX_SECONDS is 30 now." in said and "by root" in said
    refused = browser.post(change, {"value": "soon"})
    text = refused.content.decode()
    assert refused.status_code == 422
    assert 'value="soon"' in text and "Give a whole number from 0 to 86,400." in text
    assert ManualValue.objects.get().value == "30"
    said = browser.post(reverse("configuration-reset", args=["SLEEP_MAX_SECONDS"]), follow=True)
    assert "SLEEP_MAX_SECONDS is 60 again, by default." in said.content.decode()
    assert browser.post(reverse("configuration-set", args=["NOTHING"]), {"value": "1"}).status_code == 404


def test_the_page_is_for_those_who_may(cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.alice)
    assert browser.get(reverse("configuration")).status_code == 403
    assert (
        browser.post(reverse("configuration-set", args=["MAX_RESIDENT"]), {"value": "3"}).status_code == 403
    )
