"""Pages of settings: the list, the editor of a value with its lock beside it, and the other fields."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import TextField
from django.db.models.functions import Cast, Left
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access.pages import page, visible_or_404, words_of
from access.permissions import Operation, may, may_anywhere, visible
from projects import setting as operations
from projects.lock_state import lock_state
from projects.models import Project, Setting
from records.identifiers import as_uuid
from records.paging import page_by_key
from records.texts import LARGEST_YAML, read_value, write_value, write_yaml

PROJECTS_OFFERED = 200
PREVIEW_LENGTH = 120
WAITERS_SHOWN = 20


@require_GET
@page
def setting_list(request: HttpRequest) -> HttpResponse:
    """List settings by name, with the beginning of each value; typing in the filter asks for the rows alone."""
    in_trash, text = "trash" in request.GET, request.GET.get("q", "").strip()
    rows = visible(request.user, Setting.objects.all())
    rows = (
        rows.exclude(deleted_at=None) if in_trash else rows.filter(deleted_at=None, project__deleted_at=None)
    )
    if text:
        rows = rows.filter(name__icontains=text)
    if project := as_uuid(request.GET.get("project", "")):
        rows = rows.filter(project=project)
    rows = rows.select_related("project", "modified_by", "deleted_by", "bundle").defer("value")
    rows = rows.annotate(preview=Left(Cast("value", TextField()), PREVIEW_LENGTH))
    context = {
        "list": page_by_key(rows, request.GET, "id", descending=True)
        if in_trash
        else page_by_key(rows, request.GET, "name"),
        "in_trash": in_trash,
        "text": text,
        "project_id": request.GET.get("project", ""),
        "projects": _projects(request),
        "may_create": may_anywhere(request.user, Operation.CREATE, Setting),
    }
    template = "settings/list_rows.html" if request.headers.get("HX-Request") else "settings/list.html"
    return render(request, template, context)


@require_POST
@page
def setting_create(request: HttpRequest) -> HttpResponse:
    """Make a setting, whose value is null, and open it."""
    project = None
    if wanted := as_uuid(request.POST.get("project", "")):
        project = visible_or_404(request, Project.objects.alive(), wanted)
    try:
        made = operations.create_setting(by=request.user, project=project, name=request.POST.get("name", ""))
    except ValidationError as error:
        messages.error(request, f"The setting was not created. {words_of(error)}")
        return redirect("setting-list")
    return redirect("setting-detail", made.pk)


@page
def setting_detail(request: HttpRequest, setting_id: UUID) -> HttpResponse:
    """Show the value in the editor, as YAML or (`?as=json`) JSON; by POST store what was typed, in either."""
    setting = _find(request, setting_id)
    context = _context(request, setting, "value")
    context["as_json"] = request.GET.get("as") == "json"
    if request.method == "POST":
        context["text"] = request.POST.get("value", "").replace("\r\n", "\n")
        if (error := _store(request, setting, context["text"])) is None:
            messages.success(request, "Saved.")
            address = reverse("setting-detail", args=[setting_id])
            return redirect(address + ("?as=json" if context["as_json"] else ""))
        context["error"] = error
    else:
        context |= _written(setting.value, as_json=context["as_json"])
    context |= _lock(request, setting)
    return render(request, "settings/value.html", context, status=422 if "error" in context else 200)


@require_GET
@page
def setting_lock(request: HttpRequest, setting_id: UUID) -> HttpResponse:
    """Show who holds the lock and who waits for it; answers 204 while that is as the page has it (`?seen=`)."""
    setting = _find(request, setting_id)
    context = _lock(request, setting)
    if request.GET.get("seen") == context["lock"].stamp:
        return HttpResponse(status=204)
    return render(request, "settings/lock.html", {"setting": setting, **context})


@page
def setting_details(request: HttpRequest, setting_id: UUID) -> HttpResponse:
    """Show the other fields and how to read it by REST; by POST change the fields."""
    setting = _find(request, setting_id)
    context = _context(request, setting, "details")
    if request.method == "POST":
        fields: dict[str, Any] = {name: request.POST.get(name, "") for name in ("name", "description")}
        fields["is_readonly"] = "is_readonly" in request.POST
        wanted = as_uuid(request.POST.get("project", ""))
        if wanted and wanted != setting.project_id:
            fields["project"] = visible_or_404(request, Project.objects.alive(), wanted)
        try:
            operations.save_setting(setting, by=request.user, **fields)
        except ValidationError as error:
            context["error"] = words_of(error)
        else:
            messages.success(request, "Saved.")
            return redirect("setting-details", setting_id)
    context["projects"] = _projects(request)
    context["base_url"] = request.build_absolute_uri("/").rstrip("/")
    return render(request, "settings/details.html", context, status=422 if "error" in context else 200)


@require_POST
@page
def setting_duplicate(request: HttpRequest, setting_id: UUID) -> HttpResponse:
    """Copy a setting and open the copy."""
    copy = operations.duplicate_setting(_find(request, setting_id), by=request.user)
    messages.success(request, f"This is the copy, “{copy.name}”.")
    return redirect("setting-detail", copy.pk)


@require_POST
@page
def setting_delete(request: HttpRequest, setting_id: UUID) -> HttpResponse:
    """Put a setting into the trash, with a way back."""
    setting = _find(request, setting_id)
    try:
        operations.trash_setting(setting, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("setting-detail", setting_id)
    undo = reverse("setting-restore", args=[setting_id])
    messages.success(request, f"Moved “{setting.name}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("setting-list")


@require_POST
@page
def setting_restore(request: HttpRequest, setting_id: UUID) -> HttpResponse:
    """Take a setting out of the trash and open it."""
    setting = visible_or_404(request, Setting.objects.trashed(), setting_id)
    try:
        operations.restore_setting(setting, by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{setting.name}” was not restored. {words_of(error)}")
        return redirect(f"{reverse('setting-list')}?trash")
    messages.success(request, f"Restored “{setting.name}”.")
    return redirect("setting-detail", setting_id)


def _find(request: HttpRequest, setting_id: UUID) -> Setting:
    rows = Setting.objects.select_related("project", "bundle", "modified_by", "created_by", "deleted_by")
    return visible_or_404(request, rows, setting_id)


def _context(request: HttpRequest, setting: Setting, tab: str) -> dict[str, Any]:
    return {
        "setting": setting,
        "project": setting.project,
        "tab": tab,
        "may_edit": not setting.is_deleted and may(request.user, Operation.UPDATE, setting),
        "may_delete": not setting.is_deleted and may(request.user, Operation.DELETE, setting),
    }


def _store(request: HttpRequest, setting: Setting, text: str) -> str | None:
    """Store the value that was typed; returns what is wrong, if anything."""
    seen = request.POST.get("seen", "")
    try:
        value = read_value(text) if text.strip() else None
        if seen != setting.modified_at.isoformat() and value != setting.value:
            who = setting.modified_by.username if setting.modified_by else "Someone"
            return f"{who} changed the value while you did. Save again to replace it by yours."
        operations.save_setting(setting, by=request.user, value=value)
    except ValidationError as error:
        return words_of(error)
    return None


def _written(value: Any, *, as_json: bool) -> dict[str, Any]:
    """Return the text of a value. What is too long for YAML is shown as JSON."""
    text = write_value(value)
    is_long = len(text) > LARGEST_YAML
    as_json = as_json or is_long
    return {"text": text if as_json else write_yaml(value), "as_json": as_json, "is_long": is_long}


def _lock(request: HttpRequest, setting: Setting) -> dict[str, Any]:
    return {"lock": lock_state(setting, by=request.user, most=WAITERS_SHOWN)}


def _projects(request: HttpRequest) -> list[Project]:
    return list(
        visible(request.user, Project.objects.alive()).only("id", "name").order_by("name")[:PROJECTS_OFFERED]
    )
