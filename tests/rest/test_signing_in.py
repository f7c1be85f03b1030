"""API keys and sessions: made, used, revoked; the limit on failed sign-ins."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from access.models import ApiKey, SignInFailure
from access.sign_in import counted_since
from records import configuration
from tests.cast import PASSWORD, Cast
from tests.rest.conftest import Caller


def test_a_key_is_shown_once_and_works(alice: Caller, cast: Cast) -> None:
    made = alice.post("/api_key", {"name": " Laptop "})
    assert made.status == 201
    assert made.body["key"].startswith(f"eng_{made.body['prefix']}_")
    assert made.body["name"] == "Laptop"
    assert made.headers["Cache-Control"] == "no-store"
    assert made.headers["Location"] == f"/api/latest/api_key/{made.body['id']}"
    again = alice.get(f"/api_key/{made.body['id']}").body
    assert "key" not in again and "secret_hash" not in again
    with_it = Caller()
    with_it.key = made.body["key"]
    assert with_it.get("/user/me").body["username"] == "alice"
    assert ApiKey.objects.get(pk=made.body["id"]).last_used_at is not None


def test_a_revoked_key_is_refused_at_once(alice: Caller) -> None:
    made = alice.post("/api_key", {"name": "Laptop"}).body
    other = Caller()
    other.key = made["key"]
    assert other.delete(f"/api_key/{made['id']}").status == 204
    assert other.get("/flow").status == 401


def test_keys_are_their_owners_and_staffs(alice: Caller, bob: Caller, root: Caller) -> None:
    made = alice.post("/api_key", {"name": "Laptop"}).body
    assert {row["user_id"] for row in bob.get("/api_key").body["results"]} == {str(bob.user.pk)}  # type: ignore[union-attr]
    assert bob.get(f"/api_key/{made['id']}").status == 404
    assert bob.delete(f"/api_key/{made['id']}").status == 404
    assert made["id"] in [row["id"] for row in root.get("/api_key").body["results"]]
    assert root.delete(f"/api_key/{made['id']}").status == 204


def test_only_who_may_change_the_account_makes_keys_for_others(
    alice: Caller, root: Caller, cast: Cast
) -> None:
    body = {"name": "Robot", "user_id": str(cast.bob.pk)}
    assert alice.post("/api_key", body).details.keys() == {"user_id"}  # not to be seen by her
    assert root.post("/api_key", body).body["user_id"] == str(cast.bob.pk)
    assert root.post("/api_key", {"name": "x", "user_id": "nobody"}).details.keys() == {"user_id"}


def test_a_key_expires(alice: Caller) -> None:
    ahead = (timezone.now() + timedelta(hours=1)).isoformat()
    made = alice.post("/api_key", {"name": "Short", "expires_at": ahead}).body
    assert alice.post("/api_key", {"name": "x", "expires_at": "2001-01-01T00:00:00Z"}).status == 400
    assert alice.post("/api_key", {"name": "x", "expires_at": "soon"}).details.keys() == {"expires_at"}
    assert alice.post("/api_key", {"name": "x", "expires_at": "2040-01-01T00:00:00"}).status == 400
    ApiKey.objects.filter(pk=made["id"]).update(expires_at=timezone.now())
    other = Caller()
    other.key = made["key"]
    assert other.get("/flow").status == 401


def test_a_disabled_user_is_refused(alice: Caller, cast: Cast) -> None:
    cast.alice.is_active = False
    cast.alice.save(update_fields=["is_active"])
    assert alice.get("/flow").status == 401


@pytest.mark.parametrize("field", ["user_name", "username"])
def test_a_session_is_opened_and_closed(cast: Cast, field: str) -> None:
    browser = Caller(client=Client(enforce_csrf_checks=True))
    opened = browser.post("/auth/login", {field: "alice", "password": PASSWORD})
    assert opened.status == 200
    assert opened.body["user"]["username"] == "alice"
    assert "password" not in opened.body["user"]
    assert browser.get("/user/me").body["id"] == str(cast.alice.pk)
    token = {"X-CSRFToken": opened.body["csrf_token"]}
    assert browser.post("/flow", {"name": "By session"}).status == 403
    created = browser.post("/flow", {"name": "By session", "project_name": "Workshop"}, headers=token)
    assert created.status == 201
    assert browser.post("/auth/logout", headers=token).status == 204
    assert browser.get("/user/me").status == 401


@pytest.mark.parametrize(
    "body",
    [
        {"user_name": "alice", "password": "wrong"},
        {"user_name": "nobody", "password": PASSWORD},
        {"user_name": "alice\tx", "password": PASSWORD},
    ],
)
def test_a_wrong_password_401(nobody: Caller, cast: Cast, body: dict[str, str]) -> None:
    answer = nobody.post("/auth/login", body)
    assert answer.status == 401
    assert answer.body["error"]["message"] == "User name or password is wrong."
    assert not nobody.client.cookies.get("sessionid")


@pytest.mark.parametrize(
    "body", [{"user_name": "alice"}, {"password": "x"}, {"user_name": 5, "password": "x"}, []]
)
def test_half_a_sign_in_400(nobody: Caller, body: object) -> None:
    assert nobody.post("/auth/login", body).status == 400


def fail_often(nobody: Caller, address: str) -> None:
    for _ in range(configuration.value("SIGN_IN_FAILURES")):
        body = {"user_name": "alice", "password": "wrong"}
        assert nobody.post("/auth/login", body, REMOTE_ADDR=address).status == 401


def test_repeated_failures_close_the_way_for_this_user_and_address(nobody: Caller, cast: Cast) -> None:
    right = {"user_name": "alice", "password": PASSWORD}
    fail_often(nobody, "192.0.2.1")
    closed = nobody.post("/auth/login", right, REMOTE_ADDR="192.0.2.1")
    assert closed.status == 429
    assert 0 < int(closed.headers["Retry-After"]) <= 60 * configuration.value("SIGN_IN_CLOSED_MINUTES")
    assert nobody.post("/auth/login", right, REMOTE_ADDR="192.0.2.2").status == 200
    other = {"user_name": "bob", "password": PASSWORD}
    assert nobody.post("/auth/login", other, REMOTE_ADDR="192.0.2.1").status == 200
    SignInFailure.objects.update(at=counted_since())
    assert nobody.post("/auth/login", right, REMOTE_ADDR="192.0.2.1").status == 200


def test_the_limit_can_be_configured(nobody: Caller, cast: Cast) -> None:
    configuration.store("SIGN_IN_FAILURES", 2, by=cast.root)
    try:
        wrong = {"user_name": "alice", "password": "wrong"}
        statuses = [nobody.post("/auth/login", wrong).status for _ in range(3)]
    finally:
        configuration.reset("SIGN_IN_FAILURES", by=cast.root)
    assert statuses == [401, 401, 429]


def test_the_page_has_the_same_limit(nobody: Caller, cast: Cast) -> None:
    fail_often(nobody, "127.0.0.1")
    signed_in = Client().login(username="alice", password=PASSWORD)
    assert signed_in  # without a request there is no address, so no limit applies
    answer = nobody.client.post("/sign-in/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 422


def test_success_forgets_the_failures(nobody: Caller, cast: Cast) -> None:
    wrong, right = {"user_name": "alice", "password": "wrong"}, {"user_name": "alice", "password": PASSWORD}
    for _ in range(configuration.value("SIGN_IN_FAILURES") - 1):
        nobody.post("/auth/login", wrong)
    assert nobody.post("/auth/login", right).status == 200
    assert nobody.post("/auth/login", wrong).status == 401
    assert nobody.post("/auth/login", right).status == 200


def test_users_see_themselves_and_staff_see_all(alice: Caller, root: Caller, cast: Cast) -> None:
    assert [row["username"] for row in alice.get("/user").body["results"]] == ["alice"]
    assert alice.get(f"/user/{cast.bob.pk}").status == 404
    assert alice.get("/user/alice", {"by": "name"}).body["id"] == str(cast.alice.pk)
    names = [row["username"] for row in root.get("/user").body["results"]]
    assert names == sorted(names) and {"alice", "bob", "mallory"} <= set(names)
    assert "password" not in root.get("/user/bob", {"by": "name"}).body


def test_processes_are_for_staff(alice: Caller, root: Caller) -> None:
    assert alice.get("/process").status == 403
    assert alice.get("/process/1").status == 403
    assert root.get("/process").status == 200
    assert root.get("/process/1").status in (200, 404)
