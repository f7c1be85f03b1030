"""Accounts: invitations by link, switching off, who may touch whose account, lock-out, sessions, own password."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access import accounts
from access import mail as mailing
from access.api_keys import create_api_key, find_api_key
from access.models import AuditEntry, IdentityRole, Role, SignInFailure, User, UserSession
from access.operations import give_role
from access.permissions import PermissionRefused
from records import configuration
from tests.access.conftest import Making
from tests.cast import PASSWORD, Cast, hold

NEW = "a staple for every horse"


def signed_in(user: User, password: str = PASSWORD) -> Client:
    client = Client()
    client.post(reverse("login"), {"username": user.username, "password": password})
    return client


def is_in(client: Client) -> bool:
    return client.get(reverse("account")).status_code == 200


def invite(cast: Cast, **fields: str) -> tuple[User, str]:
    client = signed_in(cast.root)
    response = client.post(reverse("user-invite"), {"username": "dora", **fields})
    [address] = re.findall(r"http://testserver(/set-password/[\w-]+/)", response.text)
    assert response["Cache-Control"].startswith("max-age=0") and "no-store" in response["Cache-Control"]
    return User.objects.get(username="dora"), address


def test_an_invited_person_sets_a_password_once_and_is_in(cast: Cast) -> None:
    role = Role.objects.get(name="Viewer")
    dora, address = invite(cast, role=str(role.pk), project=str(cast.attic.pk))
    assert not dora.is_activated
    assert [str(held) for held in IdentityRole.objects.filter(identity_id=dora.pk)] == ["Viewer in Attic"]
    browser = Client()
    assert "dora" in browser.get(address).text
    assert "not the same" in browser.post(address, {"password": NEW, "password_again": "x"}).text
    weak = browser.post(address, {"password": "dora1", "password_again": "dora1"})
    assert weak.status_code == 422 and "too short" in weak.text
    assert browser.post(address, {"password": NEW, "password_again": NEW})["Location"] == reverse("dashboard")
    assert is_in(browser)
    assert is_in(signed_in(dora, NEW))
    assert browser.get(address).status_code == 404
    assert browser.post(address, {"password": NEW, "password_again": NEW}).status_code == 404


def test_a_link_ends_by_time_and_by_the_next_one(cast: Cast) -> None:
    dora, first = invite(cast)
    second = accounts.make_link(dora, by=cast.root)
    assert Client().get(first).status_code == 404
    User.objects.filter(pk=dora.pk).update(link_deadline=timezone.now() - timedelta(seconds=1))
    with pytest.raises(accounts.LinkIsInvalid):
        accounts.use_link(second, NEW)
    with pytest.raises(accounts.LinkIsInvalid):
        accounts.user_of_link("")
    third = accounts.make_link(dora, by=cast.root)
    accounts.save_user(User.objects.get(pk=dora.pk), by=cast.root, is_active=False)
    with pytest.raises(accounts.LinkIsInvalid):
        accounts.use_link(third, NEW)


def test_the_link_is_mailed_where_there_is_a_server(cast: Cast, settings: object) -> None:
    cast.bob.link_deadline = timezone.now()
    assert mailing.mail_link(cast.bob, "http://here/x") == "" and not mail.outbox
    settings.ENGINE_MAIL = True  # type: ignore[attr-defined]
    assert mailing.mail_link(cast.bob, "http://here/x") == "sent"
    assert "http://here/x" in str(mail.outbox[0].body) and mail.outbox[0].to == [cast.bob.email]


def test_who_is_switched_off_is_out_at_once(cast: Cast) -> None:
    browser, (_, text) = signed_in(cast.bob), create_api_key(cast.bob, "laptop")
    assert is_in(browser)
    root = signed_in(cast.root)
    root.post(reverse("user-switch", args=[cast.bob.pk]))
    assert not is_in(browser) and find_api_key(text) is None
    assert not is_in(signed_in(cast.bob))
    root.post(reverse("user-switch", args=[cast.bob.pk]), {"on": "1"})
    assert is_in(signed_in(cast.bob))


def test_nobody_touches_the_account_of_somebody_who_may_more(cast: Cast, role: Making) -> None:
    keeper = role("Keeper", "user READ", "user UPDATE", "user CREATE", "identity_role CREATE", "api_key READ")
    give_role("user", cast.mallory.pk, keeper, by=cast.root)
    mallory = User.objects.get(pk=cast.mallory.pk)
    for stronger in (cast.root, cast.alice, cast.carol):
        with pytest.raises(PermissionRefused):
            accounts.make_link(stronger, by=mallory)
        for fields in ({"is_active": False}, {"email": "mallory@example.org"}):
            with pytest.raises(PermissionRefused):
                accounts.save_user(stronger, by=mallory, **fields)
    weaker = accounts.create_user(by=mallory, username="dora")
    accounts.save_user(weaker, by=mallory, email="dora@example.org")
    for field in ("is_superuser", "is_staff"):
        with pytest.raises(PermissionRefused, match="Only superusers"):
            accounts.save_user(weaker, by=mallory, **{field: True})
    with pytest.raises(PermissionRefused):
        accounts.create_user(by=mallory, username="eve", roles=[(Role.objects.get(name="Admin"), None)])
    assert not User.objects.filter(username="eve").exists()


def test_one_superuser_stays_and_nobody_switches_themselves_off(cast: Cast) -> None:
    User.objects.exclude(pk=cast.root.pk).update(is_superuser=False)
    with pytest.raises(ValidationError, match="keep one"):
        accounts.save_user(cast.root, by=User.objects.get(pk=cast.root.pk), is_superuser=False)
    with pytest.raises(ValidationError, match="own account"):
        accounts.save_user(
            User.objects.get(pk=cast.root.pk), by=User.objects.get(pk=cast.root.pk), is_active=False
        )
    assert User.objects.get(pk=cast.root.pk).is_superuser


def test_user_names_are_taken_in_any_case(cast: Cast) -> None:
    with pytest.raises(ValidationError, match="already a user"):
        accounts.create_user(by=cast.root, username="ALICE")


def test_repeated_failures_lock_out_with_a_clear_word_until_unlocked(cast: Cast) -> None:
    browser, given = Client(), {"username": "bob", "password": "wrong"}
    for _ in range(configuration.value("SIGN_IN_FAILURES")):
        assert "do not match" in browser.post(reverse("login"), given).text
    given["password"] = PASSWORD
    closed = browser.post(reverse("login"), given)
    assert closed.status_code == 422 and "Wait 15 minutes" in closed.text and "unlock" in closed.text
    assert AuditEntry.objects.filter(action="lock out", record_name="bob", door="page").count() == 1
    root = signed_in(cast.root)
    assert "Locked out" in root.get(reverse("user-detail", args=[cast.bob.pk])).text
    root.post(reverse("user-unlock", args=[cast.bob.pk]))
    assert not SignInFailure.objects.filter(username="bob").exists()
    assert browser.post(reverse("login"), given).status_code == 302


def test_people_see_and_end_their_sessions_and_no_key_of_one_is_shown(cast: Cast) -> None:
    here, there = signed_in(cast.bob), signed_in(cast.bob)
    page = here.get(reverse("account-sessions")).text
    sessions = list(UserSession.objects.filter(user=cast.bob))
    assert len(sessions) == 2 and "this one" in page
    assert not any(session.session_key in page for session in sessions)
    other = next(each for each in sessions if each.session_key == there.session.session_key)
    assert (other.address, other.begun_at is not None) == ("127.0.0.1", True)
    address = reverse("session-end", args=[cast.bob.pk, other.reference])
    assert signed_in(cast.carol).post(address).status_code == 404
    here.post(address, {"back": "account"})
    assert is_in(here) and not is_in(there)


def test_changing_the_password_signs_out_everywhere_else(cast: Cast) -> None:
    here, there = signed_in(cast.bob), signed_in(cast.bob)
    address, given = reverse("password-change"), {"password": NEW, "password_again": NEW}
    wrong = here.post(address, {**given, "old_password": "no"}, follow=True)
    assert "not your present password" in wrong.text and is_in(there)
    here.post(address, {**given, "old_password": PASSWORD})
    assert is_in(here) and not is_in(there)
    assert is_in(signed_in(cast.bob, NEW)) and not is_in(signed_in(cast.bob))


def test_keys_of_others_are_for_those_who_may_change_the_account(cast: Cast) -> None:
    _, text = create_api_key(cast.bob, "laptop")
    key = cast.bob.api_keys.get()
    address = reverse("user-key-revoke", args=[cast.bob.pk, key.pk])
    assert signed_in(cast.alice).post(address).status_code == 404
    assert signed_in(cast.root).post(address).status_code == 302
    assert find_api_key(text) is None


def test_rest_invites_changes_links_and_tells_what_one_may_do(cast: Cast) -> None:
    client = Client(headers={"Authorization": f"Bearer {create_api_key(cast.root, 'tests')[1]}"})
    made = client.post("/api/latest/user", {"username": "dora", "is_staff": True}, "application/json")
    assert made.status_code == 201 and made.json()["is_activated"] is False
    address = made.json()["link"].removeprefix("http://testserver")
    assert Client().get(address).status_code == 200
    place = f"/api/latest/user/{made.json()['id']}"
    assert (
        client.patch(place, {"email": "d@example.org"}, "application/json").json()["email"] == "d@example.org"
    )
    assert client.post(f"{place}/link", {}, "application/json").status_code == 201
    assert Client().get(address).status_code == 404
    hold(User.objects.get(username="dora"), "Viewer", cast.attic)
    may = client.get(f"{place}/permissions").json()
    assert may["is_unrestricted"] is False
    assert {
        "record_type": "flow", "operation": "READ", "project_id": str(cast.attic.pk), "roles": ["Viewer"],
    } in may["permissions"]  # fmt: skip
    assert client.post(f"{place}/unlock", {}, "application/json").status_code == 204
    assert client.delete(place).status_code == 405
    bob = Client(headers={"Authorization": f"Bearer {create_api_key(cast.bob, 'tests')[1]}"})
    assert bob.get(place).status_code == 404
    assert bob.get("/api/latest/user/me").json()["username"] == "bob"
    assert bob.post("/api/latest/user", {"username": "eve"}, "application/json").status_code == 403
