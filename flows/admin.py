"""The operator's door to flows and wrappers, their versions and scripts.

A saved script becomes a version, as everywhere: the operations decide.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from access.admin_forms import AUDIT, OperatedAdmin, RefusableForm
from access.admin_lists import ReadOnlyAdmin, TrashFilter
from access.admin_parts import link, link_to, link_to_list, preformatted
from flows import operations, scripted, wrappers
from flows.models import Flow, FlowVersion, Script, ScriptRecord, ScriptVersion, Wrapper, WrapperVersion
from projects import contents
from projects.models import Project


class ScriptForm(RefusableForm):
    """The form of a record with a script. Browsers send lines that end in CR LF; a script keeps the ends it has."""

    def clean_script(self) -> str:
        return self.cleaned_data["script"].replace("\r\n", "\n")


class ScriptedAdmin(OperatedAdmin):
    """What the pages of flows and wrappers share. Executions keep the script they run, whatever is done here."""

    form = ScriptForm
    versions: type[ScriptVersion]
    list_display = ("name", "project", "version", "soundness", "modified_at", "modified_by")
    list_select_related = ("project", "modified_by")
    list_filter = (TrashFilter, "has_syntax_error")
    list_lookups = ("project",)
    search_fields = ("name__icontains",)
    search_help_text = "Any part of the name"
    raw_id_fields = ("project",)
    readonly_fields = ("version", "problems", "versions_kept", "executions_made", *AUDIT)
    actions = ("trash_chosen", "restore_chosen")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        records = super().get_queryset(request)
        if getattr(request.resolver_match, "url_name", "").endswith("_changelist"):
            records = records.defer("script", "input_schema", "project__description")
        return records

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "script":
            style = "font-family: ui-monospace, monospace; font-size: 0.8rem; min-height: 24rem"
            kwargs["widget"] = UnfoldAdminTextareaWidget(
                attrs={"style": style, "spellcheck": "false", "wrap": "off"}
            )
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "script" and field is not None:
            field.strip = False  # the last line's end and the indentation of the first belong to the script
        return field

    @display(description="Script", label={"Sound": "success", "Problem": "danger"})
    def soundness(self, record: ScriptRecord) -> str:
        return "Problem" if record.has_syntax_error else "Sound"

    @display(description="Problems")
    def problems(self, record: ScriptRecord) -> str:
        found = scripted.problems_of(record) if record.script else []
        return preformatted(
            "\n".join(f"line {each.line}, column {each.column + 1}: {each.message}" for each in found)
        )

    @display(description="Versions")
    def versions_kept(self, record: ScriptRecord) -> str:
        lookup = {str(record._meta.model_name): record.pk}
        return link_to_list(self.versions, "Show the versions", **lookup) if record.version else "–"

    @display(description="Executions")
    def executions_made(self, record: ScriptRecord) -> SafeString | str:
        if not record.version:
            return "–"
        # By its address: executions come after flows in the order of apps.
        lookup = {str(record._meta.model_name): record.pk}
        return link(reverse("admin:executions_execution_changelist", query=lookup), "Show the executions")

    def trash(self, record: Any, *, by: Any) -> Any:
        """Put one into the trash."""
        return contents.trash(record, by=by)

    @admin.action(description="Move the chosen to the trash")
    def trash_chosen(self, request: HttpRequest, records: "QuerySet[Any]") -> None:
        self.do_to_each(
            request, records, lambda record: self.trash(record, by=request.user), "Moved to the trash:"
        )

    @admin.action(description="Take the chosen out of the trash")
    def restore_chosen(self, request: HttpRequest, records: "QuerySet[Any]") -> None:
        self.do_to_each(
            request, records, lambda record: contents.restore(record, by=request.user), "Restored"
        )


@admin.register(Flow)
class FlowAdmin(ScriptedAdmin):
    """Flows. Nothing is removed here: flows go to the trash."""

    versions = FlowVersion
    fieldsets = (
        (None, {"fields": ("name", "project", "description")}),
        ("Script", {"fields": ("script", "problems", "version", "versions_kept", "executions_made")}),
        (
            "Running it",
            {"fields": ("input_schema", "max_runtime_minutes", "priority", "wrappers", "is_readonly")},
        ),
        ("History", {"fields": AUDIT}),
    )

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Flow:
        return operations.create_flow(by=request.user, **fields)

    def store(self, request: HttpRequest, record: Flow, fields: dict[str, Any]) -> Flow:
        return operations.save_flow(record, by=request.user, **fields)

    def view_on_site(self, flow: Flow) -> str:
        return reverse("flow-detail", args=[flow.pk])

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = {"project": Project.default().pk, "script": operations.BOILERPLATE}
        return initial | super().get_changeform_initial_data(request)


@admin.register(Wrapper)
class WrapperAdmin(ScriptedAdmin):
    """Wrappers: scripts that run in place of what they wrap."""

    versions = WrapperVersion
    fieldsets = (
        (None, {"fields": ("name", "project", "description")}),
        ("Script", {"fields": ("script", "problems", "version", "versions_kept", "executions_made")}),
        ("Using it", {"fields": ("input_schema", "is_readonly")}),
        ("History", {"fields": AUDIT}),
    )

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Wrapper:
        return wrappers.create_wrapper(by=request.user, **fields)

    def store(self, request: HttpRequest, record: Wrapper, fields: dict[str, Any]) -> Wrapper:
        return wrappers.save_wrapper(record, by=request.user, **fields)

    def trash(self, record: Any, *, by: Any) -> Wrapper:
        return wrappers.trash_wrapper(record, by=by)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = {"project": Project.default().pk, "script": wrappers.BOILERPLATE}
        return initial | super().get_changeform_initial_data(request)


class VersionAdmin(ReadOnlyAdmin):
    """What the pages of versions share."""

    owner_field: str  # the field that names whose version it is
    fields = ("owner", "number", "created_at", "created_by", "sha256", "text")
    readonly_fields = ("owner", "sha256", "text")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        large = (f"{self.owner_field}__script", f"{self.owner_field}__input_schema")
        return super().get_queryset(request).defer(*large)

    @display(description="Of")
    def owner(self, version: ScriptVersion) -> str:
        return link_to(getattr(version, self.owner_field))

    @display(description="SHA-256")
    def sha256(self, version: ScriptVersion) -> str:
        return version.script_id

    @display(description="Script")
    def text(self, version: ScriptVersion) -> str:
        return preformatted(version.script.text)


@admin.register(FlowVersion)
class FlowVersionAdmin(VersionAdmin):
    """What a flow's script was, and from when on."""

    owner_field = "flow"
    list_display = ("flow", "number", "script_id", "created_at", "created_by")
    list_select_related = ("flow", "created_by")
    list_lookups = ("flow",)


@admin.register(WrapperVersion)
class WrapperVersionAdmin(VersionAdmin):
    """What a wrapper's script was, and from when on."""

    owner_field = "wrapper"
    list_display = ("wrapper", "number", "script_id", "created_at", "created_by")
    list_select_related = ("wrapper", "created_by")
    list_lookups = ("wrapper",)


@admin.register(Script)
class ScriptAdmin(ReadOnlyAdmin):
    """Script texts by their hash: what executions are pinned to. Listed by hash, which has the index."""

    list_display = ("sha256", "created_at")
    search_fields = ("sha256__startswith",)
    search_help_text = "SHA-256, from its beginning"
    fields = ("sha256", "created_at", "shown_text")
    readonly_fields = ("sha256", "created_at", "shown_text")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Script]":
        return super().get_queryset(request).defer("text")

    @display(description="Text")
    def shown_text(self, script: Script) -> str:
        return preformatted(script.text)
