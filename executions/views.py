"""Pages of one execution: header, tabs, log, children, and the buttons that cancel, rerun, run and delete it.

A request with `X-Live` gets the parts of the page that change, to be put in place.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_POST

from access.identities import name_of
from access.models import Role
from access.pages import json_error, page, visible_or_404, words_of
from access.permissions import Operation, may, visible
from executions import log_reading, operations, savepoint_views
from executions.excerpts import excerpt, failing_line, script_lines
from executions.lifecycle import ENDED, Reason, Status
from executions.models import Execution, LogLine, Transition
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


def _log(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    return {
        "log_last": log_reading.last_number(execution.pk),
        "levels": LogLine.Level.choices,
        "streams": (("log", "this.log"), ("stdout", "stdout"), ("stderr", "stderr"), ("engine", "Engine")),
        "piece": log_reading.PIECE,
    }


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
    "log": _log,
    "children": _children,
    "timeline": _timeline,
    "savepoints": savepoint_views.read_tab,
    "transitions": _transitions,
    "script": _script,
}


# -- Pieces that scripts of ours ask for ------------------------------------------------------------------


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


@require_GET
@page
def execution_log(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Answer log lines behind `after`, those that fit `level`, `stream` and `q`, and the last line's number."""
    execution = visible_or_404(request, Execution.objects.only("id", "status"), execution_id)
    given = request.GET
    try:
        after = max(0, int(given.get("after", "0")))
        limit = min(1_000, max(1, int(given.get("limit", str(log_reading.PIECE)))))
    except ValueError:
        return json_error("input_invalid", "Give whole numbers in `after` and `limit`.", 400)
    lines = log_reading.read_lines(
        execution.pk,
        min(after, 2**31 - 1),
        limit,
        level=given.get("level", ""),
        stream=given.get("stream", ""),
        text=given.get("q", "").replace("\0", "")[:200],
    )
    return JsonResponse(
        {"lines": lines, "last": log_reading.last_number(execution.pk), "is_whole": len(lines) < limit}
    )


@require_GET
@page
def execution_log_text(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Give the whole log as a file."""
    execution = visible_or_404(request, Execution.objects.only("id", "name"), execution_id)
    name = "".join(char if char.isalnum() or char in "-_." else "-" for char in execution.name)
    disposition = f'attachment; filename="{name.encode("ascii", "replace").decode().replace("?", "-")}.log"'
    text = log_reading.as_text(execution.pk)
    return HttpResponse(
        text, content_type="text/plain; charset=utf-8", headers={"Content-Disposition": disposition}
    )


# -- Buttons ----------------------------------------------------------------------------------------------


@require_POST
@page
def execution_cancel(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Ask for its end, and for that of the children that belong to it."""
    execution = _find(request, execution_id)
    try:
        operations.cancel_execution(execution, by=request.user)
        messages.success(
            request, f"“{execution.name}” is being cancelled." if not execution.is_ended else "Cancelled."
        )
    except operations.AlreadyEnded:
        messages.info(request, "It had ended already; nothing was cancelled.")
    return redirect("execution-detail", execution_id)


@require_POST
@page
def execution_rerun(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Start another one like it, on the flow's present script, and open it."""
    execution = _find(request, execution_id)
    try:
        again = operations.rerun_execution(execution, by=request.user, origin=Execution.Origin.USER)
    except ValidationError as error:
        messages.error(request, f"It was not run again. {words_of(error)}")
        return redirect("execution-detail", execution_id)
    return redirect("execution-detail", again.pk)


@require_POST
@page
def execution_run(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Start an execution that was only written down."""
    execution = _find(request, execution_id)
    try:
        operations.run_execution(execution, by=request.user)
    except operations.NotRunnable as error:
        messages.info(request, str(error))
    return redirect("execution-detail", execution_id)


@require_POST
@page
def execution_delete(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Put it into the trash, with a way back."""
    execution = _find(request, execution_id)
    try:
        operations.trash_execution(execution, by=request.user)
    except operations.StillAlive as error:
        messages.error(request, str(error))
        return redirect("execution-detail", execution_id)
    undo = reverse("execution-restore", args=[execution_id])
    messages.success(request, f"Moved “{execution.name}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("execution-monitor")


@require_POST
@page
def execution_restore(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Take it out of the trash and open it."""
    execution = _find(request, execution_id)
    operations.restore_execution(execution, by=request.user)
    messages.success(request, f"Restored “{execution.name}”.")
    return redirect("execution-detail", execution_id)
