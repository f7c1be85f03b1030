"""The operator's door to the audit log: it can be searched and read, and nothing else."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from access.admin_lists import ReadOnlyAdmin
from access.admin_parts import clock, preformatted
from access.audit import in_words
from access.models import AuditEntry
from records.identifiers import as_uuid


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what, newest first."""

    list_display = ("moment", "identity_name", "action", "record_type", "record_name", "door")
    list_filter = ("door", "identity_kind")
    list_lookups = ("user_id", "record_type", "record_id", "project", "action")
    search_fields = ("identity_name__startswith",)
    search_help_text = "Name of who did it, from its beginning, or the id of a record"
    fields = (
        "moment", "identity_kind", "identity_id", "identity_name", "user_id", "door", "address", "action",
        "record_type", "record_id", "record_name", "project_id", "shown_changes",
    )  # fmt: skip
    readonly_fields = ("moment", "shown_changes", "project_id")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[AuditEntry]", search_term: str
    ) -> tuple["QuerySet[AuditEntry]", bool]:
        key = as_uuid(search_term.strip())
        if key is not None:
            return queryset.filter(record_id=str(key)), False
        found: Any = super().get_search_results(request, queryset, search_term)
        return found[0], found[1]

    @display(description="At")
    def moment(self, entry: AuditEntry) -> str:
        return clock(entry.at)

    @display(description="Changes")
    def shown_changes(self, entry: AuditEntry) -> str:
        return preformatted("\n".join(in_words(entry.changes)))
