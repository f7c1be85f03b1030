"""The operator's door to what belongs to executions: history, log, savepoints, waits and locks. It only shows.

`executions.admin` has the executions themselves.
"""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from access.admin_lists import ReadOnlyAdmin
from access.admin_parts import clock, link_to, preformatted
from executions.models import Execution, Lock, LogLine, Payload, Savepoint, Transition, Wait
from records.identifiers import as_uuid


def link_by_id(execution_id: Any) -> SafeString | str:
    """Return a link to an execution that may be gone, without asking for it."""
    return "–" if execution_id is None else link_to(Execution(pk=execution_id), str(execution_id))


class TraceAdmin(ReadOnlyAdmin):
    """Rows that belong to an execution: found by its id."""

    search_help_text = "Id of the execution"
    execution_fields: tuple[str, ...] = ("execution_id",)

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        if not search_term.strip():
            return queryset, False
        wanted = as_uuid(search_term.strip())
        if wanted is None:
            return queryset.none(), False
        condition = Q()
        for field in self.execution_fields:
            condition |= Q(**{field: wanted})
        return queryset.filter(condition), False

    @display(description="At")
    def moment(self, row: Any) -> str:
        return clock(row.at)

    @display(description="Execution")
    def owner(self, row: Any) -> str:
        return link_by_id(row.execution_id)


@admin.register(Transition)
class TransitionAdmin(TraceAdmin):
    """Every change of a status."""

    list_display = ("moment", "old", "new", "reason", "version", "attempt", "owner")
    list_lookups = ("execution",)
    search_fields = ("execution_id",)
    fields = ("owner", "at", "old", "new", "reason", "version", "attempt")
    readonly_fields = ("owner",)


@admin.register(LogLine)
class LogLineAdmin(TraceAdmin):
    """What executions wrote."""

    list_display = ("number", "moment", "level", "stream", "beginning", "owner")
    list_lookups = ("execution",)
    search_fields = ("execution_id",)
    fields = ("owner", "number", "at", "level", "stream", "shown_text", "data")
    readonly_fields = ("owner", "shown_text")

    @display(description="Text")
    def beginning(self, line: LogLine) -> str:
        return line.text[:120] or ("(data)" if line.data is not None else "–")

    @display(description="Text")
    def shown_text(self, line: LogLine) -> str:
        return preformatted(line.text)


@admin.register(Savepoint)
class SavepointAdmin(TraceAdmin):
    """The journal of executions: each call with its answer."""

    list_display = ("number", "call", "line", "name", "is_pending", "moment", "owner")
    list_lookups = ("execution",)
    search_fields = ("execution_id",)
    fields = (
        "owner",
        "number",
        "call",
        "line",
        "name",
        "at",
        "attempt",
        "is_pending",
        "value",
        "error",
        "digest",
        "seen",
        "log_seq",
    )
    readonly_fields = ("owner",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Savepoint]":
        return super().get_queryset(request).defer("value", "error", "seen")


@admin.register(Payload)
class PayloadAdmin(ReadOnlyAdmin):
    """Large recorded values. Only their keys are shown: a value may have megabytes."""

    list_display = ("sha256",)
    fields = ("sha256",)
    search_fields = ("sha256",)


@admin.register(Wait)
class WaitAdmin(TraceAdmin):
    """Which execution waits for which."""

    list_display = ("id", "waits", "awaited")
    list_lookups = ("waiter", "target")
    search_fields = ("waiter_id",)
    execution_fields = ("waiter_id", "target_id")
    fields = ("waits", "awaited")
    readonly_fields = ("waits", "awaited")

    @display(description="Waits")
    def waits(self, wait: Wait) -> str:
        return link_by_id(wait.waiter_id)

    @display(description="For")
    def awaited(self, wait: Wait) -> str:
        return link_by_id(wait.target_id)


@admin.register(Lock)
class LockAdmin(TraceAdmin):
    """Which execution holds which lock, and which queue for it."""

    list_display = ("id", "setting", "owner", "depth", "at", "since")
    list_select_related = ("setting",)
    list_lookups = ("setting", "execution")
    search_fields = ("execution_id",)
    execution_fields = ("execution_id",)
    fields = ("setting", "owner", "depth", "at", "since")
    readonly_fields = ("owner",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Lock]":
        return super().get_queryset(request).defer("setting__value")

    @display(description="Execution")
    def owner(self, lock: Lock) -> str:
        return link_by_id(lock.execution_id)
