"""The log of calls is kept for its time and no longer, and a webhook that is deleted for good leaves nothing behind."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.trash import purge
from executions.housekeeping import Done, Turn
from executions.models import Execution
from flows.models import Flow
from flows.operations import trash_flow
from projects.operations import trash_project
from records import configuration
from records.identifiers import first_id_at
from tests.cast import Cast
from tests.webhooks.conftest import Maker, call
from webhooks import jobs
from webhooks.models import Webhook, WebhookCall
from webhooks.operations import trash_webhook

pytestmark = pytest.mark.django_db


def put(webhook: Webhook, days: float, **columns: Any) -> WebhookCall:
    at = timezone.now() - timedelta(days=days)
    return WebhookCall.objects.create(id=first_id_at(at), webhook=webhook, at=at, method="POST", **columns)


def remove() -> Done:
    configuration._read_at = float("-inf")
    return jobs.remove_calls(Turn(10, rests=False))


def test_old_calls_go(make: Maker, cast: Cast) -> None:
    webhook, other = make(), make("other")
    old, fresh, others = put(webhook, 31), put(webhook, 29), put(other, 40)
    assert remove().count == 2
    assert list(WebhookCall.objects.all()) == [fresh]
    assert {old, others}.isdisjoint(WebhookCall.objects.all())
    configuration.store("WEBHOOK_CALLS_DAYS", 0, by=cast.root)
    put(webhook, 400)
    assert remove().count == 0


def test_no_webhook_keeps_more_than_its_share(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT_OF_EACH", 3)
    monkeypatch.setattr(jobs, "_AT_ONCE", 2)
    one, other = make("one"), make("other")
    rows = [put(one, days / 10) for days in range(8)]
    put(other, 1)
    assert remove() == Done(5)
    assert list(one.calls.order_by("-id")) == rows[:3]
    assert other.calls.count() == 1


def test_a_key_that_is_good_keeps_its_call(make: Maker) -> None:
    webhook = make(idempotency_header="X-Id", idempotency_ttl_seconds=30 * 86_400)
    Webhook.objects.update(idempotency_ttl_seconds=35 * 86_400)
    kept, gone = put(webhook, 34, idempotency_key="a"), put(webhook, 36, idempotency_key="b")
    assert remove().count == 1
    assert kept in WebhookCall.objects.all() and gone not in WebhookCall.objects.all()


def test_a_webhook_goes_for_good_and_its_executions_stay(make: Maker, cast: Cast, flow: Flow) -> None:
    webhook = make(rate_limit_per_minute=5)
    call(params={"async": "1"})
    trash_webhook(webhook, by=cast.root)
    trash_flow(flow, by=cast.root)
    purge(webhook, by=cast.root)
    purge(flow, by=cast.root)
    assert not WebhookCall.objects.exists()
    assert Execution.objects.get().starter_kind == "webhook"


def test_a_project_goes_with_its_webhooks(make: Maker, cast: Cast) -> None:
    make(project=cast.attic, execution_location="project", location_project=cast.attic)
    trash_project(cast.attic, by=cast.root)
    purge(cast.attic, by=cast.root)
    assert not Webhook.objects.exists()
