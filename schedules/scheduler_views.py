"""Pages of schedulers: the list, and one scheduler with its script, the form of its configuration, and who uses it."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access.pages import page, visible_or_404, words_of
from access.permissions import Operation, may, may_anywhere, visible
from flows import scripted
from projects.models import Project
from records.paging import page_by_key
from schedules import scheduler_operations as operations
from schedules.models import Schedule, Scheduler
from schedules.recurrence import BUILT_IN

_USERS_SHOWN = 50


@require_GET
@page
def scheduler_list(request: HttpRequest) -> HttpResponse:
    """List schedulers by name, or those in the trash."""
    in_trash, text = "trash" in request.GET, request.GET.get("q", "").strip()
    rows = visible(request.user, Scheduler.objects.trashed() if in_trash else Scheduler.objects.alive())
    if text:
        rows = rows.filter(name__icontains=text)
    used = Count("schedules", filter=Q(schedules__deleted_at=None))
    rows = rows.select_related("project", "bundle", "deleted_by").defer("script").annotate(used=used)
    context = {
        "list": page_by_key(rows, request.GET, "id" if in_trash else "name", descending=in_trash),
        "in_trash": in_trash,
        "text": text,
        "projects": visible(request.user, Project.objects.alive(), Operation.READ).order_by("name")[:200],
        "may_create": may_anywhere(request.user, Operation.CREATE, Scheduler),
    }
    template = (
        "schedules/scheduler_rows.html" if request.headers.get("HX-Request") else "schedules/schedulers.html"
    )
    return render(request, template, context)


@require_POST
@page
def scheduler_create(request: HttpRequest) -> HttpResponse:
    """Make a scheduler with a first script, and open it."""
    fields: dict[str, Any] = {"name": request.POST.get("name", "")}
    project = request.POST.get("project", "")
    try:
        if project:
            fields["project"] = visible(request.user, Project.objects.alive()).filter(pk=project).first()
        scheduler = operations.create_scheduler(by=request.user, **fields)
    except ValidationError as error:
        messages.error(request, f"The scheduler was not created. {words_of(error)}")
        return redirect("scheduler-list")
    return redirect("scheduler-detail", scheduler.pk)


@page
def scheduler_detail(request: HttpRequest, scheduler_id: UUID) -> HttpResponse:
    """Show a scheduler; by POST change it."""
    scheduler = _find(request, scheduler_id)
    kind = BUILT_IN.get(scheduler.built_in)
    schema = kind.input_schema if kind else scheduler.input_schema
    context: dict[str, Any] = {
        "scheduler": scheduler,
        "kind": kind,
        "example": json.dumps(kind.example, indent=2) if kind else "",
        "schema": "" if schema is None else json.dumps(schema, indent=2, ensure_ascii=False),
        "script": scheduler.script,
        "users": visible(request.user, Schedule.objects.alive().filter(scheduler=scheduler)).order_by("name")[
            :_USERS_SHOWN
        ],
        "may_edit": not scheduler.is_deleted and may(request.user, Operation.UPDATE, scheduler),
        "may_delete": not scheduler.is_deleted and may(request.user, Operation.DELETE, scheduler),
    }
    if request.method == "POST":
        context |= {"schema": request.POST.get("input_schema", ""), "script": request.POST.get("script", "")}
        try:
            operations.save_scheduler(scheduler, by=request.user, **_fields(request, scheduler))
        except ValidationError as error:
            context["error"] = words_of(error)
        else:
            messages.success(request, "Saved.")
            return redirect("scheduler-detail", scheduler_id)
    context["problems"] = scripted.problems_of(scheduler) if scheduler.script else []
    return render(request, "schedules/scheduler.html", context, status=422 if "error" in context else 200)


def _fields(request: HttpRequest, scheduler: Scheduler) -> dict[str, Any]:
    """Return the fields of the form. Raises ValidationError for a schema that is no JSON."""
    fields: dict[str, Any] = {
        name: request.POST[name] for name in ("name", "description") if name in request.POST
    }
    fields["is_readonly"] = "is_readonly" in request.POST
    if scheduler.built_in:
        return fields
    text = request.POST.get("input_schema", "").strip()
    try:
        fields["input_schema"] = json.loads(text) if text else None
    except json.JSONDecodeError as error:
        words = f"This is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        raise ValidationError({"input_schema": words}) from error
    return fields | {"script": request.POST.get("script", "").replace("\r\n", "\n")}


@require_POST
@page
def scheduler_duplicate(request: HttpRequest, scheduler_id: UUID) -> HttpResponse:
    """Make a copy and open it."""
    try:
        copy = operations.duplicate_scheduler(_find(request, scheduler_id), by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("scheduler-detail", scheduler_id)
    return redirect("scheduler-detail", copy.pk)


@require_POST
@page
def scheduler_delete(request: HttpRequest, scheduler_id: UUID) -> HttpResponse:
    """Put a scheduler into the trash, with a way back."""
    scheduler = _find(request, scheduler_id)
    try:
        operations.trash_scheduler(scheduler, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("scheduler-detail", scheduler_id)
    undo = reverse("scheduler-restore", args=[scheduler_id])
    messages.success(request, f"Moved “{scheduler.name}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("scheduler-list")


@require_POST
@page
def scheduler_restore(request: HttpRequest, scheduler_id: UUID) -> HttpResponse:
    """Take a scheduler out of the trash."""
    scheduler = _find(request, scheduler_id)
    try:
        operations.restore_scheduler(scheduler, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("scheduler-list")
    messages.success(request, f"Restored “{scheduler.name}”.")
    return redirect("scheduler-detail", scheduler_id)


def _find(request: HttpRequest, scheduler_id: UUID) -> Scheduler:
    rows = Scheduler.objects.select_related("project", "bundle", "modified_by", "deleted_by")
    return visible_or_404(request, rows, scheduler_id)
