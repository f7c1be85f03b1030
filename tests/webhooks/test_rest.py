"""REST of webhooks: making and changing them, keys that are shown once, the log of calls, and delivering again."""

from typing import Any

import pytest

from access.models import AuditEntry, IdentityRole
from executions.models import Execution
from flows.models import Flow
from flows.operations import save_flow, trash_flow
from tests.cast import Cast
from tests.rest.conftest import Caller
from tests.webhooks.conftest import KEY, Maker, call
from webhooks.models import WebhookCall

pytestmark = pytest.mark.django_db
LATER = {"async": "1"}


@pytest.fixture
def alice(cast: Cast) -> Caller:
    return Caller(cast.alice)


def test_a_webhook_is_made_and_called(alice: Caller, flow: Flow) -> None:
    body = {"name": "orders", "flow_name": flow.name, "key": KEY, "allowed_networks": ["192.0.2.0/24"]}
    made = alice.post("/webhook", body)
    assert made.status == 201, made.body
    assert (made.body["has_key"], made.body["is_enabled"]) == (True, False)
    assert made.body["path"] == "/api/latest/webhook/orders/call"
    assert KEY not in str(made.body) and "sealed" not in made.body
    address = f"/webhook/{made.body['id']}"
    assert alice.patch(address, {"is_enabled": True, "methods": ["POST"]}).body["methods"] == ["POST"]
    assert call(params=LATER | {"key": KEY}).status_code == 202
    assert alice.get("/webhook").names() == ["orders"]
    assert alice.get("/webhook/orders", {"by": "name"}).body["id"] == made.body["id"]
    assert alice.delete(address).status == 204
    assert call(params=LATER | {"key": KEY}).status_code == 404
    assert alice.post(f"{address}/restore").body["is_enabled"] is True
    assert alice.post(f"{address}/duplicate").body["name"] == "orders copy"


def test_what_is_wrong_is_named(alice: Caller, flow: Flow) -> None:
    assert alice.post("/webhook", {"name": "orders"}).details == {"flow_id": ["This field is required."]}
    wrong = alice.post(
        "/webhook", {"name": "a/b", "flow_name": flow.name, "methods": ["BREW"], "key": "short"}
    )
    assert set(wrong.details) == {"key"}
    wrong = alice.post("/webhook", {"name": "a/b", "flow_name": flow.name, "methods": ["BREW"]})
    assert set(wrong.details) == {"name", "methods"}


def test_a_new_key_is_shown_once(alice: Caller, make: Maker, cast: Cast) -> None:
    webhook = make(key=KEY)
    answer = alice.post(f"/webhook/{webhook.pk}/key")
    assert answer.headers["Cache-Control"] == "no-store"
    assert call(params=LATER | {"key": KEY}).status_code == 401
    assert call(params=LATER | {"key": answer.body["key"]}).status_code == 202
    assert Caller(cast.carol).post(f"/webhook/{webhook.pk}/key").status == 403


def test_the_calls_of_a_webhook(alice: Caller, make: Maker, cast: Cast) -> None:
    webhook, other = make(key=KEY), make("other")
    call("PUT", "/a/b", params=LATER | {"key": KEY}, json={"x": 1})
    call(name="other", params=LATER)
    call()
    address = f"/webhook/{webhook.pk}/calls"
    refused, good = alice.get(address).body["results"]
    assert (refused["status"], refused["execution_id"], refused["error"][:12]) == (401, None, "Send the key")
    assert (good["status"], good["method"], good["path"], good["is_async"]) == (202, "PUT", "a/b", True)
    one = {"field": "status", "op": "ge", "value": 400}
    assert [row["id"] for row in alice.get(address, {"filter": one}).body["results"]] == [refused["id"]]
    read = alice.get(f"{address}/{good['id']}").body
    assert (read["request"]["json"], read["execution_id"]) == (
        {"x": 1},
        str(Execution.objects.earliest("id").pk),
    )
    assert alice.get(f"{address}/{refused['id']}").body["request"] is None
    assert alice.get(f"/webhook/{other.pk}/calls/{good['id']}").status == 404
    assert Caller(cast.mallory).get(address).status == 404
    assert len(alice.walk(address, {"limit": 1})) == 2


def test_the_request_is_for_those_who_may_see_the_execution(make: Maker, cast: Cast) -> None:
    webhook = make(execution_location="project", location_project=cast.attic)
    call(params=LATER)
    address = f"/webhook/{webhook.pk}/calls/{WebhookCall.objects.get().pk}"
    assert Caller(cast.alice).get(address).body["request"]["method"] == "POST"
    assert Caller(cast.carol).get(address).body["request"] is None


def test_a_call_is_delivered_again(alice: Caller, make: Maker, cast: Cast) -> None:
    webhook = make(key=KEY, idempotency_header="X-Id", rate_limit_per_minute=1)
    call(params=LATER | {"key": KEY}, headers={"X-Id": "7"}, json={"x": 1})
    first = WebhookCall.objects.get()
    answer = alice.post(f"/webhook/{webhook.pk}/calls/{first.pk}/redeliver")
    assert answer.status == 201, answer.body
    assert AuditEntry.objects.filter(action="deliver again", record_id=str(webhook.pk)).count() == 1
    assert (answer.body["repeats_id"], answer.body["is_redelivery"]) == (str(first.pk), True)
    old, new = Execution.objects.order_by("id")
    assert (answer.body["execution_id"], new.input_value) == (str(new.pk), old.input_value)
    assert (new.starter_kind, new.starter_id, new.origin) == ("webhook", webhook.pk, "WEBHOOK")
    # And what was delivered again can be delivered again.
    again = alice.post(f"/webhook/{webhook.pk}/calls/{answer.body['id']}/redeliver")
    assert again.status == 201
    bob = Caller(cast.bob)  # he sees it, and may run flows, and not what gives access to them
    assert bob.post(f"/webhook/{webhook.pk}/calls/{first.pk}/redeliver").status == 403
    assert Execution.objects.count() == 3


def test_what_started_nothing_is_delivered_once_it_can_be(
    alice: Caller, make: Maker, cast: Cast, flow: Flow
) -> None:
    webhook = make()
    save_flow(flow, by=cast.root, input_schema={"type": "object", "required": ["form"]})
    assert call(json={"x": 1}).status_code == 400
    address = f"/webhook/{webhook.pk}/calls/{WebhookCall.objects.get().pk}"
    assert alice.get(address).body["request"]["json"] == {"x": 1}
    call(json={"x": "y" * 300_000})
    assert WebhookCall.objects.latest("id").request is None  # too long to be kept for nothing
    assert "form" in alice.post(f"{address}/redeliver").body["error"]["message"]
    save_flow(flow, by=cast.root, input_schema=None)
    held = IdentityRole.objects.get(identity_id=webhook.pk)
    held.delete()
    assert alice.post(f"{address}/redeliver").status == 403
    held.pk = None
    held.save(force_insert=True)
    assert alice.post(f"{address}/redeliver").status == 201
    assert Execution.objects.get().input_value["json"] == {"x": 1}


def test_what_was_not_kept_is_not_delivered(alice: Caller, make: Maker, cast: Cast, flow: Flow) -> None:
    webhook = make(key=KEY)
    call()
    address = f"/webhook/{webhook.pk}/calls/{WebhookCall.objects.get().pk}/redeliver"
    assert "not kept" in alice.post(address).body["error"]["message"]
    call(params=LATER | {"key": KEY})
    kept = WebhookCall.objects.exclude(execution=None).get()
    trash_flow(flow, by=cast.root)
    answer = alice.post(f"/webhook/{webhook.pk}/calls/{kept.pk}/redeliver")
    assert (answer.status, "in the trash" in answer.body["error"]["message"]) == (400, True)


def test_a_flow_reads_and_changes_webhooks(make: Maker, cast: Cast) -> None:
    """Every record type is reached from flows by its name; here by the calls behind it."""
    from executions.calls import records
    from executions.calls.base import Caller as Asking

    webhook = make(key=KEY)
    asking = Asking(webhook.pk, 1, 1, cast.workshop.pk, webhook.pk, True, cast.alice)
    selected: dict[str, Any] = {"type": "webhook", "select": "orders", "by": "name"}
    shown = records.get(asking, selected)
    assert shown["has_key"] is True and KEY not in str(shown)
    records.save(asking, selected | {"fields": {"is_enabled": False, "key": "another key, as long"}})
    webhook.refresh_from_db()
    assert (webhook.is_enabled, webhook.open_secrets()["key"]) == (False, "another key, as long")
