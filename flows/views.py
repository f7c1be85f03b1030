"""Pages of flows: the list, the editor, schema, executions, history and details of one flow.

Saving and checking answer scripts of ours in JSON; everything else is a form or a link.
"""

import json
from difflib import unified_diff
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access.pages import json_error, page, visible_or_404, words_of
from access.permissions import Operation, may, may_in_project, projects_with, visible
from flows import operations, scripted
from flows.checks import check_script
from flows.listing import list_flows
from flows.models import Flow, FlowVersion
from projects.models import Project
from projects.retention import read_retention
from records.forms import has_fields
from records.paging import page_by_key

LATEST_SHOWN = 12
PROJECTS_OFFERED = 200


@require_GET
@page
def flow_list(request: HttpRequest) -> HttpResponse:
    """List flows by name, filtered; typing in the filter asks for the rows alone."""
    runnable = projects_with(request.user, Operation.RUN, Flow)
    context = {
        "list": list_flows(visible(request.user, Flow.objects.all()), request.GET),
        "may_run_all": runnable is None,
        "runnable": runnable or (),
        "in_trash": "trash" in request.GET,
        "with_problems": "problems" in request.GET,
        "text": request.GET.get("q", "").strip(),
        "project_id": request.GET.get("project", ""),
        "projects": _projects(request),
    }
    template = "flows/list_rows.html" if request.headers.get("HX-Request") else "flows/list.html"
    return render(request, template, context)


@require_POST
@page
def flow_create(request: HttpRequest) -> HttpResponse:
    """Make a flow with a first script that runs, and open it."""
    project = None
    if project_id := request.POST.get("project", ""):
        project = visible(request.user, Project.objects.alive()).filter(pk=_uuid_or_404(project_id)).first()
    try:
        flow = operations.create_flow(by=request.user, project=project, name=request.POST.get("name", ""))
    except ValidationError as error:
        messages.error(request, f"The flow was not created. {words_of(error)}")
        return redirect("flow-list")
    return redirect("flow-detail", flow.pk)


@require_GET
@page
def flow_detail(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Show the script in the editor, with its problems and the latest executions."""
    flow = _find(request, flow_id)
    context = _context(request, flow, "script")
    context["problems"] = [problem.snapshot() for problem in scripted.problems_of(flow)]
    context["executions"] = list(_executions(flow)[:LATEST_SHOWN])
    return render(request, "flows/script.html", context)


@page
def flow_schema(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Show the JSON Schema of the inputs; by POST change it. An empty one means that any inputs will do."""
    flow = _find(request, flow_id)
    context = _context(request, flow, "schema")
    text = (
        json.dumps(flow.input_schema, indent=2, ensure_ascii=False) if flow.input_schema is not None else ""
    )
    if request.method == "POST":
        text = request.POST.get("input_schema", "")
        try:
            schema = json.loads(text) if text.strip() else None
            operations.save_flow(flow, by=request.user, input_schema=schema)
        except json.JSONDecodeError as error:
            context["error"] = f"This is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        except ValidationError as error:
            context["error"] = words_of(error)
        else:
            messages.success(request, "Saved the schema.")
            return redirect("flow-schema", flow_id)
    return render(
        request, "flows/schema.html", context | {"text": text}, status=422 if "error" in context else 200
    )


@require_GET
@page
def flow_executions(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """List the flow's executions, newest first."""
    flow = _find(request, flow_id)
    context = _context(request, flow, "executions")
    context["list"] = page_by_key(_executions(flow), request.GET, "id", descending=True)
    return render(request, "flows/executions.html", context)


@require_GET
@page
def flow_history(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """List the versions; `?version=N` shows that script and what it changed."""
    flow = _find(request, flow_id)
    context = _context(request, flow, "history")
    versions = FlowVersion.objects.filter(flow=flow).select_related("created_by")
    context["list"] = page_by_key(versions, request.GET, "number", descending=True, size=30)
    number = request.GET.get("version", "")
    if number.isdecimal():
        context |= _version(flow, int(number))
    return render(request, "flows/history.html", context)


@page
def flow_details(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Show the flow's other fields and how to start it by REST; by POST change the fields."""
    flow = _find(request, flow_id)
    context = _context(request, flow, "details")
    if request.method == "POST":
        try:
            operations.save_flow(flow, by=request.user, **_details(request, flow))
        except ValidationError as error:
            context["error"] = words_of(error)
        else:
            messages.success(request, "Saved.")
            return redirect("flow-details", flow_id)
    context["projects"] = _projects(request)
    context["base_url"] = request.build_absolute_uri("/").rstrip("/")
    return render(request, "flows/details.html", context, status=422 if "error" in context else 200)


@require_POST
@page
def flow_save(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Save the editor's script: answers its version and problems, or 409 when someone saved meanwhile."""
    flow = _find(request, flow_id)
    given = _json_body(request)
    if given is None or not isinstance(given.get("script"), str):
        return json_error("input_invalid", "Send an object with the script.", 400)
    based_on = given.get("version")
    if flow.version != based_on and not given.get("overwrite") and given["script"] != flow.script:
        who = flow.modified_by.username if flow.modified_by else "someone"
        return json_error(
            "conflict", f"{who} saved version {flow.version} meanwhile.", 409, version=flow.version
        )
    try:
        operations.save_flow(flow, by=request.user, script=given["script"])
    except ValidationError as error:
        return json_error("input_invalid", words_of(error), 400)
    problems = [problem.snapshot() for problem in scripted.problems_of(flow)]
    return JsonResponse({"version": flow.version, "problems": problems})


@require_POST
@page
def flow_check(request: HttpRequest) -> HttpResponse:
    """Check a script that is being written; stores nothing."""
    given = _json_body(request)
    if given is None or not isinstance(given.get("script"), str):
        return json_error("input_invalid", "Send an object with the script.", 400)
    return JsonResponse({"problems": [problem.snapshot() for problem in check_script(given["script"])]})


@require_POST
@page
def flow_duplicate(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Copy a flow and open the copy."""
    copy = operations.duplicate_flow(_find(request, flow_id), by=request.user)
    messages.success(request, f"This is the copy, “{copy.name}”.")
    return redirect("flow-detail", copy.pk)


@require_POST
@page
def flow_delete(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Put a flow into the trash, with a way back."""
    flow = _find(request, flow_id)
    try:
        operations.trash_flow(flow, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("flow-detail", flow_id)
    undo = reverse("flow-restore", args=[flow_id])
    messages.success(request, f"Moved “{flow.name}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("flow-list")


@require_POST
@page
def flow_restore(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Take a flow out of the trash and open it."""
    flow = visible_or_404(request, Flow.objects.trashed(), flow_id)
    try:
        operations.restore_flow(flow, by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{flow.name}” was not restored. {words_of(error)}")
        return redirect(f"{reverse('flow-list')}?trash")
    messages.success(request, f"Restored “{flow.name}”.")
    return redirect("flow-detail", flow_id)


@require_POST
@page
def version_restore(request: HttpRequest, flow_id: UUID, number: int) -> HttpResponse:
    """Make an earlier version's script the newest one."""
    flow = _find(request, flow_id)
    try:
        scripted.restore_version(flow, number, by=request.user)
    except FlowVersion.DoesNotExist:
        raise Http404 from None
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("flow-history", flow_id)
    messages.success(request, f"Version {flow.version} has the script of version {number}.")
    return redirect("flow-detail", flow_id)


def _find(request: HttpRequest, flow_id: UUID) -> Flow:
    return visible_or_404(
        request, Flow.objects.select_related("project", "bundle", "modified_by", "created_by"), flow_id
    )


def _context(request: HttpRequest, flow: Flow, tab: str) -> dict[str, Any]:
    in_use = not flow.is_deleted
    return {
        "flow": flow,
        "project": flow.project,
        "tab": tab,
        "may_edit": in_use and may(request.user, Operation.UPDATE, flow),
        "may_run": in_use
        and may(request.user, Operation.RUN, flow)
        and may_in_project(request.user, Operation.CREATE, flow.project_id, "execution"),
        "needs_inputs": has_fields(flow.input_schema),
    }


def _executions(flow: Flow) -> Any:
    # Through the relation: flows may not import executions, which come later in the order of apps.
    executions: Any = flow.executions.filter(deleted_at=None)
    return (
        executions.select_related("created_by", "flow")
        .defer("input_value", "output_value", "waiting_for")
        .order_by("-id")
    )


def _projects(request: HttpRequest) -> list[Project]:
    return list(
        visible(request.user, Project.objects.alive()).only("id", "name").order_by("name")[:PROJECTS_OFFERED]
    )


def _version(flow: Flow, number: int) -> dict[str, Any]:
    version = (
        FlowVersion.objects.filter(flow=flow, number=number).select_related("script", "created_by").first()
    )
    if version is None:
        raise Http404
    before = FlowVersion.objects.filter(flow=flow, number__lt=number).select_related("script").first()
    old = before.script.text.splitlines() if before else []
    changes = list(unified_diff(old, version.script.text.splitlines(), lineterm="", n=3))[2:]
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return {
        "version": version,
        "before": before,
        "changes": [(kinds.get(line[:1], "same"), line) for line in changes],
    }


def _details(request: HttpRequest, flow: Flow) -> dict[str, Any]:
    given = request.POST
    fields: dict[str, Any] = {
        "name": given.get("name", ""),
        "description": given.get("description", ""),
        "is_readonly": "is_readonly" in given,
        "max_runtime_minutes": _whole_number(given.get("max_runtime_minutes", ""), "max_runtime_minutes"),
        "priority": _whole_number(given.get("priority", ""), "priority") or 0,
        "retention": read_retention(given),
    }
    if (project_id := given.get("project", "")) and project_id != str(flow.project_id):
        fields["project"] = visible_or_404(request, Project.objects.alive(), _uuid_or_404(project_id))
    return fields


def _whole_number(text: str, field: str) -> int | None:
    try:
        return int(text) if text.strip() else None
    except ValueError:
        raise ValidationError({field: "Give a whole number."}) from None


def _json_body(request: HttpRequest) -> dict[str, Any] | None:
    try:
        body = json.loads(request.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _uuid_or_404(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
