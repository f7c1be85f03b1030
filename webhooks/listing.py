"""The webhooks and calls that lists show. `webhooks.views` calls it; it asks for no permission."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from django.db.models import IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import JSONObject
from django.utils import timezone

from records.identifiers import as_uuid, first_id_at
from records.paging import KeyPage, page_by_key
from webhooks.models import Webhook, WebhookCall

COUNTED = 1_000  # calls of a day; beyond it the list says "999+"
# What became of a call, by the answer: the parameter `show`, its words, and the condition.
OUTCOMES: dict[str, tuple[str, Q]] = {
    "good": ("Answered", Q(status__lt=400)),
    "refused": ("Refused", Q(status__gte=400, status__lt=500)),
    "failed": ("Failed", Q(status__gte=500)),
    "open": ("Without answer", Q(status=None)),
}
_TODAY = """(SELECT count(*) FROM (
    SELECT 1 FROM webhooks_webhookcall c WHERE c.webhook_id = webhooks_webhook.id AND c.id >= %s LIMIT %s) found)"""


def list_webhooks(webhooks: "QuerySet[Webhook]", parameters: Mapping[str, Any]) -> KeyPage[Webhook]:
    """Return a page of webhooks with their last call and how many there were today (UTC).

    Filtered by the parameters q, project, flow, show (enabled or disabled) and trash.
    """
    in_trash = "trash" in parameters
    if in_trash:
        webhooks = webhooks.exclude(deleted_at=None)
    else:
        webhooks = webhooks.filter(deleted_at=None, project__deleted_at=None)
    if text := parameters.get("q", "").replace("\0", "").strip():
        webhooks = webhooks.filter(name__icontains=text)
    for name in ("project", "flow"):
        if key := as_uuid(parameters.get(name, "")):
            webhooks = webhooks.filter(**{f"{name}_id": key})
    if parameters.get("show") in ("enabled", "disabled"):
        webhooks = webhooks.filter(is_enabled=parameters["show"] == "enabled")
    webhooks = webhooks.select_related("project", "flow", "bundle", "deleted_by").defer(
        "flow__script", "flow__input_schema", "sealed"
    )
    midnight = datetime.combine(timezone.now().astimezone(UTC), time.min, UTC)
    calls = WebhookCall.objects.filter(webhook=OuterRef("pk")).order_by("-id")
    webhooks = webhooks.annotate(
        last_call=Subquery(calls.values(seen=JSONObject(id="id", status="status"))[:1]),
        last_call_at=Subquery(calls.values("at")[:1]),
        calls_today=RawSQL(_TODAY, (first_id_at(midnight), COUNTED), output_field=IntegerField()),
    )
    if in_trash:
        return page_by_key(webhooks, parameters, "id", descending=True)
    return page_by_key(webhooks, parameters, "name")


def list_calls(webhook: Webhook, parameters: Mapping[str, Any]) -> KeyPage[WebhookCall]:
    """Return a page of its calls, newest first, filtered by the parameters show and from (a remote address)."""
    calls = calls_of(webhook)
    if outcome := OUTCOMES.get(parameters.get("show", "")):
        calls = calls.filter(outcome[1])
    if address := parameters.get("from", "").replace("\0", "").strip():
        calls = calls.filter(remote_address=address)
    return page_by_key(calls, parameters, "id", descending=True)


def calls_of(webhook: Webhook) -> "QuerySet[WebhookCall]":
    """Return the calls of a webhook, newest first, with the state of their executions."""
    calls = WebhookCall.objects.filter(webhook=webhook).select_related("execution").order_by("-id")
    return calls.only(
        "at", "method", "path", "remote_address", "is_async", "status", "duration_ms", "error", "is_redelivery",
        "repeats_id", "execution__status", "webhook_id",
    )  # fmt: skip
