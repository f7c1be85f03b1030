"""The public door: who is let in, what the flow gets, and what the caller hears."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from access.models import IdentityRole, User
from executions.lifecycle import Status
from executions.models import Execution
from flows.models import Flow
from flows.operations import save_flow, trash_flow
from tests.cast import Cast
from tests.rest.runs import claim, end
from tests.webhooks.conftest import KEY, Maker, call, call_and, in_thread
from webhooks import answering, door
from webhooks.models import RateWindow, Webhook, WebhookCall
from webhooks.operations import save_webhook, trash_webhook
from webhooks.signatures import sign

pytestmark = pytest.mark.django_db
LATER = {"async": "1"}


def last_call() -> WebhookCall:
    found = WebhookCall.objects.order_by("-id").first()
    assert found is not None
    return found


def set_output(execution: Execution, output: Any) -> None:
    Execution.objects.filter(pk=execution.pk).update(output_value=output)


# -- Who is let in --------------------------------------------------------------------------------------------


def test_what_is_not_there_looks_like_what_is_disabled(make: Maker, cast: Cast, flow: Flow) -> None:
    webhook = make(is_enabled=False)
    answers = [call(name="nothing"), call(), call(name="a%00b")]
    save_webhook(webhook, by=cast.alice, is_enabled=True)
    assert call(params=LATER).status_code == 202
    trash_flow(flow, by=cast.root)
    answers.append(call())
    Flow.objects.update(deleted_at=None)
    trash_webhook(webhook, by=cast.alice)
    answers.append(call())
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["error"]["code"] == "not_found"


def test_only_the_methods_it_allows(make: Maker) -> None:
    make(methods=["POST", "GET"])
    for method in ("PUT", "DELETE", "HEAD", "BREW"):
        answer = call(method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, GET, OPTIONS")
    assert call("GET", params=LATER).status_code == 202


def test_options_tell_the_methods_and_start_nothing(make: Maker) -> None:
    webhook = make(methods=["POST", "GET"], key=KEY)
    answer = call("OPTIONS")
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (200, "POST, GET, OPTIONS", b"")
    assert not any(name.startswith("access-control-") for name in answer.headers)
    assert not Execution.objects.exists() and not WebhookCall.objects.exists()
    assert call("OPTIONS", name="nothing").status_code == 404
    save_webhook(webhook, by=webhook.created_by, allowed_networks=["10.0.0.0/8"])
    assert call("OPTIONS").status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "DELETE", "HEAD"])
def test_six_methods(make: Maker, method: str) -> None:
    make()
    answer = call(method, params=LATER)
    assert answer.status_code == 202
    assert bool(answer.content) == (method != "HEAD")
    assert Execution.objects.get().input_value["method"] == method


def test_a_key_may_come_in_three_ways(make: Maker) -> None:
    make(key=KEY)
    assert call(params=LATER | {"key": KEY}).status_code == 202
    assert call(params=LATER, headers={"X-Webhook-Key": KEY}).status_code == 202
    assert call(params=LATER, json={"key": KEY, "a": 1}).status_code == 202
    for execution in Execution.objects.all():
        assert KEY not in str(execution.input_value)
    assert KEY not in str(list(WebhookCall.objects.values()))
    for options in (
        {},
        {"params": {"key": KEY[:-1]}},
        {"headers": {"X-Webhook-Key": ""}},
        {"json": {"key": [KEY]}},
    ):
        answer = call(**options)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Key")
    assert Execution.objects.count() == 3
    assert (last_call().status, last_call().request) == (401, None)


def test_a_signature_is_over_the_raw_body(make: Maker) -> None:
    secret = "the secret of the sender"
    make(signature_scheme="generic", signing_secret=secret)
    now = timezone.now().timestamp()
    body = b'{"a" :  1}'
    signed = sign("generic", secret, body, now=now, header="X-Signature")
    json = {"Content-Type": "application/json"}
    assert call(params=LATER, content=body, headers=signed | json).status_code == 202
    given = Execution.objects.get().input_value
    assert given["json"] == {"a": 1}
    assert given["headers"]["x-signature"] == "[filtered]"
    assert call(params=LATER, content=b'{"a": 1}', headers=signed | json).status_code == 401
    old = sign("generic", secret, body, now=now - 301, header="X-Signature")
    assert "seconds off" in call(params=LATER, content=body, headers=old | json).json()["error"]["message"]
    # What is not signed is not even read.
    assert call(content=b"{", headers=json).status_code == 401


def test_key_and_signature_are_both_asked_for(make: Maker) -> None:
    secret = "the secret of the sender"
    make(key=KEY, signature_scheme="gitlab", signing_secret=secret)
    token, key = {"X-Gitlab-Token": secret}, {"X-Webhook-Key": KEY}
    assert [call(params=LATER, headers=given).status_code for given in (token, key, token | key)] == [
        401,
        401,
        202,
    ]


def test_only_from_allowed_networks(make: Maker, cast: Cast) -> None:
    webhook = make(allowed_networks=["198.51.100.0/24", "2001:db8::/32"])
    answer = call()
    assert answer.status_code == 403
    assert "192.0.2.1 is in none" in last_call().error
    save_webhook(webhook, by=cast.alice, allowed_networks=["192.0.2.0/24"])
    assert call(params=LATER).status_code == 202


def test_a_body_may_not_be_too_long(make: Maker) -> None:
    make(body_limit_bytes=1000)
    assert call(params=LATER, content=b"x" * 1000).status_code == 202
    assert call(params=LATER, content=b"x" * 1001).status_code == 413

    async def chunks() -> Any:
        for _ in range(11):
            yield b"x" * 100

    assert call(params=LATER, content=chunks()).status_code == 413  # nothing was said of its length
    assert Execution.objects.count() == 1


def test_the_rate_is_limited(make: Maker) -> None:
    webhook = make(rate_limit_per_minute=2, key=KEY)
    key = LATER | {"key": KEY}
    assert [call(params=params).status_code for params in (LATER, key, LATER, key)] == [401, 202, 401, 202]
    answer = call(params=key)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    RateWindow.objects.filter(webhook=webhook).update(started_at=timezone.now() - timedelta(seconds=61))
    assert call(params=key).status_code == 202


def test_a_body_that_cannot_be_read_is_refused(make: Maker) -> None:
    make()
    answer = call(content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "input_invalid")
    assert call(params="a&" * 10_001).status_code == 400


def test_another_host_name_is_refused(make: Maker) -> None:
    make()
    assert call(headers={"Host": "evil.example"}).status_code == 400


def test_lost_secrets_let_nobody_in(make: Maker) -> None:
    webhook = make(key=KEY)
    Webhook.objects.filter(pk=webhook.pk).update(sealed="nonsense")
    assert call(params={"key": KEY}).status_code == 503


def test_a_failure_says_nothing_of_itself(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    monkeypatch.setattr(door.receiving, "accept", lambda *given: 1 / 0)
    answer = call()
    assert answer.status_code == 500
    assert "division" not in answer.text
    assert last_call().status == 500


# -- What the flow gets ---------------------------------------------------------------------------------------


def test_the_flow_gets_the_request(make: Maker) -> None:
    make("an order/".strip("/"))
    answer = call(
        "PUT",
        "/eu/invoices%2F7/?a=1&a=2&b=&async=1",
        name="an%20order",
        json={"x": 1},
        headers={"X-Event": "made", "Authorization": "Bearer abc"},
    )
    assert answer.status_code == 202
    execution = Execution.objects.get()
    assert answer.json() == {"id": str(execution.pk)}
    given = execution.input_value
    assert {name: given[name] for name in given if name != "headers"} == {
        "method": "PUT",
        "path": "eu/invoices/7/",
        "query": {"a": ["1", "2"], "b": ""},
        "remote_address": "192.0.2.1",
        "json": {"x": 1},
    }
    assert given["headers"]["x-event"] == "made"
    assert given["headers"]["authorization"] == "[filtered]"


def test_the_execution_is_the_webhooks(make: Maker, cast: Cast) -> None:
    webhook = make(is_productive=False)
    call(params=LATER)
    execution = Execution.objects.get()
    assert (execution.origin, execution.starter_kind, execution.starter_id) == (
        "WEBHOOK",
        "webhook",
        webhook.pk,
    )
    assert execution.webhook_id == webhook.pk
    assert (execution.created_by, execution.is_productive) == (cast.alice, False)
    assert execution.project == cast.workshop
    assert [str(role.role) for role in IdentityRole.objects.filter(identity_id=webhook.pk)] == ["Webhook"]


def test_a_webhook_without_roles_starts_nothing_until_it_has_one(make: Maker) -> None:
    webhook = make()
    held = IdentityRole.objects.get(identity_id=webhook.pk)
    held.delete()
    answer = call()
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    assert "lacks a role" in last_call().error
    assert last_call().request["method"] == "POST"
    held.pk = None
    held.save(force_insert=True)
    assert call(params=LATER).status_code == 202


def test_a_webhook_lives_on_when_its_maker_is_disabled(make: Maker, cast: Cast) -> None:
    make()
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    assert call(params=LATER).status_code == 202
    Webhook.objects.update(created_by=None)
    answer = call()
    assert answer.status_code == 403
    assert "make it yours" in last_call().error


def test_executions_are_where_the_webhook_says(make: Maker, cast: Cast, flow: Flow) -> None:
    make("a", project=cast.attic)
    make("b", project=cast.attic, execution_location="webhook_record")
    make("c", execution_location="project", location_project=cast.attic)
    for name in "abc":
        call(name=name, params=LATER)
    places = [execution.project for execution in Execution.objects.order_by("id")]
    assert places == [cast.workshop, cast.attic, cast.attic]


def test_the_flows_schema_is_kept(make: Maker, cast: Cast, flow: Flow) -> None:
    make()
    schema = {
        "type": "object",
        "properties": {"json": {"type": "object", "required": ["id"]}},
        "required": ["json"],
    }
    save_flow(flow, by=cast.root, input_schema=schema)
    answer = call(json={})
    assert (answer.status_code, Execution.objects.count()) == (400, 0)
    assert "id" in answer.json()["error"]["message"]
    assert call(json={"id": 7}, params=LATER).status_code == 202


# -- What the caller hears ------------------------------------------------------------------------------------


def test_a_caller_who_waits_gets_status_and_output(make: Maker) -> None:
    make()

    async def ended(execution: Execution) -> None:
        await in_thread(lambda: set_output(execution, {"total": 7}))
        await in_thread(lambda: end(execution.pk, message="all done"))

    answer = call_and(ended)
    execution = Execution.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(execution.pk), "status": "ENDED_SUCCESS", "message": "all done", "output_value": {"total": 7},
    }  # fmt: skip
    logged = last_call()
    assert (logged.status, logged.execution_id, logged.is_async) == (200, execution.pk, False)
    assert logged.duration_ms is not None and logged.duration_ms < 20_000


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (Status.ENDED_ERROR, "reported", "no such order"),
        (Status.ENDED_ERROR, "raised", ""),
        (Status.ENDED_CANCELLED, "cancelled", "no such order"),
    ],
)
def test_a_failure_is_500_and_its_traceback_stays_here(
    make: Maker, status: Status, reason: str, message: str
) -> None:
    make()

    async def ended(execution: Execution) -> None:
        await in_thread(lambda: end(execution.pk, status=status, reason=reason, message="no such order"))

    answer = call_and(ended)
    assert (answer.status_code, answer.json()["status"], answer.json()["message"]) == (500, status, message)


def test_time_is_limited_and_the_execution_goes_on(make: Maker) -> None:
    make(time_limit_seconds=1)
    answer = call()
    execution = Execution.objects.get()
    assert answer.status_code == 504
    assert (answer.json()["id"], answer.json()["status"]) == (str(execution.pk), "QUEUED")
    assert str(execution.pk) in answer.json()["error"]["message"]
    assert execution.ended_at is None


def test_the_flow_shapes_the_answer(make: Maker) -> None:
    make()
    shape = {"status": 418, "headers": {"X-Pot": "short"}, "html": "<h1>No</h1>"}

    async def ended(execution: Execution) -> None:
        await in_thread(lambda: set_output(execution, {"webhook_response": shape}))
        await in_thread(lambda: end(execution.pk, status=Status.ENDED_ERROR))

    answer = call_and(ended)
    assert (answer.status_code, answer.text, answer.headers["X-Pot"]) == (418, "<h1>No</h1>", "short")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")


def test_an_answer_may_come_before_the_end(make: Maker) -> None:
    make()

    async def answered(execution: Execution) -> None:
        await in_thread(lambda: claim(execution.pk))
        await in_thread(lambda: set_output(execution, {"webhook_response": {"text": "working on it"}}))

    assert call_and(answered).text == "working on it"
    assert Execution.objects.get().status == Status.RUNNING


def test_a_caller_waits_on_while_the_database_is_away(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    looks = []

    def is_over(key: Any) -> bool:
        looks.append(key)
        if len(looks) < 3:
            raise OperationalError("the connection is lost")
        return answering.is_over(key)

    monkeypatch.setattr(door, "answering", SimpleNamespace(**vars(answering) | {"is_over": is_over}))

    async def ended(execution: Execution) -> None:
        await in_thread(lambda: end(execution.pk))

    assert call_and(ended).status_code == 200
    assert len(looks) >= 3


def test_an_answer_that_cannot_be_sent_is_said(make: Maker) -> None:
    make()

    async def answered(execution: Execution) -> None:
        shape = {"headers": {"X-A": "1\r\nX-B: 2"}}
        await in_thread(lambda: set_output(execution, {"webhook_response": shape}))

    answer = call_and(answered)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "answer_invalid")
    assert "X-B" not in answer.headers


def test_a_caller_who_leaves_is_noticed(make: Maker) -> None:
    make()
    messages = [{"type": "http.request"}, {"type": "http.disconnect"}]
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/1/webhook/orders/call",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": None,
    }

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(asyncio.wait_for(door.door(scope, receive, send), 20))
    assert sent == []
    assert (last_call().status, last_call().error) == (None, "The caller went away before the answer.")
    assert Execution.objects.get().status == Status.QUEUED
