"""Pages of connectors: the list, the form of one, its value as JSON, its wrappers, where it is used, its details.

They show secrets nowhere. The buttons that start connections are in `executions.connection_views`.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access.pages import page, uuid_or_404, visible_or_404, words_of
from access.permissions import Operation, may, may_anywhere, visible
from connectors import forms, operations
from connectors.kinds import CONNECTOR
from connectors.listing import list_connectors
from connectors.models import Connector
from connectors.types import MODULES, type_of
from flows.models import Flow
from flows.wrapping_views import kept_wrappers
from projects.models import Project
from records.paging import page_by_key
from records.texts import read_value, write_value

PROJECTS_OFFERED = 200
FLOWS_SHOWN = 50


@require_GET
@page
def connector_list(request: HttpRequest) -> HttpResponse:
    """List connectors by name, filtered; typing in the filter asks for the rows alone."""
    context = {
        "list": list_connectors(visible(request.user, Connector.objects.all()), request.GET),
        "in_trash": "trash" in request.GET,
        "text": request.GET.get("q", "").strip(),
        "project_id": request.GET.get("project", ""),
        "type_name": request.GET.get("type", ""),
        "types": list(MODULES),
        "projects": _projects(request),
        "may_create": may_anywhere(request.user, Operation.CREATE, "connector"),
    }
    template = "connectors/list_rows.html" if request.headers.get("HX-Request") else "connectors/list.html"
    return render(request, template, context)


@require_POST
@page
def connector_create(request: HttpRequest) -> HttpResponse:
    """Make a connector and open its form."""
    project = None
    if project_id := request.POST.get("project", ""):
        project = visible(request.user, Project.objects.alive()).filter(pk=uuid_or_404(project_id)).first()
    try:
        connector = operations.create_connector(
            by=request.user,
            project=project,
            name=request.POST.get("name", ""),
            connector_type=request.POST.get("connector_type", ""),
        )
    except ValidationError as error:
        messages.error(request, f"The connector was not created. {words_of(error)}")
        return redirect("connector-list")
    return redirect("connector-detail", connector.pk)


@page
def connector_detail(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Show the form of the connector's value; by POST change it. What was typed as a secret is kept as one."""
    connector = _find(request, connector_id)
    context = _context(request, connector, "form")
    if request.method != "POST":
        trial = _trial(request, connector, request.GET.get("test", ""))
        context |= {**forms.draw(connector), "trial": trial}
        return render(request, "connectors/form.html", context)
    value, faults = forms.read(connector, request.POST)
    if not faults:
        try:
            operations.save_connector(connector, by=request.user, value=value)
        except ValidationError as error:
            context["error"] = words_of(error)
        else:
            messages.success(request, "Saved.")
            return redirect("connector-detail", connector_id)
    context |= forms.draw(connector, value, faults)
    return render(request, "connectors/form.html", context, status=422)


@page
def connector_json(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Show the value as JSON; by POST change it, and the secrets that are named."""
    connector = _find(request, connector_id)
    context = _context(request, connector, "json")
    text = write_value(connector.value)
    if request.method == "POST":
        text, secrets = request.POST.get("value", ""), request.POST.get("secrets", "")
        try:
            fields = {"value": read_value(text) if text.strip() else {}}
            if secrets.strip():
                fields["secrets"] = read_value(secrets)
            operations.save_connector(connector, by=request.user, **fields)
        except ValidationError as error:
            context["error"] = words_of(error)
        else:
            messages.success(request, "Saved.")
            return redirect("connector-json", connector_id)
    status = 422 if "error" in context else 200
    return render(request, "connectors/json.html", context | {"text": text}, status=status)


@page
def connector_wrappers(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Show the wrappers that connections of this connector run through; by POST change them."""
    connector = _find(request, connector_id)
    return kept_wrappers(request, CONNECTOR, connector, _context(request, connector, "wrappers"))


@require_GET
@page
def connector_use(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """List the connections made with it, newest first, and the flows whose scripts name it."""
    connector = _find(request, connector_id)
    context = _context(request, connector, "use")
    context["list"] = page_by_key(_executions(request, connector), request.GET, "id", descending=True)
    flows = visible(request.user, Flow.objects.alive().filter(project__deleted_at=None))
    named = flows.filter(script__contains=connector.name).select_related("project").defer("script")
    context["flows"] = list(named.order_by("name")[: FLOWS_SHOWN + 1])
    context["flows_shown"] = FLOWS_SHOWN
    return render(request, "connectors/use.html", context)


@page
def connector_details(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Show the connector's other fields and how to use it; by POST change the fields."""
    connector = _find(request, connector_id)
    context = _context(request, connector, "details")
    if request.method == "POST":
        try:
            operations.save_connector(connector, by=request.user, **_details(request, connector))
        except ValidationError as error:
            context["error"] = words_of(error)
        else:
            messages.success(request, "Saved.")
            return redirect("connector-details", connector_id)
    context["projects"] = _projects(request)
    context["base_url"] = request.build_absolute_uri("/").rstrip("/")
    status = 422 if "error" in context else 200
    return render(request, "connectors/details.html", context, status=status)


@require_GET
@page
def connector_trial(request: HttpRequest, connector_id: UUID, execution_id: UUID) -> HttpResponse:
    """Show what came of a test of the connection so far."""
    connector = _find(request, connector_id)
    trial = _trial(request, connector, str(execution_id))
    if trial is None:
        raise Http404
    return render(request, "connectors/trial.html", {"connector": connector, "trial": trial})


@require_POST
@page
def connector_forget(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Remove one stored secret."""
    connector = _find(request, connector_id)
    path = request.POST.get("path", "")
    change: Any = None
    for name in reversed(path.split(".")):
        change = {name: change}
    try:
        if path in connector.secret_fields:
            operations.save_connector(connector, by=request.user, secrets=change)
            messages.success(request, f"Removed the secret {path}.")
    except ValidationError as error:
        messages.error(request, words_of(error))
    return redirect("connector-detail", connector_id)


@require_POST
@page
def connector_duplicate(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Copy a connector and open the copy."""
    copy = operations.duplicate_connector(_find(request, connector_id), by=request.user)
    messages.success(request, f"This is the copy, “{copy.name}”.")
    return redirect("connector-detail", copy.pk)


@require_POST
@page
def connector_delete(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Put a connector into the trash, with a way back."""
    connector = _find(request, connector_id)
    try:
        operations.trash_connector(connector, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("connector-detail", connector_id)
    undo = reverse("connector-restore", args=[connector_id])
    messages.success(request, f"Moved “{connector.name}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("connector-list")


@require_POST
@page
def connector_restore(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Take a connector out of the trash and open it."""
    connector = visible_or_404(request, Connector.objects.trashed(), connector_id)
    try:
        operations.restore_connector(connector, by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{connector.name}” was not restored. {words_of(error)}")
        return redirect(f"{reverse('connector-list')}?trash")
    messages.success(request, f"Restored “{connector.name}”.")
    return redirect("connector-detail", connector_id)


def _find(request: HttpRequest, connector_id: UUID) -> Connector:
    rows = Connector.objects.select_related("project", "bundle", "modified_by", "created_by", "deleted_by")
    return visible_or_404(request, rows, connector_id)


def _context(request: HttpRequest, connector: Connector, tab: str) -> dict[str, Any]:
    in_use = not connector.is_deleted
    may_edit = in_use and may(request.user, Operation.UPDATE, connector)
    return {
        "connector": connector,
        "base": "connectors/base.html",
        "kind": type_of(connector.connector_type),
        "project": connector.project,
        "tab": tab,
        "may_edit": may_edit,
        "may_save": may_edit and not connector.is_locked,
        "may_delete": in_use and may(request.user, Operation.DELETE, connector),
        "may_create": in_use and may_anywhere(request.user, Operation.CREATE, "connector"),
        "may_run": in_use and may(request.user, Operation.RUN, connector),
    }


def _executions(request: HttpRequest, connector: Connector) -> Any:
    # Through the relation: connectors may not import executions, which come later in the order of apps.
    executions: Any = visible(request.user, connector.executions.filter(deleted_at=None))
    deferred = ("input_value", "output_value", "sealed_inputs", "waiting_for")
    return executions.select_related("created_by", "project", "parent").defer(*deferred).order_by("-id")


def _trial(request: HttpRequest, connector: Connector, key: str) -> Any:
    """Return the execution of a test of this connector; None when it is none."""
    try:
        return _executions(request, connector).filter(pk=UUID(key)).first()
    except ValueError:
        return None


def _projects(request: HttpRequest) -> list[Project]:
    rows = visible(request.user, Project.objects.alive()).only("id", "name").order_by("name")
    return list(rows[:PROJECTS_OFFERED])


def _details(request: HttpRequest, connector: Connector) -> dict[str, Any]:
    given = request.POST
    fields: dict[str, Any] = {
        "name": given.get("name", ""),
        "description": given.get("description", ""),
        "is_readonly": "is_readonly" in given,
    }
    if (project_id := given.get("project", "")) and project_id != str(connector.project_id):
        fields["project"] = visible_or_404(request, Project.objects.alive(), uuid_or_404(project_id))
    return fields
