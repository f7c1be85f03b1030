"""The log of a webhook's calls: what is written behind each answer, what of it is shown, and delivering one again."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from access import audit
from access.permissions import Operation, may, require
from executions.models import Execution
from records.json_text import dump_json
from webhooks.incoming import Incoming
from webhooks.models import MAX_ERROR, Webhook, WebhookCall
from webhooks.news import announce_call
from webhooks.shaping import Answer
from webhooks.starting import start_flow

MAX_KEPT_BYTES = 256_000  # of a request that started nothing


def note_refused(
    webhook: Webhook, incoming: Incoming, answer: Answer, request: dict[str, Any] | None, duration_ms: int
) -> None:
    """Write a call into the log that started nothing; `request` is kept to be delivered again, unless it is long."""
    WebhookCall.objects.create(
        webhook=webhook,
        method=incoming.method[:16],
        path=incoming.path.replace("\0", "\ufffd")[:2000],
        remote_address=incoming.remote_address,
        request=request if len(dump_json(request)) <= MAX_KEPT_BYTES else None,
        status=answer.status,
        duration_ms=duration_ms,
        error=answer.error,
    )
    announce_call(webhook.pk)


def note_answered(webhook: Webhook, call_id: UUID, answer: Answer | None, duration_ms: int) -> None:
    """Write into the log what was answered; None when the caller went away before."""
    status, error = (
        (answer.status, answer.error) if answer else (None, "The caller went away before the answer.")
    )
    WebhookCall.objects.filter(pk=call_id).update(
        status=status, duration_ms=duration_ms, error=error[:MAX_ERROR]
    )
    announce_call(webhook.pk)


def redeliver(call: WebhookCall, *, by: Any) -> WebhookCall:
    """Start the flow again with the request of an earlier call, as the webhook; returns the new call.

    Key, signature, limits and idempotency are not asked for: a person decides. Raises ValidationError.
    """
    require(by, Operation.RUN, call.webhook)
    request = _request_of(call)
    if request is None:
        raise ValidationError("The request of this call was not kept, so it cannot be delivered again.")
    webhook = call.webhook
    if webhook.is_deleted or webhook.flow.is_deleted:
        raise ValidationError(f"The {'webhook' if webhook.is_deleted else 'flow'} is in the trash.")
    with transaction.atomic():
        execution = start_flow(webhook, request)
        audit.note("deliver again", webhook, by=by, changes={"call": (None, str(call.pk))})
        announce_call(webhook.pk)
        return WebhookCall.objects.create(
            webhook=webhook,
            method=call.method,
            path=call.path,
            remote_address=call.remote_address,
            is_async=True,
            execution_id=execution.pk,
            repeats=call,
            is_redelivery=True,
            status=202,
            duration_ms=0,
            error=f"Delivered again by {by}.",
        )


def shown_request(call: WebhookCall, *, to: Any) -> dict[str, Any] | None:
    """Return the request as the flow got it, or would have; None when it was not kept or is not for this person."""
    if call.execution_id is not None:
        execution = Execution.objects.filter(pk=call.execution_id).only("project_id").first()
        if execution is None or not may(to, Operation.READ, execution):
            return None
    return _request_of(call)


def _request_of(call: WebhookCall) -> dict[str, Any] | None:
    if call.execution_id is None:
        return call.request
    return Execution.objects.filter(pk=call.execution_id).values_list("input_value", flat=True).first()
