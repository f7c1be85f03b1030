"""Pages of roles that are held: giving and taking them, and what somebody may do by them.

The pages of users build on it; webhooks and schedules have theirs here.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from access import operations
from access.effective import OPERATIONS, effective_rows, effective_tables
from access.models import IdentityKind, IdentityRole, Operation, Role
from access.pages import page, visible_or_404, words_of
from access.permissions import may, may_anywhere, visible
from records.identifiers import as_uuid
from records.kinds import kind_of

PROJECTS_OFFERED = 500


def offered(request: HttpRequest) -> dict[str, Any]:
    """Return the roles and projects that the forms offer to give."""
    projects = visible(request.user, kind_of("project").rows().order_by("name"))[:PROJECTS_OFFERED]
    roles = visible(request.user, Role.objects.alive().order_by("name"))
    return {
        "roles": list(roles),
        "projects": list(projects.only("id", "name")),
        "may_give": may(request.user, Operation.CREATE, IdentityRole),  # everywhere
        "gives_roles": may_anywhere(request.user, Operation.CREATE, IdentityRole),
    }


def given_role(request: HttpRequest) -> tuple[Role, Any]:
    """Return the role and the place that a form gives, the place None for everywhere. Raises ValidationError."""
    role_id = as_uuid(request.POST.get("role", ""))
    role = visible(request.user, Role.objects.alive()).filter(pk=role_id).first() if role_id else None
    if role is None:
        raise ValidationError("Choose one of the roles.")
    key = request.POST.get("project", "")
    if not key:
        return role, None
    project = visible(request.user, kind_of("project").rows()).filter(pk=as_uuid(key)).first()
    if project is None:
        raise ValidationError("Choose one of the projects, or everywhere.")
    return role, project


def permission_tables(request: HttpRequest, kind: str, identity_id: UUID) -> dict[str, Any]:
    """Return what `access/permission_tables.html` shows of an identity, in the projects that the asking person sees."""
    rows = effective_rows(kind, identity_id)
    wanted = {row.project_id for row in rows if row.project_id}
    projects = visible(request.user, kind_of("project").rows()).filter(pk__in=wanted).order_by("name")
    return {"tables": effective_tables(rows, projects), "operations": OPERATIONS}


@page
def identity_roles(request: HttpRequest, kind: str, identity_id: UUID) -> HttpResponse:
    """Show the roles of a webhook or schedule, and what it may do by them; by POST give it one."""
    if kind not in (IdentityKind.WEBHOOK, IdentityKind.SCHEDULE):
        raise Http404
    identity: Any = visible_or_404(request, kind_of(kind).rows(), identity_id)
    if request.method == "POST":
        try:
            role, project = given_role(request)
            propagate = "propagate" in request.POST
            operations.give_role(
                kind, identity_id, role, by=request.user, project=project, propagate=propagate
            )
            messages.success(request, f"“{identity}” has the role.")
        except ValidationError as error:
            messages.error(request, f"Nothing was changed. {words_of(error)}")
        return redirect("identity-roles", kind, identity_id)
    context = offered(request) | permission_tables(request, kind, identity_id)
    context |= {
        "identity": identity,
        "kind": kind,
        "address": reverse(f"{kind}-detail", args=[identity_id]),
        "held": list(operations.roles_held(kind, identity_id)),
    }
    return render(request, "access/identity.html", context)


@require_POST
@page
def role_take(request: HttpRequest, held_id: UUID) -> HttpResponse:
    """Take a held role away, from whatever identity, and go back to the page it was asked on."""
    held = visible_or_404(request, IdentityRole.objects.select_related("role", "project"), held_id)
    operations.take_role(held, by=request.user)
    messages.success(request, f"Took the role {held} away.")
    if request.POST.get("back") == "holder":
        if held.identity_kind == IdentityKind.USER:
            return redirect("user-roles", held.identity_id)
        return redirect("identity-roles", held.identity_kind, held.identity_id)
    return redirect("role-holders", held.role_id)
