"""How long the log of calls is kept, and the job by which the housekeeping removes the rest in small batches."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from executions.database import fetch
from executions.housekeeping import Done, Job, Turn, offer_jobs
from projects.retention import MOST_DAYS
from records import configuration
from records.configuration import Option, number, offer_options
from records.identifiers import first_id_at
from webhooks.models import Webhook, WebhookCall

KEPT_OF_EACH = 10_000  # calls of one webhook: those that are let in nowhere must not fill the database
_AT_ONCE = 500

# An idempotency key that is still good keeps its call.
_REMOVE = """
DELETE FROM webhooks_webhookcall WHERE id IN (
    SELECT c.id FROM webhooks_webhookcall c JOIN webhooks_webhook w ON w.id = c.webhook_id
    WHERE c.webhook_id = %(webhook)s AND c.id < %(before)s AND (
        c.idempotency_key IS NULL OR c.at < clock_timestamp() - w.idempotency_ttl_seconds * interval '1 second'
    )
    ORDER BY c.id LIMIT %(at_once)s
) RETURNING 1
"""


def remove_calls(turn: Turn) -> Done:
    """Remove what is too old or too much, webhook by webhook."""
    count = 0
    for webhook_id in Webhook.objects.order_by("pk").values_list("pk", flat=True):
        before = _kept_from(webhook_id)
        while before is not None:
            removed = len(fetch(_REMOVE, {"webhook": webhook_id, "before": before, "at_once": _AT_ONCE}))
            count += removed
            if not turn.rest():
                return Done(count, has_more=True)
            if removed < _AT_ONCE:
                break
    return Done(count)


def _kept_from(webhook_id: UUID) -> UUID | None:
    """Return the id before which calls go; None when all stay."""
    calls = WebhookCall.objects.filter(webhook_id=webhook_id).order_by("-id").values_list("id", flat=True)
    found: list[UUID] = list(calls[KEPT_OF_EACH - 1 : KEPT_OF_EACH])
    if days := configuration.value("WEBHOOK_CALLS_DAYS"):
        found.append(first_id_at(timezone.now() - timedelta(days=days)))
    return max(found, default=None)


offer_options(
    Option(
        "WEBHOOK_CALLS_DAYS",
        "Retention",
        "Days for which the log of a webhook's calls is kept; 0 for as long as there are no more than 10,000.",
        "30",
        number(0, MOST_DAYS),
    )
)
offer_jobs(Job("webhook_calls", 600, "Removes what is old from the logs of webhooks' calls.", remove_calls))
