"""REST of webhooks: the generic views, a new key, the log of calls, and delivering one again.

Calling a webhook is not here: see `webhooks.door`.
"""

from dataclasses import replace
from typing import Any

from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from access.rest import Guarded
from records.api import RecordDetail, RecordDuplicate, RecordList, RecordRestore, RecordView
from records.cleaning import clean_body
from records.listing import PARAMETERS, list_page, read_query
from records.openapi import Described, kind_shape, list_of
from webhooks import call_log, operations
from webhooks.kinds import WEBHOOK, WEBHOOK_CALL
from webhooks.models import METHODS, WebhookCall

_LISTS = {
    "methods": {"type": "array", "items": {"type": "string", "enum": list(METHODS)}},
    "allowed_networks": {"type": "array", "items": {"type": "string"}},
}
_SECRET = {"type": ["string", "null"], "writeOnly": True, "minLength": operations.SHORTEST_SECRET}
_CALL = kind_shape(WEBHOOK_CALL)


class WebhookView(Guarded):
    """Describes what columns do not tell: lists, and secrets that are only written."""

    kind = WEBHOOK

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        if described is None or described.body is None or "methods" not in described.body["properties"]:
            return described
        secrets = {name: {**_SECRET, "description": "Empty for none"} for name in ("key", "signing_secret")}
        properties = {**described.body["properties"], **_LISTS, **secrets}
        example = {"name": "orders", "flow_name": "Take an order", "key": "at-least-16-characters"}
        return replace(
            described,
            body={**described.body, "properties": properties},
            example=example if method == "POST" else {"is_enabled": True},
        )


class WebhookList(WebhookView, RecordList):
    """Webhooks."""


class WebhookDetail(WebhookView, RecordDetail):
    """One webhook."""


class WebhookRestore(WebhookView, RecordRestore):
    """Takes a webhook out of the trash."""


class WebhookDuplicate(WebhookView, RecordDuplicate):
    """Copies a webhook in its project, disabled, with the same key and signing secret."""


class WebhookKey(WebhookView, RecordView):
    """Gives the webhook a new random key. The answer is the only place where it stands."""

    reads = ("by",)

    def describe(self, method: str) -> Described | None:
        key = {"type": "object", "properties": {"key": {"type": "string"}}}
        return Described("Make a new key", key, errors=(403, 404, 409))

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        made = operations.make_key(self.find(key), by=request.user)
        return Response({"key": made}, headers={"Cache-Control": "no-store"})


class CallList(WebhookView, RecordView):
    """The calls of a webhook, newest first."""

    reads = (*(name for name in PARAMETERS if name != "trashed"), "by")

    def describe(self, method: str) -> Described | None:
        return Described("List the calls", list_of(_CALL), errors=(404, 422))

    def get(self, request: Request, key: str) -> Response:
        query = read_query(WEBHOOK_CALL, {name: v for name, v in self.parameters.items() if name != "by"})
        return Response(list_page(query, WebhookCall.objects.filter(webhook=self.find(key))))


class CallView(WebhookView, RecordView):
    """What the views of one call share."""

    reads = ("by",)

    def call(self, key: str, call_id: str) -> WebhookCall:
        """Return the call of a visible webhook. Raises Http404."""
        webhook = self.find(key)
        found = WebhookCall.objects.filter(webhook=webhook, pk=self.clean_key(call_id)).first()
        if found is None:
            raise Http404(f"There is no call {call_id!r} of this webhook.")
        found.webhook = webhook
        return found

    def shown_call(self, call: WebhookCall) -> dict[str, Any]:
        return {name: getattr(call, name) for name in WEBHOOK_CALL.read}


class CallDetail(CallView):
    """One call with its request: what the flow got, or would have got. Secrets are not in it."""

    def describe(self, method: str) -> Described | None:
        request = {"request": {"type": ["object", "null"]}}
        more = "`request` is null when it was not kept, or when you may not see the execution."
        shape = {**_CALL, "properties": {**_CALL["properties"], **request}}
        return Described("Read a call", shape, errors=(404,), more=more)

    def get(self, request: Request, key: str, call_id: str) -> Response:
        call = self.call(key, call_id)
        return Response({**self.shown_call(call), "request": call_log.shown_request(call, to=request.user)})


class CallRedeliver(CallView):
    """Starts the flow again with the request of this call, as the webhook. Answers with the new call."""

    def describe(self, method: str) -> Described | None:
        return Described("Deliver a call again", _CALL, status=201, errors=(403, 404))

    def post(self, request: Request, key: str, call_id: str) -> Response:
        clean_body(request.data, ())
        again = call_log.redeliver(self.call(key, call_id), by=request.user)
        return Response(self.shown_call(again), status=201)


urlpatterns = [
    path("webhook", WebhookList.as_view()),
    path("webhook/<str:key>/restore", WebhookRestore.as_view()),
    path("webhook/<str:key>/duplicate", WebhookDuplicate.as_view()),
    path("webhook/<str:key>/key", WebhookKey.as_view()),
    path("webhook/<str:key>/calls", CallList.as_view()),
    path("webhook/<str:key>/calls/<str:call_id>", CallDetail.as_view()),
    path("webhook/<str:key>/calls/<str:call_id>/redeliver", CallRedeliver.as_view()),
    path("webhook/<str:key>", WebhookDetail.as_view()),
]
