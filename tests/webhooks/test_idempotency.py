"""One execution for each idempotency key, however often and however parallel a call is made."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from executions.models import Execution
from tests.cast import Cast
from tests.rest.runs import end
from tests.webhooks.conftest import Maker, call, calling, in_thread, started
from webhooks.models import WebhookCall
from webhooks.operations import save_webhook

LATER = {"async": "1"}
HEADER = "Idempotency-Key"


@pytest.mark.django_db
def test_a_repeated_call_gets_the_first_ones_id(make: Maker) -> None:
    make(idempotency_header="X-Delivery")
    first = call(params=LATER, headers={"X-Delivery": "7"}, json={"a": 1})
    again = call(params=LATER, headers={"X-Delivery": "7"}, json={"a": 2})
    other = call(params=LATER, headers={"X-Delivery": "8"}, json={"a": 1})
    without = [call(params=LATER, json={"a": 1}) for _ in range(2)]
    assert (first.json(), again.status_code) == (again.json(), 202)
    assert (first.headers.get("Idempotent-Replay"), again.headers["Idempotent-Replay"]) == (None, "true")
    ids = {answer.json()["id"] for answer in (first, other, *without)}
    assert len(ids) == 4  # what has no key is never taken for the same
    made = WebhookCall.objects.order_by("id")
    assert [row.repeats_id for row in made] == [None, made[0].pk, None, None, None]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "json", "key"),
    [
        ("id", {"id": 7}, "7"),
        ("event.id", {"event": {"id": "evt_1"}}, "evt_1"),
        ("items.1.id", {"items": [{}, {"id": 5}]}, "5"),
        ("id", {"id": True}, None),
        ("id", {"id": {"a": 1}}, None),
        ("id", {"id": ""}, None),
        ("items.9.id", {"items": []}, None),
        ("id", [], None),
    ],
)
def test_the_key_may_stand_in_the_body(make: Maker, path: str, json: Any, key: str | None) -> None:
    make(idempotency_path=path)
    assert call(params=LATER, json=json).status_code == 202
    assert WebhookCall.objects.get().idempotency_key == key


@pytest.mark.django_db
def test_a_key_belongs_to_one_webhook(make: Maker) -> None:
    make("a", idempotency_header=HEADER)
    make("b", idempotency_header=HEADER)
    for name in ("a", "b"):
        assert call(name=name, params=LATER, headers={HEADER: "7"}).status_code == 202
    assert Execution.objects.count() == 2


@pytest.mark.django_db
def test_a_key_is_kept_for_its_time(make: Maker) -> None:
    make(idempotency_header=HEADER, idempotency_ttl_seconds=60)
    first = call(params=LATER, headers={HEADER: "7"}).json()
    WebhookCall.objects.update(at=timezone.now() - timedelta(seconds=59))
    assert call(params=LATER, headers={HEADER: "7"}).json() == first
    WebhookCall.objects.filter(repeats_id=None).update(at=timezone.now() - timedelta(seconds=61))
    assert call(params=LATER, headers={HEADER: "7"}).json() != first


@pytest.mark.django_db
def test_a_key_may_not_be_too_long(make: Maker) -> None:
    make(idempotency_header=HEADER)
    assert call(params=LATER, headers={HEADER: "x" * 255}).status_code == 202
    assert call(params=LATER, headers={HEADER: "x" * 256}).status_code == 400


@pytest.mark.django_db
def test_a_call_that_started_nothing_leaves_its_key_free(make: Maker, cast: Cast) -> None:
    webhook = make(idempotency_header=HEADER)
    cast.alice.__class__.objects.filter(pk=cast.alice.pk).delete()
    assert call(headers={HEADER: "7"}).status_code == 403
    webhook.refresh_from_db()
    save_webhook(webhook, by=cast.root, description="taken over")
    assert call(params=LATER, headers={HEADER: "7"}).status_code == 202


def test_calls_at_the_same_time_start_one_execution(threads: None, make: Maker) -> None:
    """All of them wait for it, and all get its answer."""
    make(idempotency_header=HEADER)

    async def all_at_once() -> list[httpx.Response]:
        async with calling() as caller:
            answering = [asyncio.create_task(caller(headers={HEADER: "7"})) for _ in range(20)]
            execution = (await started())[0]
            while await in_thread(WebhookCall.objects.count) < 20:
                await asyncio.sleep(0.01)
            await in_thread(lambda: end(execution.pk, message="done once"))
            return await asyncio.gather(*answering)

    answers = asyncio.run(asyncio.wait_for(all_at_once(), 60))
    assert Execution.objects.count() == 1
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["message"] for answer in answers} == {"done once"}
    assert sorted("Idempotent-Replay" in answer.headers for answer in answers) == [False] + [True] * 19
    assert WebhookCall.objects.filter(idempotency_key="7").count() == 1
