"""The page of the audit log, and the entries about one thing for other pages."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_GET

from access.audit import in_words
from access.models import AuditEntry
from access.operations import record_types
from access.pages import page
from access.permissions import Operation, may_anywhere, visible
from records.identifiers import first_id_at
from records.listing import ListTooSlow, limited_time
from records.paging import KeyPage, page_by_key

ACTIONS = (
    "create", "update", "delete", "restore", "start", "cancel", "pause", "resume", "go back", "give role", "take role",
    "sign in", "sign out", "lock out", "unlock", "make link", "set password", "change password", "end session",
    "revoke", "configure", "start maintenance", "end maintenance",
)  # fmt: skip


@require_GET
@page
def audit_log(request: HttpRequest) -> HttpResponse:
    """Search the log: by who, what, type, door and time; typing in the filter asks for the rows alone."""
    if not may_anywhere(request.user, Operation.READ, AuditEntry):
        raise PermissionDenied("You need READ permission on audit entries.")
    given = {name: str(value).strip() for name, value in request.GET.items() if str(value).strip()}
    context: dict[str, Any] = {
        "given": given,
        "is_filtered": bool(given.keys() - {"after"}),
        "types": record_types(),
        "doors": AuditEntry.Door.choices,
        "actions": ACTIONS,
    }
    try:
        context |= _page(visible(request.user, _filtered(given)), request)
    except ListTooSlow:
        context["is_too_slow"] = True
    template = "access/audit_rows.html" if request.headers.get("HX-Request") else "access/audit.html"
    return render(request, template, context)


def entries_about(
    request: HttpRequest, record_type: str, record_id: Any, *, user_id: UUID | None = None
) -> dict[str, Any]:
    """Return what `access/audit_rows.html` shows: entries about a record, and (`user_id`) by a user."""
    about = Q(record_type=record_type, record_id=str(record_id))
    if user_id is not None:
        about |= Q(user_id=user_id)
    return _page(visible(request.user, AuditEntry.objects.filter(about)), request)


def _page(entries: "QuerySet[AuditEntry]", request: HttpRequest) -> dict[str, Any]:
    with limited_time():
        found: KeyPage[AuditEntry] = page_by_key(
            entries.select_related("project"), request.GET, "id", descending=True
        )
    return {"list": found, "entries": [_shown(entry) for entry in found.rows]}


def _shown(entry: AuditEntry) -> dict[str, Any]:
    return {"entry": entry, "address": _address(entry), "changes": in_words(entry.changes)}


def _address(entry: AuditEntry) -> str:
    """Return the address of the record's page, empty when there is none."""
    try:
        return reverse(f"{entry.record_type.replace('_', '-')}-detail", args=[UUID(entry.record_id)])
    except (NoReverseMatch, ValueError):
        return ""


def _filtered(given: dict[str, str]) -> "QuerySet[AuditEntry]":
    entries = AuditEntry.objects.all()
    exact = {
        "action": "action",
        "type": "record_type",
        "door": "door",
        "record": "record_id",
        "user": "user_id",
    }
    try:
        for name, column in exact.items():
            if name in given:
                entries = entries.filter(**{column: given[name]})
    except (ValidationError, ValueError):  # no id of a user
        return entries.none()
    if who := given.get("who"):
        entries = entries.filter(identity_name__icontains=who)
    if what := given.get("q"):
        entries = entries.filter(record_name__icontains=what)
    # Ids ascend with time, so a range of days is a range of the primary key.
    if start := _moment(given.get("from")):
        entries = entries.filter(id__gte=first_id_at(start))
    if end := _moment(given.get("to")):
        entries = entries.filter(id__lt=first_id_at(end + timedelta(days=1)))
    return entries


def _moment(text: str | None) -> datetime | None:
    try:
        day = parse_date(text) if text else None
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day and 1971 < day.year < 9000 else None
