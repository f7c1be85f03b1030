"""The operator's door to connectors and to the use of their secrets. The secrets themselves are shown nowhere."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from access.admin_forms import AUDIT, OperatedAdmin, RefusableForm
from access.admin_lists import ReadOnlyAdmin, TrashFilter
from access.admin_parts import link, link_to
from connectors import operations
from connectors.models import Connector, SecretUse
from connectors.types import MODULES
from projects.models import Project


class ConnectorForm(RefusableForm):
    """The form of a connector. Secrets are typed here and never come back."""

    connector_type = forms.ChoiceField(
        choices=[(name, name) for name in MODULES], required=False, widget=UnfoldAdminSelectWidget
    )
    secrets = forms.JSONField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "autocomplete": "off"}),
        help_text='Those to set, in their places: {"authentication": {"password": …}}. null removes one.',
    )


@admin.register(Connector)
class ConnectorAdmin(OperatedAdmin):
    """Connectors. Nothing is removed here: they go to the trash."""

    form = ConnectorForm
    list_display = ("name", "connector_type", "project", "has_secrets", "modified_at", "modified_by")
    list_select_related = ("project", "modified_by")
    list_filter = (TrashFilter,)
    list_lookups = ("project", "connector_type")
    search_fields = ("name__icontains",)
    search_help_text = "Any part of the name"
    raw_id_fields = ("project",)
    readonly_fields = ("stored_secrets", "executions_made", *AUDIT)
    fieldsets = (
        (None, {"fields": ("name", "connector_type", "project", "description", "is_readonly")}),
        ("Inputs", {"fields": ("value", "secrets", "stored_secrets")}),
        ("Use", {"fields": ("wrappers", "executions_made")}),
        ("History", {"fields": AUDIT}),
    )
    actions = ("trash_chosen", "restore_chosen")

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Connector:
        return operations.create_connector(by=request.user, **fields)

    def store(self, request: HttpRequest, record: Connector, fields: dict[str, Any]) -> Connector:
        return operations.save_connector(record, by=request.user, **fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "connector_type") if obj else self.readonly_fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"project": Project.default().pk} | super().get_changeform_initial_data(request)

    @display(description="Secrets", boolean=True)
    def has_secrets(self, connector: Connector) -> bool:
        return connector.has_secrets

    @display(description="Stored secrets")
    def stored_secrets(self, connector: Connector) -> str:
        return ", ".join(connector.secret_fields) or "–"

    @display(description="Executions")
    def executions_made(self, connector: Connector) -> SafeString | str:
        if connector._state.adding:
            return "–"
        # By its address: executions come after connectors in the order of apps.
        address = reverse("admin:executions_execution_changelist", query={"connector": connector.pk})
        return link(address, "Show the executions")

    @admin.action(description="Move the chosen to the trash")
    def trash_chosen(self, request: HttpRequest, connectors: "QuerySet[Connector]") -> None:
        self.do_to_each(
            request,
            connectors,
            lambda each: operations.trash_connector(each, by=request.user),
            "Moved to the trash:",
        )

    @admin.action(description="Take the chosen out of the trash")
    def restore_chosen(self, request: HttpRequest, connectors: "QuerySet[Connector]") -> None:
        self.do_to_each(
            request, connectors, lambda each: operations.restore_connector(each, by=request.user), "Restored"
        )


@admin.register(SecretUse)
class SecretUseAdmin(ReadOnlyAdmin):
    """In which trees of executions whose secrets were used, and are masked."""

    list_display = ("root_id", "connector")
    list_select_related = ("connector",)
    fields = ("root_id", "owner")
    readonly_fields = ("owner",)
    ordering = ("-pk",)

    @display(description="Connector")
    def owner(self, use: SecretUse) -> str:
        return link_to(use.connector)
