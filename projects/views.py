"""Pages of projects: the list, and one project with its flows, latest executions and members."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access.models import IdentityKind, IdentityRole, Role, User
from access.pages import page, visible_or_404, words_of
from access.permissions import Operation, may, may_in_project, visible
from projects import operations
from projects.models import Project
from projects.retention import read_retention
from records.paging import page_by_key

FLOWS_SHOWN = 12
EXECUTIONS_SHOWN = 10
MEMBERS_SHOWN = 200


@require_GET
@page
def project_list(request: HttpRequest) -> HttpResponse:
    """List projects by name, or those in the trash."""
    in_trash, text = "trash" in request.GET, request.GET.get("q", "").strip()
    records = Project.objects.trashed() if in_trash else Project.objects.alive()
    rows = visible(request.user, records.select_related("modified_by", "deleted_by"))
    if text:
        rows = rows.filter(name__icontains=text)
    context = {
        "list": page_by_key(rows, request.GET, "id", descending=True)
        if in_trash
        else page_by_key(rows, request.GET, "name"),
        "in_trash": in_trash,
        "text": text,
        "may_create": may(request.user, Operation.CREATE, Project),
    }
    template = "projects/list_rows.html" if request.headers.get("HX-Request") else "projects/list.html"
    return render(request, template, context)


@require_POST
@page
def project_create(request: HttpRequest) -> HttpResponse:
    """Make a project and open it."""
    fields = {"name": request.POST.get("name", ""), "description": request.POST.get("description", "")}
    try:
        project = operations.create_project(by=request.user, **fields)
    except ValidationError as error:
        messages.error(request, f"The project was not created. {words_of(error)}")
        return redirect("project-list")
    return redirect("project-detail", project.pk)


@require_GET
@page
def project_detail(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show one project: what lives in it, what ran there, and who may do what."""
    project = visible_or_404(request, Project.objects.select_related("modified_by"), project_id)
    # Flows and executions are read through the project: later apps may not be imported from here.
    flows: Any = project.flows.filter(deleted_at=None)
    executions: Any = project.executions.filter(deleted_at=None)
    context = {
        "project": project,
        "flows": list(
            flows.only("id", "name", "has_syntax_error", "version", "modified_at").order_by("name")[
                : FLOWS_SHOWN + 1
            ]
        ),
        "flows_shown": FLOWS_SHOWN,
        "executions": list(
            executions.select_related("created_by", "flow")
            .defer("input_value", "output_value", "waiting_for")
            .order_by("-id")[:EXECUTIONS_SHOWN]
        ),
        "members": _members(request, project),
        "roles": list(visible(request.user, Role.objects.alive().order_by("name"))),
        "may_edit": not project.is_deleted and may(request.user, Operation.UPDATE, project),
        "may_create_flows": not project.is_deleted
        and may_in_project(request.user, Operation.CREATE, project.pk, "flow"),
        "may_give_roles": not project.is_deleted
        and may_in_project(request.user, Operation.CREATE, project.pk, IdentityRole),
    }
    return render(request, "projects/detail.html", context)


@require_POST
@page
def project_save(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Change name, description or the read-only mark."""
    project = visible_or_404(request, Project.objects.alive(), project_id)
    fields: dict[str, Any] = {
        name: request.POST[name] for name in ("name", "description") if name in request.POST
    }
    try:
        fields["retention"] = read_retention(request.POST)
        operations.save_project(project, by=request.user, is_readonly="is_readonly" in request.POST, **fields)
        messages.success(request, "Saved.")
    except ValidationError as error:
        messages.error(request, f"Nothing was saved. {words_of(error)}")
    return redirect("project-detail", project_id)


@require_POST
@page
def project_delete(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Put a project into the trash, with a way back."""
    project = visible_or_404(request, Project.objects.alive(), project_id)
    try:
        operations.trash_project(project, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("project-detail", project_id)
    undo = reverse("project-restore", args=[project_id])
    messages.success(request, f"Moved “{project.name}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("project-list")


@require_POST
@page
def project_restore(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Take a project out of the trash."""
    project = visible_or_404(request, Project.objects.trashed(), project_id)
    try:
        operations.restore_project(project, by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{project.name}” was not restored. {words_of(error)}")
        return redirect(f"{reverse('project-list')}?trash")
    messages.success(request, f"Restored “{project.name}”.")
    return redirect("project-detail", project_id)


@require_POST
@page
def member_set(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Give a person a role in the project."""
    project = visible_or_404(request, Project.objects.alive(), project_id)
    username = request.POST.get("username", "").strip()
    role = Role.objects.alive().filter(name=request.POST.get("role", "")).first()
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        messages.error(request, f"There is no active user “{username}”. Give the exact user name.")
    elif role is None:
        messages.error(request, "Choose one of the roles.")
    else:
        operations.set_member(project, user, role, by=request.user)
        messages.success(request, f"{user.username} has the role {role.name} in “{project.name}”.")
    return redirect("project-detail", project_id)


@require_POST
@page
def member_remove(request: HttpRequest, project_id: UUID, user_id: UUID) -> HttpResponse:
    """Take a person's role in the project away."""
    project = visible_or_404(request, Project.objects.alive(), project_id)
    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        operations.remove_member(project, user, by=request.user)
        messages.success(request, f"{user.username} has no role in “{project.name}” any more.")
    if not may(request.user, Operation.READ, project):
        return redirect("project-list")
    return redirect("project-detail", project_id)


def _members(request: HttpRequest, project: Project) -> list[dict[str, Any]]:
    """Return the roles that people hold in this project, as far as the asking person may see them."""
    rows = IdentityRole.objects.filter(project=project, identity_kind=IdentityKind.USER)
    held = list(visible(request.user, rows.select_related("role"))[:MEMBERS_SHOWN])
    people = User.objects.in_bulk({each.identity_id for each in held})
    members = [
        {"user": people[each.identity_id], "role": each.role} for each in held if each.identity_id in people
    ]
    return sorted(members, key=lambda member: (member["user"].username, member["role"].name))
