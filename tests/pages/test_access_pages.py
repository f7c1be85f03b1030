"""Who gets to see pages at all: sign-in, sign-out, and keys that are shown once."""

from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse

from access.api_keys import create_api_key, find_api_key
from access.models import ApiKey
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db

PAGES = ["dashboard", "search", "flow-list", "project-list", "bundle-list", "api-key-list"]


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_is_led_to_the_sign_in_and_back(cast, name):
    address = reverse(name)
    response = Client().get(address)
    assert response.status_code == 302
    assert response["Location"] == f"{reverse('login')}?next={quote(address, safe='')}"


@pytest.mark.parametrize("name", PAGES)
def test_everybody_signed_in_has_these_pages(cast, browser_of, name):
    for user in (cast.root, cast.alice, cast.carol, cast.mallory):
        assert browser_of(user).get(reverse(name)).status_code == 200


def test_no_foreign_script_runs_on_a_page(cast, browser_of):
    for response in (browser_of(cast.alice).get("/"), Client().get(reverse("login"))):
        assert "script-src 'self';" in response["Content-Security-Policy"]


def test_signing_in_leads_to_where_the_person_wanted_to_go(cast):
    client = Client()
    response = client.post(
        reverse("login"), {"username": "alice", "password": PASSWORD, "next": reverse("flow-list")}
    )
    assert response["Location"] == reverse("flow-list")
    assert client.get(reverse("flow-list")).status_code == 200


def test_a_wrong_password_is_answered_in_place(cast):
    response = Client().post(reverse("login"), {"username": "alice", "password": "wrong"})
    assert response.status_code == 422
    assert "do not match" in response.text


def test_sign_in_never_leads_to_another_site(cast):
    given = {"username": "alice", "password": PASSWORD, "next": "https://elsewhere.example/"}
    assert Client().post(reverse("login"), given)["Location"] == "/"


def test_signing_out_needs_a_post(cast, browser_of):
    client = browser_of(cast.alice)
    assert client.get(reverse("logout")).status_code == 405
    client.post(reverse("logout"))
    assert client.get("/").status_code == 302


def test_a_fragment_sends_the_whole_window_to_the_sign_in(cast):
    response = Client().get(
        reverse("flow-list"),
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/flows/?q=a"},
    )
    assert response["HX-Redirect"].startswith(reverse("login") + "?next=")
    away = Client().get(
        reverse("flow-list"), headers={"HX-Request": "true", "HX-Current-URL": "https://elsewhere.example/"}
    )
    assert away["HX-Redirect"] == f"{reverse('login')}?next=%2F"


def test_a_script_of_ours_is_told_in_json(cast, flow):
    response = Client().post(reverse("flow-save", args=[flow.pk]), headers={"Accept": "application/json"})
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_authenticated"


def test_forms_of_other_sites_are_refused(cast, flow):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.root)
    assert client.post(reverse("flow-delete", args=[flow.pk])).status_code == 403


def test_a_new_key_is_shown_once_and_works(cast, browser_of):
    client = browser_of(cast.alice)
    response = client.post(reverse("api-key-create"), {"name": "laptop", "days": "30"})
    text = response.context["text"]
    assert text in response.text
    assert "no-store" in response["Cache-Control"]
    found = find_api_key(text)
    assert found is not None and found.user == cast.alice and found.expires_at is not None
    listed = client.get(reverse("api-key-list"))
    assert "laptop" in listed.text and text not in listed.text


def test_a_key_without_a_name_is_refused(cast, browser_of):
    browser_of(cast.alice).post(reverse("api-key-create"), {"name": "  "})
    assert not ApiKey.objects.filter(user=cast.alice).exists()


def test_people_revoke_their_own_keys_only(cast, browser_of):
    key, text = create_api_key(cast.alice, "laptop")
    address = reverse("api-key-revoke", args=[key.pk])
    assert browser_of(cast.root).post(address).status_code == 404
    assert find_api_key(text) is not None
    assert browser_of(cast.alice).post(address).status_code == 302
    assert find_api_key(text) is None
