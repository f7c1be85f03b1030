"""Pages of webhooks: the list, one webhook with its address, its calls, and the test.

Making and changing one stands in `webhooks.form_views`.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from access.models import IdentityKind
from access.operations import roles_held
from access.pages import page, visible_or_404, words_of
from access.permissions import Operation, PermissionRefused, may, may_anywhere, require, visible
from access.sign_in import address_of
from connectors.sealing import CannotOpen
from flows.models import Flow
from projects.models import Project
from webhooks.call_log import redeliver, shown_request
from webhooks.curl import curl_of, curls
from webhooks.incoming import WITH_BODY
from webhooks.listing import COUNTED, OUTCOMES, calls_of, list_calls, list_webhooks
from webhooks.models import Webhook, WebhookCall
from webhooks.starting import identity_of
from webhooks.trying import JSON, Trial

LATEST_SHOWN = 8
OFFERED = 200
ANSWER_SHOWN = 20_000  # characters
CONTENT_TYPES = (JSON, "application/x-www-form-urlencoded", "text/plain", "application/xml")


@require_GET
@page
def webhook_list(request: HttpRequest) -> HttpResponse:
    """List webhooks by name, filtered; typing in the filter asks for the rows alone."""
    found = list_webhooks(visible(request.user, Webhook.objects.all()), request.GET)
    context = {
        "list": found,
        "in_trash": "trash" in request.GET,
        "show": request.GET.get("show", ""),
        "text": request.GET.get("q", "").strip(),
        "project_id": request.GET.get("project", ""),
        "projects": visible(request.user, Project.objects.alive())
        .order_by("name")
        .only("id", "name")[:OFFERED],
        "flow": _flow(request),
        "may_create": may_anywhere(request.user, Operation.CREATE, Webhook),
        "counted": COUNTED,
    }
    for webhook in found.rows:
        may_edit = may(request.user, Operation.UPDATE, webhook)
        webhook.may_edit = may_edit  # type: ignore[attr-defined]
    template = "webhooks/list_rows.html" if request.headers.get("HX-Request") else "webhooks/list.html"
    return render(request, template, context)


def _flow(request: HttpRequest) -> Flow | None:
    """Return the flow whose webhooks are asked for alone."""
    try:
        key = UUID(request.GET.get("flow", ""))
    except ValueError:
        return None
    return visible(request.user, Flow.objects.only("id", "name")).filter(pk=key).first()


@require_GET
@page
def webhook_detail(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Show a webhook: its address with commands to copy, what it does, and its latest calls."""
    return show_webhook(request, find(request, webhook_id))


def show_webhook(request: HttpRequest, webhook: Webhook, new_key: str = "") -> HttpResponse:
    """Return the page of a webhook; a new key stands on it this once."""
    base_url = request.build_absolute_uri("/").rstrip("/")
    context = context_of(request, webhook, "overview") | {
        "new_key": new_key,
        "address": base_url + webhook.path,
        "commands": curls(webhook, base_url),
        "calls": list(calls_of(webhook)[:LATEST_SHOWN]),
        "roles": [str(held) for held in roles_held(IdentityKind.WEBHOOK, webhook.pk)],
        "may_start": _may_start(webhook),
    }
    return render(request, "webhooks/detail.html", context)


def _may_start(webhook: Webhook) -> bool:
    """Tell whether the webhook may run its flow, as far as its roles say."""
    try:
        return may(identity_of(webhook), Operation.RUN, webhook.flow)
    except PermissionRefused:
        return False


def find(request: HttpRequest, webhook_id: UUID) -> Webhook:
    """Return the webhook with what its pages show. Raises Http404."""
    rows = Webhook.objects.select_related(
        "flow", "project", "location_project", "bundle", "created_by", "modified_by", "deleted_by"
    )
    return visible_or_404(request, rows.defer("flow__script"), webhook_id)


def context_of(request: HttpRequest, webhook: Webhook, tab: str) -> dict[str, Any]:
    """Return what every page of a webhook needs."""
    in_use = not webhook.is_deleted
    return {
        "webhook": webhook,
        "tab": tab,
        "may_edit": in_use and may(request.user, Operation.UPDATE, webhook),
        "may_run": in_use and may(request.user, Operation.RUN, webhook),
        "may_delete": in_use and may(request.user, Operation.DELETE, webhook) and not webhook.is_locked,
        "in_trash": webhook.is_deleted,
    }


# -- Calls ----------------------------------------------------------------------------------------------------


@require_GET
@page
def webhook_calls(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """List the calls, the latest first; `show` narrows to what became of them, `from` to an address."""
    webhook = find(request, webhook_id)
    context = context_of(request, webhook, "calls") | {
        "list": list_calls(webhook, request.GET),
        "show": request.GET.get("show", ""),
        "address": request.GET.get("from", "").strip(),
        "outcomes": [(name, words) for name, (words, _) in OUTCOMES.items()],
    }
    template = "webhooks/call_list.html" if request.headers.get("HX-Request") else "webhooks/calls.html"
    return render(request, template, context)


@require_GET
@page
def webhook_call(request: HttpRequest, webhook_id: UUID, call_id: UUID) -> HttpResponse:
    """Show one call: what came, what was answered, and how to make it again."""
    webhook = find(request, webhook_id)
    call = _find_call(webhook, call_id)
    given = shown_request(call, to=request.user)
    base_url = request.build_absolute_uri("/").rstrip("/")
    context = context_of(request, webhook, "calls") | {
        "call": call,
        "request_given": given,
        "command": curl_of(webhook, base_url, given) if given else "",
        "first": WebhookCall.objects.filter(pk=call.repeats_id).first() if call.repeats_id else None,
    }
    return render(request, "webhooks/call.html", context)


@require_POST
@page
def webhook_redeliver(request: HttpRequest, webhook_id: UUID, call_id: UUID) -> HttpResponse:
    """Start the flow again with the request of this call, and open the new call."""
    call = _find_call(find(request, webhook_id), call_id)
    try:
        again = redeliver(call, by=request.user)
    except (ValidationError, PermissionRefused) as error:
        words = words_of(error) if isinstance(error, ValidationError) else str(error)
        messages.error(request, f"It was not delivered again. {words}")
        return redirect("webhook-call", webhook_id, call_id)
    messages.success(request, "Delivered again.")
    return redirect("webhook-call", webhook_id, again.pk)


def _find_call(webhook: Webhook, call_id: UUID) -> WebhookCall:
    call = WebhookCall.objects.select_related("execution").filter(webhook=webhook, pk=call_id).first()
    if call is None:
        raise Http404
    call.webhook = webhook
    return call


# -- The test -------------------------------------------------------------------------------------------------


@page
def webhook_test(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Show the form of a request; by POST send it through the door, with key and signature, and show the answer."""
    webhook = find(request, webhook_id)
    context = context_of(request, webhook, "test") | {"content_types": CONTENT_TYPES, "with_body": WITH_BODY}
    context["trial"] = Trial(method=webhook.methods[0], body='{\n  "hello": "world"\n}')
    if request.method != "POST":
        return render(request, "webhooks/test.html", context)
    require(request.user, Operation.RUN, webhook)
    context["trial"] = trial = _trial(request)
    try:
        trial.send(webhook, host=request.get_host(), remote_address=address_of(request))
    except (CannotOpen, ValidationError) as error:
        context["error"] = words_of(error) if isinstance(error, ValidationError) else str(error)
    else:
        context["call"] = calls_of(webhook).first()
        context["answer"], context["is_cut"] = (
            trial.shown_answer[:ANSWER_SHOWN],
            len(trial.shown_answer) > ANSWER_SHOWN,
        )
    is_part = request.headers.get("HX-Request")
    return render(request, "webhooks/test_answer.html" if is_part else "webhooks/test.html", context)


def _trial(request: HttpRequest) -> Trial:
    given = request.POST
    return Trial(
        method=given.get("method", "POST"),
        path=given.get("path", "").strip(),
        query=given.get("query", "").strip(),
        content_type=given.get("content_type", JSON),
        body=given.get("body", "").replace("\r\n", "\n"),
        is_async="async" in given,
        headers=_headers(given.get("headers", "")),
    )


def _headers(text: str) -> dict[str, str]:
    """Return headers that were typed, one in each line."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip():
            found[name.strip().encode("latin-1", "replace").decode("latin-1")] = value.strip()
    return found
