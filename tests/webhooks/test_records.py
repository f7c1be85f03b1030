"""Webhooks as records: who may make and change them, what is checked, and what is never shown."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from access.models import AuditEntry, IdentityRole
from access.permissions import PermissionRefused
from connectors.sealing import rotate
from flows.models import Flow
from projects.models import Bundle, Project
from records.export_form import document_of
from tests.cast import Cast, hold
from tests.webhooks.conftest import KEY, Maker, call
from webhooks.kinds import WEBHOOK
from webhooks.models import Webhook
from webhooks.operations import create_webhook, duplicate_webhook, make_key, save_webhook, trash_webhook
from webhooks.signatures import sign

pytestmark = pytest.mark.django_db


def test_a_new_webhook_is_disabled_and_lives_with_its_flow(cast: Cast, flow: Flow) -> None:
    webhook = create_webhook(by=cast.alice, name="orders", flow=flow)
    assert (webhook.is_enabled, webhook.project, webhook.is_open) == (False, cast.workshop, True)
    assert webhook.path == "/api/latest/webhook/orders/call"


def test_who_may_make_one(cast: Cast, flow: Flow) -> None:
    """Operators may: a webhook of theirs holds the role that they could use themselves."""
    for person in (cast.bob, cast.carol, cast.mallory):
        with pytest.raises(PermissionRefused):
            create_webhook(by=person, name="orders", flow=flow)
    hold(cast.mallory, "Operator", cast.workshop)
    webhook = create_webhook(by=cast.mallory, name="orders", flow=flow, is_enabled=True)
    assert call(params={"async": "1"}).status_code == 202
    assert IdentityRole.objects.get(identity_id=webhook.pk).project == cast.workshop


def test_a_webhook_gets_no_role_that_its_maker_could_not_use(cast: Cast, flow: Flow) -> None:
    hold(cast.mallory, "Operator", cast.attic)
    with pytest.raises(PermissionRefused, match="RUN permission on this flow"):
        create_webhook(by=cast.mallory, project=cast.attic, name="orders", flow=flow)
    hold(cast.mallory, "User", cast.workshop)  # who may run the flow, and gives nobody access
    webhook = create_webhook(by=cast.mallory, project=cast.attic, name="orders", flow=flow, is_enabled=True)
    assert [held.project for held in IdentityRole.objects.filter(identity_id=webhook.pk)] == [cast.attic]
    assert call().status_code == 403
    with pytest.raises(PermissionRefused, match="on executions in the project 'Default project'"):
        save_webhook(
            webhook, by=cast.mallory, execution_location="project", location_project=Project.default()
        )


def test_a_flow_is_changed_only_to_one_that_may_be_run(cast: Cast, flow: Flow, make: Maker) -> None:
    webhook = make()
    hold(cast.mallory, "Operator", cast.workshop)
    other = Flow.objects.get(pk=flow.pk)
    other.pk, other.project, other.name = None, cast.attic, "Another"
    other.save(force_insert=True)
    with pytest.raises(PermissionRefused):
        save_webhook(webhook, by=cast.mallory, flow=other)
    save_webhook(webhook, by=cast.mallory, description="changed")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": ".."}, "name"),
        ({"name": ""}, "name"),
        ({"methods": []}, "methods"),
        ({"methods": ["OPTIONS"]}, "methods"),
        ({"methods": "POST"}, "methods"),
        ({"allowed_networks": ["10.0.0.0/33"]}, "allowed_networks"),
        ({"allowed_networks": [5]}, "allowed_networks"),
        ({"signature_scheme": "github"}, "signing_secret"),
        ({"signature_scheme": "morse", "signing_secret": KEY}, "signature_scheme"),
        ({"signing_secret": "short"}, "signing_secret"),
        ({"key": "short"}, "key"),
        ({"key": 5}, "key"),
        ({"signature_header": "X Signature"}, "signature_header"),
        ({"idempotency_header": "a:b"}, "idempotency_header"),
        ({"idempotency_ttl_seconds": 0}, "idempotency_ttl_seconds"),
        ({"execution_location": "project"}, "location_project"),
        ({"execution_location": "moon"}, "execution_location"),
        ({"time_limit_seconds": 301}, "time_limit_seconds"),
        ({"time_limit_seconds": 0}, "time_limit_seconds"),
        ({"body_limit_bytes": 20_000_001}, "body_limit_bytes"),
        ({"rate_limit_per_minute": 0}, "rate_limit_per_minute"),
        ({"flow": None}, "flow_id"),
    ],
)
def test_what_is_wrong_is_named(make: Maker, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        make(**fields)
    assert set(refused.value.error_dict) == {field}


def test_secrets_are_sealed_and_can_be_replaced_and_taken_away(make: Maker, cast: Cast) -> None:
    webhook = make(key=KEY, signature_scheme="github", signing_secret="the secret of the sender")
    assert KEY not in webhook.sealed
    assert webhook.open_secrets() == {"key": KEY, "signing_secret": "the secret of the sender"}
    save_webhook(webhook, by=cast.alice, key=None, signing_secret="another secret of it")
    assert webhook.open_secrets() == {"key": KEY, "signing_secret": "another secret of it"}
    save_webhook(webhook, by=cast.alice, signature_scheme="", signing_secret="")
    assert (webhook.open_secrets(), webhook.has_signing_secret) == ({"key": KEY}, False)
    made = make_key(webhook, by=cast.alice)
    assert webhook.open_secrets() == {"key": made} and len(made) > 40
    entry = AuditEntry.objects.filter(record_type="webhook").latest("id")
    assert (entry.action, entry.changes) == ("update", {"key": [None, "•••"]})
    assert KEY not in str(list(AuditEntry.objects.values()))
    Webhook.objects.filter(pk=webhook.pk).update(sealed="lost")
    webhook.refresh_from_db()
    assert make_key(webhook, by=cast.alice) == webhook.open_secrets()["key"]


def test_sealed_secrets_are_good_for_their_own_webhook_only(make: Maker) -> None:
    one, other = make("a", key=KEY), make("b", key="another key, as long")
    Webhook.objects.filter(pk=other.pk).update(sealed=one.sealed)
    assert call(name="b", params={"key": KEY}).status_code == 503


def test_a_copy_is_disabled_and_as_well_guarded(make: Maker, cast: Cast) -> None:
    webhook = make(key=KEY, methods=["PUT"], rate_limit_per_minute=5)
    copy = duplicate_webhook(webhook, by=cast.alice)
    assert (copy.name, copy.is_enabled, copy.methods) == ("orders copy", False, ["PUT"])
    assert copy.open_secrets() == {"key": KEY}


def test_a_change_of_the_key_seals_webhooks_anew(make: Maker) -> None:
    webhook = make(key=KEY)
    before = webhook.sealed
    assert rotate() == 1
    webhook.refresh_from_db()
    assert webhook.sealed != before
    assert webhook.open_secrets() == {"key": KEY}


def test_what_came_without_its_secrets_lets_nobody_in(make: Maker, cast: Cast) -> None:
    """As after the import of a bundle: an empty secret must not be one that everybody knows."""
    webhook = make(key=KEY, signature_scheme="github", signing_secret="the secret of the sender")
    document = document_of(WEBHOOK, webhook)
    assert KEY not in str(document.fields) and document.fields["is_key_required"] is True
    trash_webhook(webhook, by=cast.alice)
    bundle = Bundle.objects.create(name="Tools", version="1", project=cast.workshop, is_readonly=False)
    fields = document.resolved(lambda rows: rows)
    made = WEBHOOK.create(by=cast.alice, bundle=bundle, project=cast.workshop, **fields)  # type: ignore[misc]
    assert (made.is_enabled, made.lacks_secret, made.is_open) == (True, True, False)
    signed = sign("github", "", b"", now=0)
    assert call(headers=signed, params={"key": ""}).status_code == 503
    save_webhook(made, by=cast.alice, signature_scheme="")
    assert call(params={"key": ""}).status_code == 503
    make_key(made, by=cast.alice)
    assert call().status_code == 401
    save_webhook(made, by=cast.alice, key="")
    assert made.is_open and call(params={"async": "1"}).status_code == 202
