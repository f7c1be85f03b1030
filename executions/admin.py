"""The operator's door to executions. `admin_traces` has what belongs to them, `admin_engine` what runs them.

It shows; only Cancel and Rerun act, and they do it through the operations.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from access.admin_lists import ReadOnlyAdmin
from access.admin_parts import clock, link, link_to, link_to_list, preformatted
from executions import admin_engine, operations, pausing  # noqa: F401  (registers its pages)
from executions.admin_traces import link_by_id
from executions.lifecycle import ALIVE, ENDED, WAITING, Status
from executions.models import Execution, Lock, LogLine, RunChoice, Savepoint, Transition, Wait
from records.identifiers import as_uuid

_SEARCH_FINDS = 1000
_IN_LISTS = (
    "id", "name", "type", "status", "reason", "is_productive", "created_at", "started_at", "ended_at",
    "project__name", "flow__name", "created_by__username",
)  # fmt: skip
_FIELDSETS: dict[str, tuple[str, ...]] = {
    "": ("name", "status_and_reason", "live", "shown_message", "description"),
    "What ran": ("type", "flow", "flow_version", "pinned", "mode", "project", "input_value", "output_value"),
    "Who and when": (
        "origin",
        "created_by",
        "created_at",
        "scheduled_for",
        "started_at",
        "ended_at",
        "duration",
    ),
    "Family": ("shown_parent", "root_id", "orphan", "shown_rerun_of", "traces"),
}
# Shown in other words above.
_IN_WORDS = {"status", "reason", "message", "script", "is_productive", "parent", "rerun_of"}
STATUS_COLOURS = {
    **{str(status): "info" for status in ALIVE},
    **{str(status): "default" for status in (*WAITING, Status.CREATED, Status.SCHEDULED)},
    Status.PAUSED.value: "warning",
    Status.ENDED_SUCCESS.value: "success",
    Status.ENDED_ERROR.value: "danger",
    Status.ENDED_CANCELLED.value: "default",
}


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    """Executions, newest first. Built for millions of rows: every filter has an index, and nothing is counted."""

    list_display = (
        "name",
        "shown_status",
        "project",
        "flow",
        "mode",
        "created_by",
        "created",
        "duration",
        "live",
    )
    list_select_related = ("project", "flow", "created_by")
    list_filter = ("status",)
    list_lookups = ("flow", "connector", "project", "created_by", "parent", "root_id")
    search_fields = ("name__startswith",)
    search_help_text = "Name from its beginning (case matters), or an id"
    raw_id_fields = ("project", "flow", "script", "created_by", "parent", "rerun_of", "host", "deleted_by")
    readonly_fields = (
        "status_and_reason",
        "live",
        "mode",
        "duration",
        "shown_message",
        "shown_parent",
        "shown_rerun_of",
        "pinned",
        "traces",
    )
    actions = ("cancel_chosen", "rerun_chosen", "pause_chosen", "resume_chosen")
    actions_detail = ("cancel", "rerun")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Execution]":
        executions = super().get_queryset(request)
        if getattr(request.resolver_match, "url_name", "").endswith("_changelist"):
            if request.method == "POST":  # the operations need whole rows
                return executions
            return executions.only(*_IN_LISTS)
        return executions.select_related("project", "created_by", "host").defer(
            "flow__script", "flow__input_schema"
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show what people ask for first, and under "Engine" every column that is not there yet."""
        above = _IN_WORDS.union(*_FIELDSETS.values())
        rest = tuple(field.name for field in Execution._meta.concrete_fields if field.name not in above)
        return [
            (title or None, {"fields": fields}) for title, fields in {**_FIELDSETS, "Engine": rest}.items()
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Execution]", search_term: str
    ) -> tuple["QuerySet[Execution]", bool]:
        """Find by id, or by the beginning of the name: only those have an index."""
        term = search_term.strip()
        if wanted := as_uuid(term):
            return queryset.filter(pk=wanted), False
        if not term:
            return queryset, False
        # Cut off in the order of the index: a name that a million executions bear must not be sorted by age.
        found = (
            Execution.objects.filter(name__startswith=term)
            .order_by("name", "-id")
            .values("pk")[:_SEARCH_FINDS]
        )
        return queryset.filter(pk__in=found), False

    # -- Columns ------------------------------------------------------------------------------------------

    @display(description="Status", label=STATUS_COLOURS)
    def shown_status(self, execution: Execution) -> tuple[str, str]:
        return execution.status, execution.get_status_display()

    @display(description="Status")
    def status_and_reason(self, execution: Execution) -> str:
        words = f"{execution.get_status_display()} ({execution.status})"
        return f"{words}: {execution.get_reason_display()}" if execution.reason else words

    @display(description="Created")
    def created(self, execution: Execution) -> str:
        return clock(execution.created_at)

    @display(description="Mode")
    def mode(self, execution: Execution) -> str:
        return "Productive" if execution.is_productive else "Development"

    @display(description="Duration")
    def duration(self, execution: Execution) -> str:
        lasted = execution.duration()
        return "–" if lasted is None else f"{lasted.total_seconds():,.3f} s"

    @display(description="Live page")
    def live(self, execution: Execution) -> SafeString:
        return link(self.view_on_site(execution), "Open")

    def view_on_site(self, execution: Execution) -> str:
        return reverse("execution-detail", args=[execution.pk])

    @display(description="Message")
    def shown_message(self, execution: Execution) -> str:
        return preformatted(execution.message)

    # A parent or predecessor may have been removed since: plain links, nothing is fetched.
    @display(description="Parent")
    def shown_parent(self, execution: Execution) -> str:
        return link_by_id(execution.parent_id)

    @display(description="Rerun of")
    def shown_rerun_of(self, execution: Execution) -> str:
        return link_by_id(execution.rerun_of_id)

    @display(description="Script")
    def pinned(self, execution: Execution) -> SafeString:
        if execution.script_id is None:
            return mark_safe("none")
        address = reverse("admin:flows_script_change", args=[execution.script_id])
        return link(address, execution.script_id[:12])

    @display(description="Traces")
    def traces(self, execution: Execution) -> SafeString:
        links = (
            link_to_list(LogLine, "Log", execution=execution.pk),
            link_to_list(Transition, "Transitions", execution=execution.pk),
            link_to_list(Savepoint, "Savepoints", execution=execution.pk),
            link_to_list(Execution, "Children", parent=execution.pk),
            link_to_list(Wait, "Waits for", waiter=execution.pk),
            link_to_list(Wait, "Is waited for by", target=execution.pk),
            link_to_list(Lock, "Locks", execution=execution.pk),
        )
        return format_html_join(" · ", "{}", ((each,) for each in links))

    # -- Actions ------------------------------------------------------------------------------------------

    @admin.action(description="Cancel the chosen")
    def cancel_chosen(self, request: HttpRequest, executions: "QuerySet[Execution]") -> None:
        self.do_to_each(
            request,
            executions,
            lambda each: self._cancel(request, each),
            "Asked for the end of",
            (operations.AlreadyEnded,),
        )

    @admin.action(description="Rerun the chosen")
    def rerun_chosen(self, request: HttpRequest, executions: "QuerySet[Execution]") -> None:
        self.do_to_each(request, executions, lambda each: self._rerun(request, each), "Started again:")

    @admin.action(description="Pause the chosen")
    def pause_chosen(self, request: HttpRequest, executions: "QuerySet[Execution]") -> None:
        def pause(execution: Execution) -> None:
            pausing.pause_execution(execution, by=request.user)

        self.do_to_each(
            request, executions, pause, "Asked for a pause of", (operations.AlreadyEnded, pausing.CannotPause)
        )

    @admin.action(description="Resume the chosen")
    def resume_chosen(self, request: HttpRequest, executions: "QuerySet[Execution]") -> None:
        def resume(execution: Execution) -> None:
            pausing.resume_execution(execution, by=request.user)

        self.do_to_each(request, executions, resume, "Resumed", (pausing.NotPaused,))

    @action(
        description="Cancel",
        icon="cancel",
        variant=ActionVariant.DANGER,
        permissions=["cancel"],
        dialog={
            "title": "Cancel this execution?",
            "description": "It is asked to stop, and after some seconds made to. Its own children end with it.",
            "form_class": None,
            "form_submit_text": "Yes, cancel it",
        },
    )
    def cancel(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Ask for the end of the execution on whose page the dialog was confirmed."""
        refused = (operations.AlreadyEnded,)
        return self.do_to_one(
            request,
            object_id,
            lambda each: self._cancel(request, each),
            "Asked for the end of",
            refused=refused,
        )

    @action(
        description="Rerun",
        icon="replay",
        dialog={
            "title": "Run this again?",
            "description": "A new execution starts with the same inputs, on the script that is current now.",
            "form_class": None,
            "form_submit_text": "Rerun",
        },
    )
    def rerun(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Start another execution like the one on whose page the dialog was confirmed."""
        return self.do_to_one(request, object_id, lambda each: self._rerun(request, each), "Started again:")

    def has_cancel_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Offer Cancel while there is something to cancel; the operation decides for real."""
        if object_id is None:
            return self.has_view_permission(request)
        return Execution.objects.filter(pk=object_id).exclude(status__in=ENDED).exists()

    def _cancel(self, request: HttpRequest, execution: Execution) -> None:
        operations.cancel_execution(execution, by=request.user)
        self.log_change(request, execution, "Cancelled.")

    def _rerun(self, request: HttpRequest, execution: Execution) -> None:
        again = operations.rerun_execution(execution, by=request.user, origin=Execution.Origin.USER)
        self.log_change(request, execution, f"Started again as {again.pk}.")
        self.message_user(
            request, format_html("{} runs again as {}.", execution.name, link_to(again, str(again.pk)))
        )


@admin.register(RunChoice)
class RunChoiceAdmin(ReadOnlyAdmin):
    """How people last ran flows with options."""

    list_display = ("user", "flow", "at")
    list_select_related = ("user", "flow")
    list_lookups = ("user", "flow")
    fields = ("user", "flow", "at", "inputs", "options")
