"""Receiving a call: is there such a webhook, may this request call it, was it made before, and the start of the flow.

The door calls these in the order of this page, in threads, and sends what they answer or raise (`Refused`).
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from access.audit import through
from access.models import AuditEntry
from access.pages import words_of
from access.permissions import PermissionRefused
from connectors.sealing import CannotOpen
from executions.database import fetch
from webhooks.incoming import Incoming, Unreadable
from webhooks.models import MAX_ERROR, Webhook, WebhookCall
from webhooks.networks import is_inside
from webhooks.news import announce_call
from webhooks.shaping import Answer, json_answer
from webhooks.signatures import SignatureRefused, check_signature, is_same, signature_headers
from webhooks.starting import start_flow

logger = logging.getLogger("engine.webhooks")

OPTIONS = "OPTIONS"  # asks what may be asked for; no webhook is called by it
TRIES = 5  # of calls with one key that meet


class Refused(Exception):
    """The call is not accepted; `answer` says so to the caller. `request` is kept where it could be delivered later."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *headers: tuple[str, str],
        log: str = "",
        request: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        shape = {"error": {"code": code, "message": message, "details": {}}}
        self.answer: Answer = json_answer(status, shape, *headers, error=(log or message)[:MAX_ERROR])
        self.request = request


@dataclass(frozen=True)
class Accepted:
    """A call that started an execution, or repeats one that did. `call_id` is its row in the log."""

    call_id: UUID
    execution_id: UUID
    is_async: bool
    is_repeat: bool = False


_IN_USE = dict.fromkeys(("flow__deleted_at", "flow__project__deleted_at", "project__deleted_at"))


# -- The webhook, before the body is read -------------------------------------------------------------------


def find_webhook(name: str) -> Webhook:
    """Return the enabled webhook with this name. Raises Refused in the same way for one that is not there."""
    rows = Webhook.objects.alive().filter(is_enabled=True, **_IN_USE)
    rows = rows.select_related("flow", "project", "location_project", "created_by").defer("flow__script")
    found = None if "\0" in name else rows.filter(name=name).first()
    if found is None:
        raise Refused(404, "not_found", "There is no enabled webhook at this address.")
    return found


def check_head(webhook: Webhook, incoming: Incoming) -> None:
    """Raise Refused for a wrong method, a foreign network, or a body that says to be too long."""
    if incoming.method not in (*webhook.methods, OPTIONS):
        words = f"This webhook is called by {', '.join(webhook.methods)}."
        raise Refused(405, "method_not_allowed", words, _allow(webhook))
    if webhook.allowed_networks and not is_inside(incoming.remote_address, webhook.allowed_networks):
        address = incoming.remote_address or "an unknown address"
        raise Refused(
            403,
            "permission_denied",
            "This webhook cannot be called from your network.",
            log=f"{address} is in none of the allowed networks",
        )
    length = incoming.headers.get("content-length", "0")
    if length.isascii() and length.isdecimal() and int(length) > webhook.body_limit_bytes:
        raise too_large(webhook)


def answer_options(webhook: Webhook) -> Answer:
    """Return the answer to somebody who only asks which methods the webhook takes. That is no call: none is logged."""
    return Answer(200, headers=(_allow(webhook),))


def _allow(webhook: Webhook) -> tuple[str, str]:
    return "Allow", ", ".join([*webhook.methods, OPTIONS])


def too_large(webhook: Webhook) -> Refused:
    """Return the refusal of a body that is longer than the webhook takes."""
    return Refused(413, "too_large", f"The body may have {webhook.body_limit_bytes:,} bytes at most.")


# -- The request, when it is here ---------------------------------------------------------------------------


def accept(webhook: Webhook, incoming: Incoming) -> Accepted:
    """Check the request and start the flow, once for an idempotency key. Raises Refused; returns after the commit."""
    with through(AuditEntry.Door.WEBHOOK, incoming.remote_address):
        return _accept(webhook, incoming)


def _accept(webhook: Webhook, incoming: Incoming) -> Accepted:
    body, key_from = _let_in(webhook, incoming)
    hidden = signature_headers(webhook.signature_scheme, webhook.signature_header)
    request = incoming.as_input(body, hidden, key_from)
    key = _idempotency_key(webhook, incoming, body)
    call = WebhookCall(
        webhook=webhook,
        method=incoming.method,
        path=request["path"],
        remote_address=incoming.remote_address,
        is_async=incoming.is_async,
        idempotency_key=key,
    )
    _count(webhook)
    for _ in range(TRIES):
        first = _made_before(webhook, key)
        if first is not None:
            return _repeat(call, first)
        try:
            return _start(webhook, call, request)
        except IntegrityError:
            # Another call with this key was committed meanwhile, else the database would have let us.
            if key is None:
                raise
    raise Refused(409, "conflict", "Calls with this key are under way. Try again.")


def _let_in(webhook: Webhook, incoming: Incoming) -> tuple[dict[str, Any], str]:
    """Return the body as it was read, and where the key was. Raises Refused unless key and signature are right."""
    try:
        secrets = webhook.open_secrets()
    except CannotOpen as error:
        logger.error("webhook %s cannot be called: %s", webhook.name, error)
        raise Refused(503, "unavailable", "This webhook cannot be called now.", log=str(error)) from error
    if webhook.lacks_secret:
        words = "It asks for a key or signature and has no secret to compare it with: give it one."
        raise Refused(503, "unavailable", "This webhook cannot be called now.", log=words)
    if webhook.signature_scheme:
        try:
            check_signature(
                webhook.signature_scheme,
                secrets["signing_secret"],
                incoming.headers,
                incoming.body,
                now=time.time(),
                window=webhook.replay_window_seconds,
                header=webhook.signature_header,
            )
        except SignatureRefused as error:
            raise _not_let_in(str(error), "Signature") from error
    # The body is only read for those who signed it, if that is asked for.
    try:
        body = incoming.read_body()
    except Unreadable as error:
        raise Refused(400, "input_invalid", str(error)) from error
    given, place = incoming.find_key(body)
    if not webhook.is_key_required:
        return body, ""
    if not is_same(secrets["key"], given):
        words = "The key is wrong." if given else "Send the key of this webhook."
        raise _not_let_in(
            f"{words} It goes into the header X-Webhook-Key, or as key into query or JSON.", "Key"
        )
    return body, place


def _not_let_in(message: str, scheme: str) -> Refused:
    return Refused(401, "not_authenticated", message, ("WWW-Authenticate", f'{scheme} realm="webhook"'))


_COUNT = """
INSERT INTO webhooks_ratewindow AS w (webhook_id, started_at, calls) VALUES (%s, clock_timestamp(), 1)
ON CONFLICT (webhook_id) DO UPDATE SET
    calls = CASE WHEN w.started_at <= clock_timestamp() - interval '1 minute' THEN 1 ELSE w.calls + 1 END,
    started_at = CASE WHEN w.started_at <= clock_timestamp() - interval '1 minute' THEN clock_timestamp()
        ELSE w.started_at END
RETURNING calls, extract(epoch FROM w.started_at + interval '1 minute' - clock_timestamp())::float8
"""


def _count(webhook: Webhook) -> None:
    """Count the call if the webhook has a rate limit. Raises Refused when it is over the limit."""
    if webhook.rate_limit_per_minute is None:
        return
    calls, left = fetch(_COUNT, (webhook.pk,))[0]
    if calls > webhook.rate_limit_per_minute:
        raise Refused(
            429,
            "too_many_requests",
            f"This webhook may be called {webhook.rate_limit_per_minute} times a minute. Wait a while.",
            ("Retry-After", str(max(1, round(left)))),
        )


# -- Once for each key --------------------------------------------------------------------------------------


def _idempotency_key(webhook: Webhook, incoming: Incoming, body: dict[str, Any]) -> str | None:
    key = ""
    if webhook.idempotency_header:
        key = incoming.headers.get(webhook.idempotency_header.lower(), "")
    if not key and webhook.idempotency_path:
        found: Any = body.get("json", body.get("form"))
        for part in webhook.idempotency_path.split("."):
            if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            else:
                found = found.get(part) if isinstance(found, dict) else None
        key = str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""
    if len(key) > 255:
        raise Refused(400, "input_invalid", "The idempotency key has more than 255 characters.")
    return key or None


def _made_before(webhook: Webhook, key: str | None) -> WebhookCall | None:
    """Return the call that has this key; one that had it for too long loses it."""
    if key is None:
        return None
    found = WebhookCall.objects.filter(webhook=webhook, idempotency_key=key).first()
    if found and found.at < timezone.now() - timedelta(seconds=webhook.idempotency_ttl_seconds):
        WebhookCall.objects.filter(pk=found.pk).update(idempotency_key=None)
        return None
    return found


def _repeat(call: WebhookCall, first: WebhookCall) -> Accepted:
    call.idempotency_key, call.repeats, call.execution_id = None, first, first.execution_id
    call.save(force_insert=True)
    assert first.execution_id is not None
    return Accepted(call.pk, first.execution_id, call.is_async, is_repeat=True)


# -- The start ----------------------------------------------------------------------------------------------


def _start(webhook: Webhook, call: WebhookCall, request: dict[str, Any]) -> Accepted:
    """Start the flow and write the call down, in one transaction. Raises Refused, or IntegrityError for a taken key."""
    try:
        with transaction.atomic():
            execution = start_flow(webhook, request)
            call.execution_id = execution.pk
            call.save(force_insert=True)
            announce_call(webhook.pk)
    except PermissionRefused as error:
        raise Refused(
            403,
            "permission_denied",
            "This webhook may not run its flow.",
            log=f"The webhook lacks a role: {error}",
            request=request,
        ) from error
    except ValidationError as error:
        raise Refused(400, "input_invalid", words_of(error), request=request) from error
    return Accepted(call.pk, execution.pk, call.is_async)
