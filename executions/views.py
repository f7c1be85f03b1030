"""Pages of one execution: its header, its tabs and the rows of its children.

Its buttons stand in `executions.control_views`, the tabs with a life of their own in `log_views` and `savepoint_views`.
A request with `X-Live` gets the parts of the page that change, to be put in place.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET

from access.identities import name_of
from access.models import Role
from access.pages import json_error, page, visible_or_404
from access.permissions import Operation, may, visible
from executions import log_reading, log_views, savepoint_views
from executions.excerpts import excerpt, failing_line, script_lines
from executions.lifecycle import ENDED, Reason, Status
from executions.models import Execution, Transition
from executions.panels import draw_panels
from executions.retention import expiry_of
from executions.snapshots import one_line, read_rows
from executions.timeline import read_timeline
from executions.waiting import why_it_waits

TABS = (
    ("overview", "Overview", "layout-dashboard"),
    ("inputs", "Inputs", "braces"),
    ("output", "Output", "transfer"),
    ("log", "Log", "file-text"),
    ("children", "Children", "sitemap"),
    ("timeline", "Timeline", "timeline"),
    ("savepoints", "Savepoints", "bookmark"),
    ("transitions", "Transitions", "history"),
    ("script", "Script", "code"),
)
_OF_SCRIPTS = {"children", "savepoints", "script"}  # tabs of what has a script
CHILDREN_AT_ONCE = 100
TRANSITIONS_SHOWN = 1_000
INTERRUPTIONS = (Reason.HOST_LOST, Reason.CRASHED, Reason.PUT_DOWN)
_MINI_ROWS = 8


@require_GET
@page
def execution_detail(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Show one execution; `?tab=` chooses the tab."""
    execution = _find(request, execution_id)
    tabs = [each for each in TABS if execution.script_id or each[0] not in _OF_SCRIPTS]
    tab = request.GET.get("tab", "overview")
    tab = tab if tab in {name for name, _, _ in tabs} else "overview"
    context = _header(request, execution) | {"tab": tab, "tabs": tabs}
    context |= _READ_TAB[tab](request, execution)
    template = "executions/detail_parts.html" if request.headers.get("X-Live") else "executions/detail.html"
    return render(request, template, context)


@require_GET
@page
def execution_drawer(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Show the overview beside the monitor's list."""
    execution = _find(request, execution_id)
    context = _header(request, execution) | _overview(request, execution) | {"is_drawer": True}
    return render(request, "executions/drawer.html", context)


def _find(request: HttpRequest, execution_id: UUID) -> Execution:
    executions = Execution.objects.select_related(
        "project",
        "flow",
        "flow__project",
        "wrapper",
        "connector",
        "script",
        "created_by",
        "host",
        "deleted_by",
    )
    return visible_or_404(request, executions.defer("flow__script", "wrapper__script"), execution_id)


def _header(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    may_run = may(request.user, Operation.RUN, execution)
    related = _related(request, execution)
    return {
        "execution": execution,
        "project": execution.project,
        "parent": related.get(execution.parent_id),
        "starter": _starter(execution),
        "rerun_of": related.get(execution.rerun_of_id),
        "forked_from": related.get(execution.forked_from_id),
        "why": why_it_waits(execution, request.user),
        "line": one_line(execution.message, execution.reason),
        "reason": Reason(execution.reason).label if execution.reason in Reason.values else "",
        "may_run": may_run and execution.deleted_at is None,
        "may_cancel": may_run and not execution.is_ended,
        "may_pause": may_run and _can_pause(execution),
        "may_resume": may_run and _can_resume(execution),
        "is_stopping": bool(execution.cancel_requested_at) and not execution.is_ended,
        "may_rerun": may_run and execution.status != Status.CREATED,
        "may_start": may_run and execution.status == Status.CREATED,
        "may_delete": execution.deleted_at is None
        and (execution.is_ended or execution.status == Status.CREATED)
        and may(request.user, Operation.DELETE, execution),
    }


def _starter(execution: Execution) -> dict[str, str] | None:
    """Return the webhook or schedule that started it, with the address of its page."""
    kind = execution.starter_kind
    if not execution.starter_id or execution.origin not in (
        Execution.Origin.WEBHOOK,
        Execution.Origin.SCHEDULE,
    ):
        return None
    try:
        address = reverse(f"{kind}-detail", args=[execution.starter_id])
    except NoReverseMatch:
        address = ""
    return {"kind": kind, "name": name_of(kind, execution.starter_id), "address": address}


def _can_pause(execution: Execution) -> bool:
    """Tell whether it lives, was started, and nobody asked for its pause or its end yet."""
    is_wished = execution.pause_requested_at or execution.cancel_requested_at
    is_under_way = execution.status == Status.RUNNING and execution.script_id is None  # a connection
    is_at_rest = execution.is_ended or execution.status in (Status.CREATED, Status.PAUSED)
    return not (is_at_rest or is_wished or is_under_way)


def _can_resume(execution: Execution) -> bool:
    """Tell whether it is paused, or is about to be."""
    return execution.status == Status.PAUSED or bool(
        execution.pause_requested_at and not execution.is_ended and not execution.cancel_requested_at
    )


def _acts_with(execution: Execution) -> str:
    """Return the names of the roles that the execution has."""
    if execution.roles is None:
        is_everything = execution.created_by is not None and execution.created_by.is_superuser
        return "everything its superuser may" if is_everything else "all roles of its starter"
    names = Role.objects.filter(pk__in=execution.roles).order_by("name").values_list("name", flat=True)
    return ", ".join(names) or "no role"


def _related(request: HttpRequest, execution: Execution) -> dict[UUID | None, Execution]:
    ids = [key for key in (execution.parent_id, execution.rerun_of_id, execution.forked_from_id) if key]
    if not ids:
        return {}
    found = visible(request.user, Execution.objects.filter(pk__in=ids)).only("id", "name", "status")
    return {each.pk: each for each in found}


# -- Tabs -------------------------------------------------------------------------------------------------


def _overview(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    marked = failing_line(execution.message, execution.name) if execution.reason == Reason.RAISED else None
    counts = execution.children.order_by().values("status").annotate(number=Count("id"))
    children = {row["status"]: row["number"] for row in counts}
    last = log_reading.last_number(execution.pk)
    return {
        "panels": draw_panels(request, execution),
        "interruption": _last_interruption(execution),
        "acts_with": _acts_with(execution),
        "expiry": expiry_of(execution),
        "excerpt": excerpt(_script_of(execution), marked),
        "failing_line": marked,
        "children": [(status, children[status]) for status in Status.values if status in children],
        "children_total": sum(children.values()),
        "timeline": read_timeline(execution, request.user, _MINI_ROWS),
        "log_last": last,
        "log_lines": log_reading.read_lines(execution.pk, max(0, last - 8)),
    }


def _last_interruption(execution: Execution) -> tuple[str, datetime] | None:
    """Return in words why and when its process was lost last; None when it never was."""
    if execution.attempt < 2:
        return None
    steps = Transition.objects.filter(execution=execution, reason__in=INTERRUPTIONS).order_by("-version")
    found = steps.values_list("reason", "at").first()
    return (str(Reason(found[0]).label), found[1]) if found else None


def _children(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    return _read_children(request, execution.pk, None) | {"depth": 0}


def _timeline(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    return {"timeline": read_timeline(execution, request.user)}


def _transitions(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    steps = list(Transition.objects.filter(execution=execution).order_by("-version")[:TRANSITIONS_SHOWN])
    after = [None, *[step.at for step in steps[:-1]]]
    return {
        "steps": [
            {
                "step": step,
                "until": next_at,
                "is_last": step.new in ENDED,
                "reason": Reason(step.reason).label if step.reason in Reason.values else step.reason,
            }
            for step, next_at in zip(steps, after, strict=False)
        ]
    }


def _script_of(execution: Execution) -> str:
    return execution.script.text if execution.script else ""


def _script(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    marked = failing_line(execution.message, execution.name) if execution.reason == Reason.RAISED else None
    return {"lines": script_lines(_script_of(execution), marked), "failing_line": marked}


_READ_TAB = {
    "overview": _overview,
    "inputs": lambda request, execution: {},
    "output": lambda request, execution: {},
    "log": log_views.read_tab,
    "children": _children,
    "timeline": _timeline,
    "savepoints": savepoint_views.read_tab,
    "transitions": _transitions,
    "script": _script,
}


@require_GET
@page
def execution_children(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Draw the rows of an execution's children, oldest first, behind the one in `after`."""
    execution = visible_or_404(request, Execution.objects.only("id"), execution_id)
    try:
        after = UUID(request.GET["after"]) if request.GET.get("after") else None
        depth = min(50, max(0, int(request.GET.get("depth", "0"))))
    except ValueError:
        return json_error("input_invalid", "Give an id in `after` and a number in `depth`.", 400)
    context = _read_children(request, execution.pk, after)
    context |= {"depth": depth, "is_tree": True, "is_narrow": "narrow" in request.GET}
    return render(request, "executions/child_rows.html", context)


def _read_children(request: HttpRequest, execution_id: UUID, after: UUID | None) -> dict[str, Any]:
    children = visible(request.user, Execution.objects.filter(parent=execution_id)).order_by("id")
    if after is not None:
        children = children.filter(id__gt=after)
    rows = read_rows(children[: CHILDREN_AT_ONCE + 1], with_children=True)
    return {
        "rows": rows[:CHILDREN_AT_ONCE],
        "has_more": len(rows) > CHILDREN_AT_ONCE,
        "execution_id": execution_id,
    }
