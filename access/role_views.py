"""Pages of roles: the list, the editor of what one allows, and who holds it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access import operations
from access.audit_views import entries_about
from access.default_roles import project_types
from access.effective import OPERATIONS, label_of
from access.identities import names_of
from access.models import ANY_TYPE, IdentityRole, Operation, Role
from access.pages import page, visible_or_404, words_of
from access.permissions import may, visible
from records.kinds import kind_of
from records.paging import page_by_key

PROJECTS_OFFERED = 500


@require_GET
@page
def role_list(request: HttpRequest) -> HttpResponse:
    """List roles by name, or those in the trash."""
    in_trash, text = "trash" in request.GET, request.GET.get("q", "").strip()
    rows = visible(request.user, (Role.objects.trashed() if in_trash else Role.objects.alive()))
    if text:
        rows = rows.filter(name__icontains=text)
    context = {
        "list": page_by_key(rows.select_related("bundle", "modified_by", "deleted_by"), request.GET, "name"),
        "in_trash": in_trash,
        "text": text,
        "may_create": may(request.user, Operation.CREATE, Role),
    }
    return render(
        request,
        "access/role_rows.html" if request.headers.get("HX-Request") else "access/roles.html",
        context,
    )


@require_POST
@page
def role_create(request: HttpRequest) -> HttpResponse:
    """Make a role that allows nothing yet, and open it."""
    fields = {name: request.POST.get(name, "") for name in ("name", "description")}
    try:
        role = operations.create_role(by=request.user, **fields)
    except ValidationError as error:
        messages.error(request, f"The role was not created. {words_of(error)}")
        return redirect("role-list")
    return redirect("role-detail", role.pk)


@require_GET
@page
def role_detail(request: HttpRequest, role_id: UUID) -> HttpResponse:
    """Show what the role allows, to be changed."""
    role = _find(request, role_id)
    context = _context(request, role, "permissions")
    rows = operations.rows_of(role)
    wanted = {project for project, _, _ in rows if project}
    offered = visible(request.user, kind_of("project").rows()).order_by("name")
    context["tables"] = [
        _table(None, rows),
        *(_table(project, rows) for project in offered.filter(pk__in=wanted)),
    ]
    context["others"] = list(offered.exclude(pk__in=wanted).only("id", "name")[:PROJECTS_OFFERED])
    context["empty"] = _table(None, set(), in_project=True)
    context["is_locked"] = role.is_locked or not context["may_edit"]
    context["hidden"] = len(wanted) - len(context["tables"]) + 1
    return render(request, "access/role.html", context)


def _table(project: Any, rows: set[operations.Row], *, in_project: bool = False) -> dict[str, Any]:
    """Return the check boxes of one place, in groups: what lives in projects, and what belongs to none."""
    key = project.pk if project else None
    in_projects = project_types()
    others = [kind for kind in operations.record_types() if kind not in in_projects]
    groups = [("", [ANY_TYPE]), ("In projects", sorted(in_projects))]
    if key is None and not in_project:
        groups.append(("Outside of projects", others))

    def line(kind: str) -> dict[str, Any]:
        cells = [
            {
                "value": f"{key or ''}|{kind}|{operation}",
                "operation": operation,
                "on": (key, kind, operation) in rows,
            }
            for operation in OPERATIONS
        ]
        return {"type": kind, "label": label_of(kind), "cells": cells}

    return {
        "project": project,
        "groups": [{"label": label, "lines": [line(kind) for kind in kinds]} for label, kinds in groups],
    }


@require_POST
@page
def role_allow(request: HttpRequest, role_id: UUID) -> HttpResponse:
    """Replace what the role allows by the boxes that are checked. Rows for projects out of sight stay."""
    role = _find(request, role_id)
    seen = set(visible(request.user, kind_of("project").rows()).values_list("pk", flat=True))
    kept = [
        row for row in operations.permissions_of(role) if row["project_id"] and row["project_id"] not in seen
    ]
    try:
        operations.save_role(
            role, by=request.user, permissions=[*kept, *map(_read_cell, request.POST.getlist("cell"))]
        )
        messages.success(request, "Saved what the role allows.")
    except ValidationError as error:
        messages.error(request, f"Nothing was saved. {words_of(error)}")
    return redirect("role-detail", role_id)


def _read_cell(value: str) -> dict[str, Any]:
    project, _, rest = value.partition("|")
    kind, _, operation = rest.partition("|")
    return {"project_id": project or None, "record_type": kind, "operation": operation}


@require_POST
@page
def role_save(request: HttpRequest, role_id: UUID) -> HttpResponse:
    """Change name, description or the read-only mark."""
    role = _find(request, role_id)
    fields = {name: request.POST[name] for name in ("name", "description") if name in request.POST}
    try:
        operations.save_role(role, by=request.user, is_readonly="is_readonly" in request.POST, **fields)
        messages.success(request, "Saved.")
    except ValidationError as error:
        messages.error(request, f"Nothing was saved. {words_of(error)}")
    return redirect("role-detail", role_id)


@require_POST
@page
def role_duplicate(request: HttpRequest, role_id: UUID) -> HttpResponse:
    """Copy a role with what it allows and open the copy."""
    copy = operations.duplicate_role(_find(request, role_id), by=request.user)
    messages.success(request, f"This is the copy, “{copy.name}”.")
    return redirect("role-detail", copy.pk)


@require_POST
@page
def role_delete(request: HttpRequest, role_id: UUID) -> HttpResponse:
    """Put a role into the trash, with a way back."""
    role = _find(request, role_id)
    try:
        operations.trash_role(role, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("role-detail", role_id)
    undo = reverse("role-restore", args=[role_id])
    messages.success(request, f"Moved “{role.name}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("role-list")


@require_POST
@page
def role_restore(request: HttpRequest, role_id: UUID) -> HttpResponse:
    """Take a role out of the trash."""
    role = visible_or_404(request, Role.objects.trashed(), role_id)
    try:
        operations.restore_role(role, by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{role.name}” was not restored. {words_of(error)}")
        return redirect(f"{reverse('role-list')}?trash")
    messages.success(request, f"Restored “{role.name}”.")
    return redirect("role-detail", role_id)


@require_GET
@page
def role_holders(request: HttpRequest, role_id: UUID) -> HttpResponse:
    """List who holds the role, and where."""
    role = _find(request, role_id)
    context = _context(request, role, "holders")
    rows = visible(
        request.user, IdentityRole.objects.filter(role=role).select_related("project", "created_by")
    )
    context["list"] = page_by_key(rows, request.GET, "id", descending=True)
    names = names_of(context["list"].rows)
    context["holders"] = [
        {"held": held, "name": names.get((held.identity_kind, held.identity_id), str(held.identity_id))}
        for held in context["list"].rows
    ]
    return render(request, "access/role_holders.html", context)


@require_GET
@page
def role_history(request: HttpRequest, role_id: UUID) -> HttpResponse:
    """Show what was done to the role."""
    role = _find(request, role_id)
    return render(
        request,
        "access/role_history.html",
        _context(request, role, "history") | entries_about(request, "role", role.pk),
    )


def _find(request: HttpRequest, role_id: UUID) -> Role:
    return visible_or_404(request, Role.objects.select_related("bundle", "modified_by"), role_id)


def _context(request: HttpRequest, role: Role, tab: str) -> dict[str, Any]:
    return {
        "role": role,
        "tab": tab,
        "operations": OPERATIONS,
        "may_edit": not (role.is_deleted or role.is_bundle_readonly)
        and may(request.user, Operation.UPDATE, role),
        "may_delete": not role.is_deleted and may(request.user, Operation.DELETE, role),
        "may_create": may(request.user, Operation.CREATE, Role),
    }
