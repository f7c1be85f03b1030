"""Pages that span several apps: the dashboard, the search over names, and the buttons that start a flow."""

from typing import Any
from uuid import UUID

from django.core import signing
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_GET, require_POST

from access.pages import json_error, page
from access.permissions import visible
from connectors.models import Connector
from engine_site import chart, figures
from executions.models import Execution
from flows.models import Flow, Wrapper
from projects.models import Project, Setting
from records import forms
from schedules.models import Schedule

LATEST_SHOWN = 12
HITS_PER_TYPE = 6
# What the search looks for: the word above the hits, their icon, and the page that shows one.
_SEARCHED: list[tuple[type[Model], str, str, str]] = [
    (Flow, "Flows", "code", "flow-detail"),
    (Connector, "Connectors", "plug", "connector-detail"),
    (Wrapper, "Wrappers", "brackets-contain", "wrapper-detail"),
    (Setting, "Settings", "variable", "setting-detail"),
    (Project, "Projects", "folder", "project-detail"),
    (Schedule, "Schedules", "calendar-clock", "schedule-detail"),
    (Execution, "Executions", "", "execution-detail"),
]


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
    """Find records by a part of their name, executions by its beginning, any of them by id."""
    text = request.GET.get("q", "").strip()
    context = {"text": text, "groups": _hits(request, text) if text else []}
    if request.headers.get("HX-Request"):
        return render(request, "site/search_hits.html", context)
    return render(request, "site/search.html", context)


def _hits(request: HttpRequest, text: str) -> list[dict[str, Any]]:
    """Return what is found, by type: by a part of the name, executions by its beginning (only that has an index)."""
    try:
        wanted: UUID | None = UUID(text)
    except ValueError:
        wanted = None
    found = []
    for model, word, icon, view in _SEARCHED:
        rows = visible(request.user, model._default_manager.filter(deleted_at=None))
        if wanted:
            rows = rows.filter(pk=wanted)
        elif model is Execution:
            rows = rows.filter(name__startswith=text).order_by("name", "-id")
        else:
            rows = rows.filter(name__icontains=text).order_by("name")
        if model is Execution:
            rows = rows.only("id", "name", "status", "created_at")
        elif model is Project:
            rows = rows.only("id", "name")
        else:
            rows = rows.select_related("project").only("id", "name", "project__name")
        found.append({"word": word, "icon": icon, "page": view, "hits": list(rows[:HITS_PER_TYPE])})
    return [group for group in found if group["hits"]]


@require_POST
@page
def form_switch(request: HttpRequest) -> HttpResponse:
    """Draw a form of ours in its other way, with what was filled in: its fields, or their value as text."""
    try:
        return HttpResponse(forms.switch(request.POST, request.POST.get("signed", "")))
    except signing.BadSignature:
        return json_error("input_invalid", "This form is none of ours. Load the page again.", 400)
