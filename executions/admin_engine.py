"""The operator's door to the engine itself: processes, maintenance, housekeeping and the tables of django-q2.

It shows; only maintenance is switched here, through `executions.pausing`.
"""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.decorators import display

from access.admin_forms import OperatedAdmin
from access.admin_lists import ReadOnlyAdmin
from access.admin_parts import preformatted
from executions import pausing
from executions.models import HourCount, Housework, Maintenance, Process


@admin.register(Process)
class ProcessAdmin(ReadOnlyAdmin):
    """Our operating-system processes, alive and gone, and which isolation their flow processes have."""

    list_display = ("role", "pid", "machine", "alive", "slots", "started_at", "heartbeat_at", "ended_at")
    list_filter = ("role",)
    search_fields = ("machine__istartswith",)
    search_help_text = "Machine, from the beginning of its name"
    fields = (
        "role",
        "pid",
        "machine",
        "alive",
        "slots",
        "started_at",
        "heartbeat_at",
        "ended_at",
        "isolation",
    )
    readonly_fields = ("alive",)

    @display(description="Alive", boolean=True)
    def alive(self, process: Process) -> bool:
        return process.is_alive


@admin.register(Maintenance)
class MaintenanceAdmin(OperatedAdmin):
    """While the one row is here, no worker takes on or resumes executions. Adding it starts that, ending removes it."""

    list_display = ("started_at", "started_by", "note")
    list_select_related = ("started_by",)
    fields = ("note",)
    actions = ("end_chosen",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Maintenance:
        if pausing.maintenance() is not None:
            raise ValidationError("Maintenance is on already.")
        return pausing.start_maintenance(by=request.user, note=fields["note"])

    @admin.action(description="End maintenance")
    def end_chosen(self, request: HttpRequest, found: "QuerySet[Maintenance]") -> None:
        self.do_to_each(request, found, lambda each: pausing.end_maintenance(by=request.user), "Ended")


@admin.register(Housework)
class HouseworkAdmin(ReadOnlyAdmin):
    """The jobs of the housekeeping: when each is due, and what it did last."""

    list_display = ("name", "next_at", "ran_at", "took_seconds", "done", "note")
    ordering = ("name",)


@admin.register(HourCount)
class HourCountAdmin(ReadOnlyAdmin):
    """The executions of past hours as charts show them."""

    list_display = ("hour", "project", "status", "counted", "removed")
    list_select_related = ("project",)
    list_lookups = ("hour",)


# -- What django-q2 keeps for itself ------------------------------------------------------------------------

# Successes are not stored, and nothing of ours uses its schedules.
for _model in (Success, Schedule, Failure, OrmQ):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(OrmQ)
class TaskQueueAdmin(ReadOnlyAdmin):
    """Background tasks that wait for a worker. Executions are not among them: their table is their queue."""

    list_display = ("id", "key", "name", "func", "lock")
    fields = ("key", "name", "func", "lock")
    readonly_fields = ("name", "func")


@admin.register(Failure)
class FailedTaskAdmin(ReadOnlyAdmin):
    """Background tasks that failed."""

    list_display = ("name", "func", "started", "stopped", "attempt_count")
    fields = ("name", "func", "started", "stopped", "attempt_count", "shown_result")
    readonly_fields = ("shown_result",)

    @display(description="Result")
    def shown_result(self, task: Failure) -> str:
        return preformatted(str(task.result or ""))
