"""The operator's door to schedulers, schedules and firings. All changes go through the operations."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from access.admin_forms import AUDIT, OperatedAdmin
from access.admin_lists import ReadOnlyAdmin, TrashFilter
from access.admin_parts import link, link_to, link_to_list
from flows.admin import ScriptedAdmin, VersionAdmin
from schedules import operations, scheduler_operations
from schedules.models import Firing, Schedule, Scheduler, SchedulerVersion

_OUTCOMES = {
    "started": "success",
    "queued": "info",
    "skipped": "default",
    "missed": "warning",
    "failed": "danger",
}


@admin.register(Scheduler)
class SchedulerAdmin(ScriptedAdmin):
    """Schedulers: built-in ones, and scripts."""

    versions = SchedulerVersion
    list_display: Any = ("name", "built_in", "project", "version", "soundness", "modified_at", "modified_by")
    list_filter: Any = (TrashFilter, "built_in", "has_syntax_error")
    readonly_fields = ("version", "problems", "versions_kept", "used_by", *AUDIT)
    fieldsets = (
        (None, {"fields": ("name", "project", "description", "built_in", "used_by")}),
        ("Script", {"fields": ("script", "problems", "version", "versions_kept")}),
        ("Using it", {"fields": ("input_schema", "is_readonly")}),
        ("History", {"fields": AUDIT}),
    )

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Scheduler:
        return scheduler_operations.create_scheduler(by=request.user, **fields)

    def store(self, request: HttpRequest, record: Scheduler, fields: dict[str, Any]) -> Scheduler:
        return scheduler_operations.save_scheduler(record, by=request.user, **fields)

    @display(description="Schedules")
    def used_by(self, scheduler: Scheduler) -> str:
        return link_to_list(Schedule, "Show the schedules", scheduler=scheduler.pk) if scheduler.name else "–"

    @admin.action(description="Move the chosen to the trash")
    def trash_chosen(self, request: HttpRequest, records: "QuerySet[Scheduler]") -> None:
        self.do_to_each(
            request,
            records,
            lambda each: scheduler_operations.trash_scheduler(each, by=request.user),
            "Moved to the trash:",
        )


@admin.register(SchedulerVersion)
class SchedulerVersionAdmin(VersionAdmin):
    """What a scheduler's script was, and from when on."""

    owner_field = "scheduler"
    list_display = ("scheduler", "number", "script_id", "created_at", "created_by")
    list_select_related = ("scheduler", "created_by")
    list_lookups = ("scheduler",)


@admin.register(Schedule)
class ScheduleAdmin(OperatedAdmin):
    """Schedules. Enabling begins the live execution, disabling ends it."""

    list_display = ("name", "is_enabled", "scheduler", "flow", "next_at", "project", "modified_at")
    list_select_related = ("scheduler", "flow", "project")
    list_filter = (TrashFilter, "is_enabled")
    list_lookups = ("project", "scheduler", "flow")
    search_fields = ("name__icontains",)
    search_help_text = "Any part of the name"
    raw_id_fields = ("project", "scheduler", "flow")
    readonly_fields = (
        "enabled_at", "stopped_because", "iterations", "next_at", "live", "firings_made", *AUDIT,
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("name", "project", "description", "is_enabled", "is_readonly")}),
        ("What", {"fields": ("flow", "input_value")}),
        (
            "When",
            {
                "fields": (
                    "scheduler",
                    "configuration",
                    "time_zone",
                    "jitter_seconds",
                    "ends_at",
                    "max_iterations",
                )
            },
        ),
        ("How", {"fields": ("overlap", "catch_up", "catch_up_seconds", "pause_on_failure")}),
        (
            "How it stands",
            {"fields": ("enabled_at", "next_at", "iterations", "stopped_because", "live", "firings_made")},
        ),
        ("History", {"fields": AUDIT}),
    )
    actions = ("enable_chosen", "disable_chosen", "trash_chosen", "restore_chosen")

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Schedule:
        return operations.create_schedule(by=request.user, **fields)

    def store(self, request: HttpRequest, record: Schedule, fields: dict[str, Any]) -> Schedule:
        return operations.save_schedule(record, by=request.user, **fields)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Schedule]":
        return super().get_queryset(request).defer("flow__script", "flow__input_schema", "scheduler__script")

    @display(description="Execution")
    def live(self, schedule: Schedule) -> SafeString | str:
        if schedule.execution_id is None:
            return "–"
        address = reverse("admin:executions_execution_change", args=[schedule.execution_id])
        return link(address, str(schedule.execution_id))

    @display(description="Firings")
    def firings_made(self, schedule: Schedule) -> str:
        return link_to_list(Firing, "Show the firings", schedule=schedule.pk) if schedule.name else "–"

    @admin.action(description="Enable the chosen")
    def enable_chosen(self, request: HttpRequest, found: "QuerySet[Schedule]") -> None:
        self._set(request, found, True, "Enabled")

    @admin.action(description="Disable the chosen")
    def disable_chosen(self, request: HttpRequest, found: "QuerySet[Schedule]") -> None:
        self._set(request, found, False, "Disabled")

    def _set(self, request: HttpRequest, found: "QuerySet[Schedule]", is_enabled: bool, done: str) -> None:
        self.do_to_each(
            request,
            found,
            lambda each: operations.save_schedule(each, by=request.user, is_enabled=is_enabled),
            done,
        )

    @admin.action(description="Move the chosen to the trash")
    def trash_chosen(self, request: HttpRequest, found: "QuerySet[Schedule]") -> None:
        self.do_to_each(
            request,
            found,
            lambda each: operations.trash_schedule(each, by=request.user),
            "Moved to the trash:",
        )

    @admin.action(description="Take the chosen out of the trash")
    def restore_chosen(self, request: HttpRequest, found: "QuerySet[Schedule]") -> None:
        self.do_to_each(
            request, found, lambda each: operations.restore_schedule(each, by=request.user), "Restored"
        )


@admin.register(Firing)
class FiringAdmin(ReadOnlyAdmin):
    """What became of the times of schedules."""

    list_display = ("schedule", "nominal_at", "shown_outcome", "cause", "at")
    list_select_related = ("schedule",)
    list_lookups = ("schedule",)
    fields = ("owner", "nominal_at", "shown_outcome", "cause", "message", "started", "at")
    readonly_fields = ("owner", "shown_outcome", "started")

    @display(description="Schedule")
    def owner(self, firing: Firing) -> str:
        return link_to(firing.schedule)

    @display(description="Outcome", label=_OUTCOMES)
    def shown_outcome(self, firing: Firing) -> str:
        return firing.outcome

    @display(description="Execution")
    def started(self, firing: Firing) -> SafeString | str:
        if firing.execution_id is None:
            return "–"
        address = reverse("admin:executions_execution_change", args=[firing.execution_id])
        return link(address, str(firing.execution_id))
