"""Who gets into the admin, and what can be done there with users and API keys."""

from django.test import Client
from django.urls import reverse

from access.api_keys import create_api_key, find_api_key
from access.models import ApiKey, SignInFailure, User
from tests.admin.pages import act, confirm, list_of, page_of
from tests.cast import PASSWORD, Cast


def test_strangers_are_sent_to_the_sites_own_sign_in(db: None) -> None:
    response = Client().get(reverse("admin:index"), follow=True)
    assert response.redirect_chain[-1][0] == "/sign-in/?next=/admin/"


def test_signing_in_leads_to_the_admin(cast: Cast) -> None:
    client = Client()
    sent = {"username": "root", "password": PASSWORD}
    response = client.post("/sign-in/?next=/admin/", sent, follow=True)
    assert response.status_code == 200
    assert response.request["PATH_INFO"] == "/admin/"


def test_people_who_are_not_staff_are_told_so(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    response = client.get(reverse("admin:index"), follow=True)
    assert response.status_code == 403
    assert client.get(list_of(User), follow=True).status_code == 403


def test_staff_see_everything_but_do_not_make_administrators(cast: Cast) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_staff=True)
    client = Client()
    client.force_login(User.objects.get(pk=cast.alice.pk))
    for model in (User, ApiKey):
        assert client.get(list_of(model)).status_code == 200
    assert client.post(page_of(cast.alice), {"username": "alice", "is_superuser": "on"}).status_code == 403
    assert client.get(reverse("admin:auth_user_password_change", args=[cast.root.pk])).status_code == 403
    assert not User.objects.get(pk=cast.alice.pk).is_superuser


def test_users_are_made_and_switched_off_but_never_removed(client_of_root: Client, cast: Cast) -> None:
    new = {"username": "dora", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert client_of_root.post(reverse("admin:access_user_add"), new).status_code == 302
    dora = User.objects.get(username="dora")
    assert dora.check_password(PASSWORD)
    assert (
        client_of_root.post(page_of(dora), {"username": "dora", "email": "dora@example.org"}).status_code
        == 302
    )
    dora.refresh_from_db()
    assert (dora.is_active, dora.email) == (False, "dora@example.org")
    assert client_of_root.get(reverse("admin:access_user_delete", args=[dora.pk])).status_code == 403


def test_a_password_can_be_set(client_of_root: Client, cast: Cast) -> None:
    address = reverse("admin:auth_user_password_change", args=[cast.bob.pk])
    assert client_of_root.get(address).status_code == 200
    new = "a staple for every horse"
    assert client_of_root.post(address, {"password1": new, "password2": new}).status_code == 302
    cast.bob.refresh_from_db()
    assert cast.bob.check_password(new)


def test_keys_are_shown_without_their_secret_and_only_revoked(client_of_root: Client, cast: Cast) -> None:
    key, text = create_api_key(cast.bob, "nightly")
    assert client_of_root.get(reverse("admin:access_apikey_add")).status_code == 403
    assert client_of_root.post(page_of(key), {"name": "x"}).status_code == 403
    page = client_of_root.get(page_of(key)).content.decode()
    assert f"eng_{key.prefix}_…" in page
    assert key.secret_hash not in page and text not in page
    assert confirm(client_of_root, "revoke", key) == ["Revoked 1 API key."]
    assert find_api_key(text) is None


def test_several_keys_are_revoked_at_once(client_of_root: Client, cast: Cast) -> None:
    keys = [create_api_key(cast.bob, f"key {number}")[0] for number in range(3)]
    assert act(client_of_root, "revoke_chosen", *keys) == ["Revoked 3 API keys."]
    assert not ApiKey.objects.filter(user=cast.bob).exists()


def test_a_held_up_person_is_let_in_again(client_of_root: Client) -> None:
    failures = [SignInFailure.objects.create(username="bob", address="127.0.0.1") for _ in range(5)]
    assert act(client_of_root, "forget_chosen", *failures) == ["Forgot 5 sign in failures."]
    assert not SignInFailure.objects.exists()


def test_a_key_is_found_by_its_beginning(client_of_root: Client, cast: Cast) -> None:
    key, text = create_api_key(cast.bob, "nightly")
    create_api_key(cast.alice, "daily")
    found = client_of_root.get(list_of(ApiKey, q=text[:20])).context["cl"].result_list
    assert found == [key]
