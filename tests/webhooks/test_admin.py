"""Webhooks saved in the admin keep the rules of the operations, and their secrets."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from flows.models import Flow
from tests.admin.pages import act, page_of
from tests.cast import Cast
from tests.webhooks.conftest import KEY, Maker
from webhooks.models import Webhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(cast: Cast) -> Client:
    made = Client()
    made.force_login(cast.root)
    return made


def form_of(flow: Flow, **changed: Any) -> dict[str, Any]:
    form = {
        "name": "orders", "flow": str(flow.pk), "project": str(flow.project_id), "is_productive": "on",
        "methods": json.dumps(["POST"]), "execution_location": "flow_record", "signature_header": "X-Signature",
        "replay_window_seconds": 300, "allowed_networks": "[]", "idempotency_ttl_seconds": 60,
        "time_limit_seconds": 30, "body_limit_bytes": 1000,
    }  # fmt: skip
    return {name: str(value) for name, value in (form | changed).items()}


def test_secrets_are_typed_and_taken_away(client: Client, flow: Flow) -> None:
    address = reverse("admin:webhooks_webhook_add")
    response = client.post(address, form_of(flow, key="short"))
    assert "16 characters" in str(response.context["adminform"].form.errors["key"])
    response = client.post(address, form_of(flow, key=KEY))
    assert response.status_code == 302, response.context["errors"]
    webhook = Webhook.objects.get()
    assert (webhook.open_secrets(), webhook.methods) == ({"key": KEY}, ["POST"])
    assert webhook.is_key_required
    assert KEY not in client.get(page_of(webhook)).content.decode()
    kept = form_of(flow, description="x", is_key_required="on")
    assert client.post(page_of(webhook), kept).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.open_secrets(), webhook.description, webhook.is_key_required) == ({"key": KEY}, "x", True)
    assert client.post(page_of(webhook), form_of(flow, key="-")).status_code == 302
    webhook.refresh_from_db()
    assert not webhook.has_key and webhook.is_open


def test_they_go_to_the_trash_and_back(client: Client, make: Maker) -> None:
    webhook = make()
    assert act(client, "trash_chosen", webhook) == ["Moved to the trash: 1 webhook."]
    webhook.refresh_from_db()
    assert webhook.is_deleted
