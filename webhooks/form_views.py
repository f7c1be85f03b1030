"""Pages that change webhooks: making one, its switch, its settings, its key and its roles, the trash."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from access.models import IdentityKind, IdentityRole, Role
from access.operations import create_identity_role, roles_held, take_role
from access.pages import page, visible_or_404, words_of
from access.permissions import Operation, may, may_anywhere, visible
from flows.models import Flow
from projects.models import Project
from webhooks import operations
from webhooks.models import METHODS, Location, Webhook
from webhooks.signatures import Scheme
from webhooks.views import OFFERED, context_of, find, show_webhook

_NUMBERS = (
    "replay_window_seconds", "idempotency_ttl_seconds", "time_limit_seconds", "body_limit_bytes",
    "rate_limit_per_minute",
)  # fmt: skip
_TEXTS = (
    "name", "description", "execution_location", "signature_scheme", "signature_header", "idempotency_header",
    "idempotency_path",
)  # fmt: skip


@never_cache
@page
def webhook_create(request: HttpRequest) -> HttpResponse:
    """Show what a new webhook needs; by POST make it, with a key unless it is not wanted, which is shown this once."""
    flows = visible(request.user, Flow.objects.alive(), Operation.RUN)
    chosen = flows.filter(pk=_uuid(request.GET.get("flow", ""))).first()
    context = {
        "name": request.POST.get("name", ""),
        "flow_name": request.POST.get("flow_name", chosen.name if chosen else "").strip(),
        "with_key": request.method != "POST" or "with_key" in request.POST,
        "flows": flows.order_by("name").only("id", "name")[:OFFERED],
        "is_dialog": bool(request.headers.get("HX-Request")),
    }
    if request.method == "POST":
        try:
            webhook = _create(request, flows.filter(name=context["flow_name"]).first(), context)
        except ValidationError as error:
            context["error"] = words_of(error)
        else:
            if not context["with_key"]:
                return redirect("webhook-detail", webhook.pk)
            return show_webhook(request, webhook, operations.make_key(webhook, by=request.user))
    template = "webhooks/create_form.html" if context["is_dialog"] else "webhooks/create.html"
    return render(request, template, context, status=422 if "error" in context else 200)


def _create(request: HttpRequest, flow: Flow | None, given: dict[str, Any]) -> Webhook:
    if flow is None:
        raise ValidationError({"flow": f"There is no flow {given['flow_name']!r} that you may run."})
    return operations.create_webhook(by=request.user, name=given["name"], flow=flow)


@require_POST
@page
def webhook_switch(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Enable or disable a webhook."""
    webhook = find(request, webhook_id)
    wanted = request.POST.get("is_enabled") == "true"
    word = "enabled" if wanted else "disabled"
    try:
        operations.save_webhook(webhook, by=request.user, is_enabled=wanted)
        messages.success(request, f"“{webhook.name}” is {word}.")
    except ValidationError as error:
        messages.error(request, f"“{webhook.name}” was not {word}. {words_of(error)}")
    return redirect("webhook-list") if "in_list" in request.POST else redirect("webhook-detail", webhook_id)


@page
def webhook_settings(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Show everything that can be set; by POST set it."""
    webhook = find(request, webhook_id)
    context = context_of(request, webhook, "settings")
    if request.method == "POST":
        given: dict[str, Any] = {}
        try:
            given = _settings(request, webhook)
            operations.save_webhook(webhook, by=request.user, **given)
        except ValidationError as error:
            context["error"] = words_of(error)
            for name in given.keys() - {"key", "signing_secret"}:
                setattr(webhook, name, given[name])  # what was typed is shown again
        else:
            messages.success(request, "Saved.")
            return redirect("webhook-settings", webhook_id)
    context |= {
        "methods": METHODS,
        "schemes": Scheme.choices,
        "locations": Location.choices,
        "projects": visible(request.user, Project.objects.alive())
        .order_by("name")
        .only("id", "name")[:OFFERED],
        "flows": visible(request.user, Flow.objects.alive(), Operation.RUN).order_by("name")[:OFFERED],
        "networks": "\n".join(webhook.allowed_networks),
        "shortest": operations.SHORTEST_SECRET,
    }
    return render(request, "webhooks/settings.html", context, status=422 if "error" in context else 200)


def _settings(request: HttpRequest, webhook: Webhook) -> dict[str, Any]:
    given = request.POST
    fields: dict[str, Any] = {name: given.get(name, "").strip() for name in _TEXTS}
    fields |= {name: _number(given.get(name, ""), name) for name in _NUMBERS}
    fields |= {name: name in given for name in ("is_productive", "is_readonly")}
    fields["methods"] = [method for method in METHODS if method in given.getlist("methods")]
    fields["allowed_networks"] = given.get("allowed_networks", "").split()
    if "no_key" in given:
        fields |= {"key": "", "is_key_required": False}
    if secret := given.get("signing_secret", "").strip():
        fields["signing_secret"] = secret
    elif not fields["signature_scheme"]:
        fields["signing_secret"] = ""  # nobody signs any more
    name = given.get("flow_name", "").strip()
    if name != webhook.flow.name:
        fields["flow"] = visible(request.user, Flow.objects.alive()).filter(name=name).first()
        if fields["flow"] is None:
            raise ValidationError({"flow": f"There is no flow {name!r}."})
    for name in ("project", "location_project"):
        if key := given.get(name, ""):
            fields[name] = visible(request.user, Project.objects.alive()).filter(pk=_uuid(key)).first()
        elif name == "location_project":
            fields[name] = None
    return fields


def _number(text: str, field: str) -> int | None:
    text = text.strip()
    if not text and field == "rate_limit_per_minute":
        return None
    if not (text.isascii() and text.isdecimal()):
        raise ValidationError({field: "Give a whole number."})
    return int(text)


@require_POST
@never_cache
@page
def webhook_key(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Make a new key and show it, this once."""
    webhook = find(request, webhook_id)
    try:
        key = operations.make_key(webhook, by=request.user)
    except ValidationError as error:
        messages.error(request, f"No key was made. {words_of(error)}")
        return redirect("webhook-detail", webhook_id)
    return show_webhook(request, webhook, key)


# -- Roles ----------------------------------------------------------------------------------------------------


@page
def webhook_roles(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Show the roles with which its executions act; by POST give one."""
    webhook = find(request, webhook_id)
    if request.method == "POST":
        try:
            _give_role(request, webhook)
            messages.success(request, f"“{webhook.name}” has the role.")
        except ValidationError as error:
            messages.error(request, f"Nothing was changed. {words_of(error)}")
        return redirect("webhook-roles", webhook_id)
    context = context_of(request, webhook, "roles") | {
        "held": roles_held(IdentityKind.WEBHOOK, webhook.pk),
        "roles": visible(request.user, Role.objects.alive()).order_by("name"),
        "projects": visible(request.user, Project.objects.alive())
        .order_by("name")
        .only("id", "name")[:OFFERED],
        "may_give": may_anywhere(request.user, Operation.CREATE, IdentityRole),
        "may_give_everywhere": may(request.user, Operation.CREATE, IdentityRole),
    }
    return render(request, "webhooks/roles.html", context)


def _give_role(request: HttpRequest, webhook: Webhook) -> None:
    roles, projects = Role.objects.alive(), Project.objects.alive()
    role = visible(request.user, roles).filter(pk=_uuid(request.POST.get("role", ""))).first()
    if role is None:
        raise ValidationError("Choose one of the roles.")
    place = None
    if key := request.POST.get("project", ""):
        place = visible_or_404(request, projects, _uuid(key))
    create_identity_role(
        by=request.user,
        identity_kind=IdentityKind.WEBHOOK,
        identity_id=webhook.pk,
        role=role,
        project=place,
        propagate="propagate" in request.POST,
    )


def _uuid(text: str) -> UUID:
    """Return the id that was sent; what is none selects nothing."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


@require_POST
@page
def webhook_take_role(request: HttpRequest, webhook_id: UUID, held_id: UUID) -> HttpResponse:
    """Take a role away."""
    webhook = find(request, webhook_id)
    for held in roles_held(IdentityKind.WEBHOOK, webhook.pk).filter(pk=held_id):
        take_role(held, by=request.user)
        messages.success(request, f"Took the role {held} away.")
    return redirect("webhook-roles", webhook_id)


# -- Copies and the trash -------------------------------------------------------------------------------------


@require_POST
@page
def webhook_duplicate(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Make a copy and open it."""
    try:
        copy = operations.duplicate_webhook(find(request, webhook_id), by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("webhook-detail", webhook_id)
    messages.success(request, "This is the copy. It is disabled, and has the same key and signing secret.")
    return redirect("webhook-detail", copy.pk)


@require_POST
@page
def webhook_delete(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Put a webhook into the trash, with a way back."""
    webhook = find(request, webhook_id)
    try:
        operations.trash_webhook(webhook, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("webhook-detail", webhook_id)
    undo = reverse("webhook-restore", args=[webhook_id])
    messages.success(request, f"Moved “{webhook.name}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("webhook-list")


@require_POST
@page
def webhook_restore(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Take a webhook out of the trash and open it."""
    webhook = visible_or_404(request, Webhook.objects.trashed(), webhook_id)
    try:
        operations.restore_webhook(webhook, by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{webhook.name}” was not restored. {words_of(error)}")
        return redirect(f"{reverse('webhook-list')}?trash")
    messages.success(request, f"Restored “{webhook.name}”.")
    return redirect("webhook-detail", webhook_id)
