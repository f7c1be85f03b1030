"""Pages that span several apps: the dashboard, the search over names, and the buttons that start a flow."""

from typing import Any
from uuid import UUID

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_GET, require_POST

from access.pages import json_error, page
from access.permissions import visible
from engine_site import chart, figures
from executions.models import Execution
from flows.models import Flow
from projects.models import Project
from records import forms

LATEST_SHOWN = 12
HITS_PER_TYPE = 6


@require_GET
@page
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show what happened in the last week, what happens now, and the first steps while nothing has run."""
    latest = list(_latest(request)[:LATEST_SHOWN])
    days = figures.executions_by_day(request.user)
    context: dict[str, Any] = {
        "executions": latest,
        "columns": chart.columns(days),
        "chart": chart,
        "total": sum(day.total for day in days),
        "errors": sum(day.error for day in days),
        "ratio": figures.success_ratio(days),
        "flows": visible(request.user, Flow.objects.alive().filter(project__deleted_at=None))[
            : figures.COUNTED
        ].count(),
        "alive": figures.alive_now(request.user),
    }
    if not latest:
        flows = visible(request.user, Flow.objects.alive())
        context["first_flow"] = flows.only("id", "name").order_by("id").first()
        context["base_url"] = request.build_absolute_uri("/").rstrip("/")
    return render(request, "site/dashboard.html", context)


def _latest(request: HttpRequest) -> Any:
    executions = visible(request.user, Execution.objects.alive()).select_related(
        "created_by", "flow", "project"
    )
    return executions.defer("input_value", "output_value", "waiting_for", "flow__script").order_by("-id")


@require_GET
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead browsers that ask by habit, on pages that are not ours, to the icon."""
    return redirect(static("img/logo.svg"))


@require_GET
@page
def search(request: HttpRequest) -> HttpResponse:
    """Find flows and projects by a part of their name, executions by its beginning, any of them by id."""
    text = request.GET.get("q", "").strip()
    context = {"text": text, "groups": _hits(request, text) if text else []}
    if request.headers.get("HX-Request"):
        return render(request, "site/search_hits.html", context)
    return render(request, "site/search.html", context)


def _hits(request: HttpRequest, text: str) -> list[dict[str, Any]]:
    flows = (
        visible(request.user, Flow.objects.alive())
        .select_related("project")
        .only("id", "name", "project__name")
    )
    projects = visible(request.user, Project.objects.alive()).only("id", "name")
    executions = visible(request.user, Execution.objects.alive()).only("id", "name", "status", "created_at")
    try:
        wanted: UUID | None = UUID(text)
    except ValueError:
        wanted = None
    if wanted:
        flows = flows.filter(pk=wanted)
        projects = projects.filter(pk=wanted)
        executions = executions.filter(pk=wanted)
    else:
        flows = flows.filter(name__icontains=text).order_by("name")
        projects = projects.filter(name__icontains=text).order_by("name")
        # By its beginning: only that has an index, and there may be millions.
        executions = executions.filter(name__startswith=text).order_by("name", "-id")
    found = [
        {"word": "Flows", "icon": "code", "page": "flow-detail", "hits": list(flows[:HITS_PER_TYPE])},
        {
            "word": "Projects",
            "icon": "folder",
            "page": "project-detail",
            "hits": list(projects[:HITS_PER_TYPE]),
        },
        {
            "word": "Executions",
            "icon": "",
            "page": "execution-detail",
            "hits": list(executions[:HITS_PER_TYPE]),
        },
    ]
    return [group for group in found if group["hits"]]


@require_POST
@page
def form_switch(request: HttpRequest) -> HttpResponse:
    """Draw a form of ours in its other way, with what was filled in: its fields, or their value as text."""
    try:
        return HttpResponse(forms.switch(request.POST, request.POST.get("signed", "")))
    except signing.BadSignature:
        return json_error("input_invalid", "This form is none of ours. Load the page again.", 400)
