"""The operator's door to webhooks and their calls. Keys and secrets are typed here and never come back."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from access.admin_forms import AUDIT, OperatedAdmin, RefusableForm
from access.admin_lists import ReadOnlyAdmin, TrashFilter
from access.admin_parts import link, link_to, link_to_list
from webhooks import operations
from webhooks.models import RateWindow, Webhook, WebhookCall

_TAKE_AWAY = "-"


class WebhookForm(RefusableForm):
    """The form of a webhook."""

    key = forms.CharField(
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Typed here to be replaced; a minus takes it away.",
    )
    signing_secret = forms.CharField(
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Typed here to be replaced; a minus takes it away.",
    )


@admin.register(Webhook)
class WebhookAdmin(OperatedAdmin):
    """Webhooks. Nothing is removed here: they go to the trash."""

    form = WebhookForm
    list_display = ("name", "flow", "is_enabled", "project", "guarded", "modified_at", "modified_by")
    list_select_related = ("project", "flow", "modified_by")
    list_filter = (TrashFilter, "is_enabled")
    list_lookups = ("project", "flow")
    search_fields = ("name__icontains",)
    search_help_text = "Any part of the name"
    raw_id_fields = ("project", "flow", "location_project")
    readonly_fields = ("address", "secrets_kept", "calls_made", "executions_made", *AUDIT)
    fieldsets = (
        (None, {"fields": ("name", "address", "project", "flow", "description", "is_enabled", "is_readonly")}),
        ("Executions", {"fields": ("is_productive", "execution_location", "location_project", "executions_made")}),
        (
            "Who may call",
            {
                "fields": (
                    "methods", "is_key_required", "key", "signature_scheme", "signature_header", "signing_secret",
                    "secrets_kept", "replay_window_seconds", "allowed_networks",
                )
            },
        ),
        ("Idempotency", {"fields": ("idempotency_header", "idempotency_path", "idempotency_ttl_seconds")}),
        ("Limits", {"fields": ("time_limit_seconds", "body_limit_bytes", "rate_limit_per_minute")}),
        ("History", {"fields": ("calls_made", *AUDIT)}),
    )  # fmt: skip
    actions = ("trash_chosen", "restore_chosen")

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Webhook:
        return operations.create_webhook(by=request.user, **_with_secrets(fields))

    def store(self, request: HttpRequest, record: Webhook, fields: dict[str, Any]) -> Webhook:
        return operations.save_webhook(record, by=request.user, **_with_secrets(fields))

    def view_on_site(self, webhook: Webhook) -> str:
        return reverse("webhook-detail", args=[webhook.pk])

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Webhook]":
        return super().get_queryset(request).defer("flow__script", "flow__input_schema")

    @display(description="Address")
    def address(self, webhook: Webhook) -> str:
        return webhook.path if webhook.name else "–"

    @display(description="Guarded", boolean=True)
    def guarded(self, webhook: Webhook) -> bool:
        return not webhook.is_open

    @display(description="Kept")
    def secrets_kept(self, webhook: Webhook) -> str:
        kept = [(webhook.has_key, "a key"), (webhook.has_signing_secret, "a signing secret")]
        return " and ".join(words for is_kept, words in kept if is_kept) or "–"

    @display(description="Calls")
    def calls_made(self, webhook: Webhook) -> SafeString | str:
        return (
            "–" if webhook._state.adding else link_to_list(WebhookCall, "Show the calls", webhook=webhook.pk)
        )

    @display(description="Executions")
    def executions_made(self, webhook: Webhook) -> SafeString | str:
        if not webhook.flow_id:
            return "–"
        address = reverse("admin:executions_execution_changelist", query={"flow": webhook.flow_id})
        return link(address, "Show the executions of its flow")

    @admin.action(description="Move the chosen to the trash")
    def trash_chosen(self, request: HttpRequest, webhooks: "QuerySet[Webhook]") -> None:
        self.do_to_each(
            request,
            webhooks,
            lambda each: operations.trash_webhook(each, by=request.user),
            "Moved to the trash:",
        )

    @admin.action(description="Take the chosen out of the trash")
    def restore_chosen(self, request: HttpRequest, webhooks: "QuerySet[Webhook]") -> None:
        self.do_to_each(
            request, webhooks, lambda each: operations.restore_webhook(each, by=request.user), "Restored"
        )


def _with_secrets(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with secrets as the operations take them: None leaves one, empty takes it away."""
    for name in ("key", "signing_secret"):
        if name in fields:
            given = fields[name]
            fields[name] = None if not given else "" if given == _TAKE_AWAY else given
    if fields.get("key") is not None:
        fields.pop("is_key_required", None)  # it follows the key
    return fields


@admin.register(WebhookCall)
class WebhookCallAdmin(ReadOnlyAdmin):
    """The calls of webhooks, newest first."""

    list_display = ("at", "webhook", "method", "path", "remote_address", "status", "duration_ms", "error")
    list_select_related = ("webhook",)
    list_lookups = ("webhook",)
    fields = (
        "webhook", "at", "method", "path", "remote_address", "is_async", "started", "status", "duration_ms", "error",
        "idempotency_key", "repeats_id", "is_redelivery", "request",
    )  # fmt: skip
    readonly_fields = ("started", "repeats_id")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[WebhookCall]":
        return super().get_queryset(request).defer("request")

    @display(description="Execution")
    def started(self, call: WebhookCall) -> SafeString | str:
        if call.execution_id is None:
            return "–"
        address = reverse("admin:executions_execution_change", args=[call.execution_id])
        return link(address, str(call.execution_id))


@admin.register(RateWindow)
class RateWindowAdmin(ReadOnlyAdmin):
    """How often webhooks with a rate limit were called in their present minute."""

    list_display = ("webhook", "started_at", "calls")
    list_select_related = ("webhook",)
    fields = ("owner", "started_at", "calls")
    readonly_fields = ("owner",)
    ordering = ("-pk",)

    @display(description="Webhook")
    def owner(self, window: RateWindow) -> str:
        return link_to(window.webhook)
