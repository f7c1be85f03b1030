"""Pages of webhooks: the list, one webhook, its calls, its settings, and the button that sends a real request."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.models import IdentityRole, Role, User
from executions.models import Execution
from tests.cast import Cast, hold
from tests.webhooks.conftest import KEY, Maker, call
from webhooks import trying, views
from webhooks.models import Webhook, WebhookCall

Browse = Callable[[User], Client]


@pytest.fixture
def browser_of() -> Browse:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


def text_of(client: Client, name: str, *given: Any, status: int = 200, **query: str) -> str:
    response = client.get(reverse(name, args=given), query)
    assert response.status_code == status
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.mark.django_db
def test_the_list_says_when_and_how_often_each_was_called(
    make: Maker, cast: Cast, browser_of: Browse
) -> None:
    alice = browser_of(cast.alice)
    assert "No webhooks yet" in text_of(alice, "webhook-list")
    make(key=KEY)
    make("open one", is_enabled=False)
    for _ in range(3):
        call(params={"async": "1", "key": KEY})
    call()
    text = text_of(alice, "webhook-list")
    assert "401" in text and ">4</td>" in text and "not called yet" in text
    assert "open one" not in text_of(alice, "webhook-list", show="enabled")
    assert "No webhook matches" in text_of(alice, "webhook-list", q="nothing")
    assert ">orders<" not in text_of(browser_of(cast.mallory), "webhook-list")
    carol = text_of(browser_of(cast.carol), "webhook-list")
    assert "orders" in carol and 'role="switch"' not in carol


@pytest.mark.django_db
def test_a_webhook_is_made_with_a_key_that_is_shown_once(make: Maker, cast: Cast, browser_of: Browse) -> None:
    alice = browser_of(cast.alice)
    make("other")
    form = {"name": "orders", "flow_name": "Take an order", "with_key": "on"}
    response = alice.post(reverse("webhook-create"), form)
    key = re.search(r"whk_[\w-]{43}", response.content.decode())
    assert key and "no-store" in response.headers["Cache-Control"]
    webhook = Webhook.objects.get(name="orders")
    assert (webhook.is_enabled, webhook.open_secrets()) == (False, {"key": key[0]})
    page = text_of(alice, "webhook-detail", webhook.pk)
    assert key[0] not in page and "It is disabled" in page
    alice.post(reverse("webhook-switch", args=[webhook.pk]), {"is_enabled": "true"})
    assert call(params={"async": "1", "key": key[0]}).status_code == 202
    assert alice.post(reverse("webhook-create"), form | {"name": "a/b"}).status_code == 422
    wrong = alice.post(reverse("webhook-create"), form | {"flow_name": "nothing"})
    assert (wrong.status_code, "There is no flow &#x27;nothing&#x27;" in wrong.content.decode()) == (
        422,
        True,
    )
    flow = str(webhook.flow_id)
    assert 'value="Take an order"' in text_of(alice, "webhook-create", flow=flow)
    assert ">orders<" in text_of(alice, "webhook-list", flow=flow)
    assert ">orders<" not in text_of(alice, "webhook-list", flow=str(webhook.pk))
    assert Webhook.objects.count() == 2


@pytest.mark.django_db
def test_the_page_warns_of_what_is_wrong(make: Maker, cast: Cast, browser_of: Browse) -> None:
    webhook = make()
    alice = browser_of(cast.alice)
    assert "Anybody who knows the address" in text_of(alice, "webhook-detail", webhook.pk)
    IdentityRole.objects.filter(identity_id=webhook.pk).delete()
    assert "None of its roles allows it to run" in text_of(alice, "webhook-detail", webhook.pk)
    role = Role.objects.get(name="Webhook")
    given = {"role": str(role.pk), "project": str(cast.workshop.pk), "propagate": "on"}
    assert alice.post(reverse("webhook-roles", args=[webhook.pk]), given).status_code == 302
    assert "None of its roles" not in text_of(alice, "webhook-detail", webhook.pk)
    held = IdentityRole.objects.get(identity_id=webhook.pk)
    assert "Webhook" in text_of(alice, "webhook-roles", webhook.pk)
    alice.post(reverse("webhook-take-role", args=[webhook.pk, held.pk]))
    assert not IdentityRole.objects.filter(identity_id=webhook.pk).exists()
    hold(cast.mallory, "Operator", cast.workshop)  # who may not hand out roles
    mallory = browser_of(cast.mallory)
    assert "Give the role" not in text_of(mallory, "webhook-roles", webhook.pk)
    mallory.post(reverse("webhook-roles", args=[webhook.pk]), given)
    assert not IdentityRole.objects.filter(identity_id=webhook.pk).exists()


def settings_form(**changed: Any) -> dict[str, Any]:
    return {
        "name": "orders", "flow_name": "Take an order", "methods": ["POST", "GET"], "signature_scheme": "",
        "signature_header": "X-Signature", "execution_location": "flow_record", "is_productive": "on",
        "replay_window_seconds": "300", "idempotency_ttl_seconds": "60", "time_limit_seconds": "30",
        "body_limit_bytes": "1000", "rate_limit_per_minute": "", "allowed_networks": "192.0.2.0/24\r\n::1\r\n",
    } | changed  # fmt: skip


@pytest.mark.django_db
def test_settings_are_saved_or_said_to_be_wrong(make: Maker, cast: Cast, browser_of: Browse) -> None:
    webhook = make(key=KEY)
    alice, address = browser_of(cast.alice), reverse("webhook-settings", args=[webhook.pk])
    assert alice.post(address, settings_form(rate_limit_per_minute="7")).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.methods, webhook.allowed_networks) == (["POST", "GET"], ["192.0.2.0/24", "::1"])
    assert (webhook.rate_limit_per_minute, webhook.has_key) == (7, True)
    for wrong, words in (
        ({"signature_scheme": "github"}, "Give the secret"),
        ({"methods": []}, "methods: Give a list"),
        ({"flow_name": "nothing"}, "There is no flow"),
        ({"time_limit_seconds": "soon"}, "whole number"),
        ({"allowed_networks": "here"}, "is neither a network"),
        ({"execution_location": "project"}, "Say which project"),
    ):
        response = alice.post(address, settings_form(name="typed", **wrong))
        assert (response.status_code, words in response.content.decode()) == (422, True), words
    secret = "a secret of the sender"
    alice.post(address, settings_form(signature_scheme="github", signing_secret=secret, no_key="on"))
    webhook.refresh_from_db()
    assert webhook.open_secrets() == {"signing_secret": secret}
    assert secret not in alice.get(address).content.decode()
    alice.post(address, settings_form(signature_scheme="github"))
    webhook.refresh_from_db()
    assert webhook.has_signing_secret
    alice.post(address, settings_form())
    webhook.refresh_from_db()
    assert webhook.open_secrets() == {} and webhook.rate_limit_per_minute is None
    assert browser_of(cast.carol).post(address, settings_form()).status_code == 403


@pytest.mark.django_db
def test_the_log_is_filtered_and_a_call_is_delivered_again(
    make: Maker, cast: Cast, browser_of: Browse
) -> None:
    webhook = make(key=KEY)
    call("PUT", "/eu", params={"async": "1", "key": KEY}, json={"a": "it's"})
    call()
    alice = browser_of(cast.alice)
    assert ">401<" not in text_of(alice, "webhook-calls", webhook.pk, show="good")
    assert "PUT /eu" not in text_of(alice, "webhook-calls", webhook.pk, show="refused")
    assert "No call matches" in text_of(alice, "webhook-calls", webhook.pk, **{"from": "198.51.100.1"})
    good = WebhookCall.objects.exclude(execution_id=None).get()
    page = text_of(alice, "webhook-call", webhook.pk, good.pk)
    assert (
        "curl -X PUT" in page
        and KEY not in page
        and "X-Webhook-Key: $WEBHOOK_KEY" in page.replace("&quot;", '"')
    )
    refused = WebhookCall.objects.get(execution_id=None)
    assert "Nothing is kept" in text_of(alice, "webhook-call", webhook.pk, refused.pk)
    response = alice.post(reverse("webhook-redeliver", args=[webhook.pk, good.pk]))
    again = WebhookCall.objects.get(is_redelivery=True)
    assert response.headers["Location"] == reverse("webhook-call", args=[webhook.pk, again.pk])
    assert [execution.input_value["json"] for execution in Execution.objects.all()] == [{"a": "it's"}] * 2
    assert (
        browser_of(cast.bob).post(reverse("webhook-redeliver", args=[webhook.pk, good.pk])).status_code == 302
    )
    assert Execution.objects.count() == 2  # Bob was told why not
    shown = text_of(alice, "execution-detail", again.execution_id)
    assert f'<a href="{reverse("webhook-detail", args=[webhook.pk])}">orders</a>' in shown


@pytest.mark.django_db
def test_the_trash_and_copies(make: Maker, cast: Cast, browser_of: Browse) -> None:
    webhook = make()
    alice = browser_of(cast.alice)
    alice.post(reverse("webhook-duplicate", args=[webhook.pk]))
    assert Webhook.objects.filter(name="orders copy", is_enabled=False).exists()
    alice.post(reverse("webhook-delete", args=[webhook.pk]))
    assert "orders" in text_of(alice, "webhook-list", trash="")
    assert "in the trash" in text_of(alice, "webhook-detail", webhook.pk)
    alice.post(reverse("webhook-restore", args=[webhook.pk]))
    webhook.refresh_from_db()
    assert not webhook.is_deleted


@pytest.mark.parametrize("scheme", ["", "github", "stripe"])
def test_the_test_button_goes_through_the_door(
    threads: None, make: Maker, cast: Cast, browser_of: Browse, scheme: str
) -> None:
    secret = {"signature_scheme": scheme, "signing_secret": "a secret of the sender"} if scheme else {}
    webhook = make("with blank", key=KEY, allowed_networks=["127.0.0.1"], **secret)
    alice, address = browser_of(cast.alice), reverse("webhook-test", args=[webhook.pk])
    form = {
        "method": "PUT", "path": "a b/c", "query": "x=1&y=ä b", "content_type": "application/json",
        "body": '{"hello": "wörld"}', "async": "on", "headers": "X-Event: made\r\nX-Other: ", "key": "",
    }  # fmt: skip
    text = alice.post(address, form, headers={"HX-Request": "true"}).content.decode()
    execution = Execution.objects.get()
    assert "202" in text and str(execution.pk) in text and KEY not in text
    given = execution.input_value
    assert (given["method"], given["path"], given["query"]) == ("PUT", "a b/c", {"x": "1", "y": "ä b"})
    assert (given["json"], given["headers"]["x-event"]) == ({"hello": "wörld"}, "made")
    assert "Request" in alice.post(address, form).content.decode()  # a page of its own without scripts
    assert browser_of(cast.bob).post(address, form).status_code == 403
    webhook.is_enabled = False
    webhook.save()
    assert "404" in alice.post(address, form).content.decode()
    assert views.CONTENT_TYPES[0] == trying.JSON
