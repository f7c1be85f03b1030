"""Pages of schedules: the list, one schedule with its next runs and firings, and what is done at once.

Making and changing one stands in `schedules.form_views`, schedulers in `schedules.scheduler_views`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access.pages import page, visible_or_404, words_of
from access.permissions import Operation, may, may_anywhere, visible
from executions.lifecycle import Status
from executions.models import Execution
from flows.models import Flow
from projects.models import Project
from records.paging import page_by_key
from schedules import operations
from schedules.forms import draw_range, read_range
from schedules.listing import list_schedules
from schedules.models import Firing, Schedule

FIRINGS_SHOWN = 8
OFFERED = 200


@require_GET
@page
def schedule_list(request: HttpRequest) -> HttpResponse:
    """List schedules by name, filtered; typing in the filter asks for the rows alone."""
    context = {
        "list": list_schedules(visible(request.user, Schedule.objects.all()), request.GET),
        "in_trash": "trash" in request.GET,
        "show": request.GET.get("show", ""),
        "text": request.GET.get("q", "").strip(),
        "project_id": request.GET.get("project", ""),
        "projects": visible(request.user, Project.objects.alive())
        .order_by("name")
        .only("id", "name")[:OFFERED],
        "flows": visible(request.user, Flow.objects.alive(), Operation.RUN)
        .order_by("name")
        .only("id", "name")[:OFFERED],
        "may_create": may_anywhere(request.user, Operation.CREATE, Schedule),
    }
    template = "schedules/list_rows.html" if request.headers.get("HX-Request") else "schedules/list.html"
    return render(request, template, context)


@require_GET
@page
def schedule_detail(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Show a schedule: what it starts and when, its next runs, and what became of the latest times."""
    schedule = find(request, schedule_id)
    return render(
        request, "schedules/detail.html", context_of(request, schedule, "overview") | _state(schedule)
    )


@require_GET
@page
def schedule_state(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Show the part of that page that changes by itself; it asks every few seconds."""
    schedule = find(request, schedule_id)
    return render(
        request, "schedules/state.html", context_of(request, schedule, "overview") | _state(schedule)
    )


@require_GET
@page
def schedule_firings(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """List what became of its times, the latest first."""
    schedule = find(request, schedule_id)
    rows = Firing.objects.filter(schedule=schedule).select_related("execution")
    context = context_of(request, schedule, "firings")
    context["list"] = page_by_key(rows, request.GET, "nominal_at", descending=True)
    return render(request, "schedules/firings.html", context)


def find(request: HttpRequest, schedule_id: UUID) -> Schedule:
    """Return the schedule with what its pages show. Raises Http404."""
    rows = Schedule.objects.select_related(
        "flow", "scheduler", "project", "bundle", "created_by", "modified_by", "deleted_by"
    )
    return visible_or_404(request, rows, schedule_id)


def context_of(request: HttpRequest, schedule: Schedule, tab: str) -> dict[str, Any]:
    """Return what every page of a schedule needs."""
    is_open = not schedule.is_deleted
    return {
        "schedule": schedule,
        "tab": tab,
        "may_edit": is_open and may(request.user, Operation.UPDATE, schedule),
        "may_run": is_open and may(request.user, Operation.RUN, schedule),
        "may_delete": is_open and may(request.user, Operation.DELETE, schedule),
        "in_trash": schedule.is_deleted,
    }


def _state(schedule: Schedule) -> dict[str, Any]:
    zone = ZoneInfo(schedule.time_zone)
    live = Execution.objects.filter(pk=schedule.execution_id).first() if schedule.execution_id else None
    rows = Firing.objects.filter(schedule=schedule).select_related("execution")
    return {
        "next_runs": shown_times(schedule.next_runs, zone),
        "wakes_at": live.ready_at if live and live.script_id and live.status == Status.SLEEPING else None,
        "live": live,
        "firings": rows.order_by("-nominal_at")[:FIRINGS_SHOWN],
        "range": draw_range(),
    }


def shown_times(moments: list[datetime], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return moments with the clocks' time of the schedule's zone beside them."""
    return [{"at": each, "shown": each.astimezone(zone)} for each in moments]


# -- Done at once ---------------------------------------------------------------------------------------------


@require_POST
@page
def schedule_switch(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Enable or disable a schedule."""
    schedule = find(request, schedule_id)
    wanted = request.POST.get("is_enabled") == "true"
    word = "enabled" if wanted else "disabled"
    try:
        operations.save_schedule(schedule, by=request.user, is_enabled=wanted)
        messages.success(request, f"“{schedule.name}” is {word}.")
    except ValidationError as error:
        messages.error(request, f"“{schedule.name}” was not {word}. {words_of(error)}")
    return (
        redirect("schedule-list") if "in_list" in request.POST else redirect("schedule-detail", schedule_id)
    )


@require_POST
@page
def schedule_run(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Start the flow now, as the schedule does, and open the execution."""
    try:
        execution = operations.run_now(find(request, schedule_id), by=request.user)
    except ValidationError as error:
        messages.error(request, f"It was not started. {words_of(error)}")
        return redirect("schedule-detail", schedule_id)
    return redirect("execution-detail", execution.pk)


@require_POST
@page
def schedule_backfill(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Start the flow for past times of a range; asked by htmx, only say which these are."""
    schedule, is_asking = find(request, schedule_id), bool(request.headers.get("HX-Request"))
    try:
        start, end = read_range(request.POST)
        if is_asking:
            found = operations.look_back(schedule, start, end)
            zone = ZoneInfo(schedule.time_zone)
            context = {"found": found, "first": shown_times(found.open[:3], zone)}
            return render(request, "schedules/backfill.html", context)
        found = operations.backfill(schedule, start, end, by=request.user)
        count = len(found.open)
        words = "1 past time is" if count == 1 else f"{count:,} past times are"
        messages.success(request, f"{words} started.")
    except ValidationError as error:
        if is_asking:
            return render(request, "schedules/backfill.html", {"error": words_of(error)})
        messages.error(request, f"Nothing was started. {words_of(error)}")
    return redirect("schedule-firings", schedule_id)


@require_POST
@page
def schedule_duplicate(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Make a copy and open it."""
    try:
        copy = operations.duplicate_schedule(find(request, schedule_id), by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("schedule-detail", schedule_id)
    messages.success(request, "This is the copy. It is disabled.")
    return redirect("schedule-detail", copy.pk)


@require_POST
@page
def schedule_delete(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Put a schedule into the trash, with a way back."""
    schedule = find(request, schedule_id)

    def trash() -> None:
        operations.trash_schedule(schedule, by=request.user)
        undo = reverse("schedule-restore", args=[schedule_id])
        messages.success(request, f"Moved “{schedule.name}” to the trash.", extra_tags=f"undo:{undo}")

    return _attempt(request, trash, "schedule-list", "schedule-detail", schedule_id)


@require_POST
@page
def schedule_restore(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Take a schedule out of the trash."""
    schedule = find(request, schedule_id)

    def restore() -> None:
        operations.restore_schedule(schedule, by=request.user)
        messages.success(request, f"Restored “{schedule.name}”. It is disabled.")

    return _attempt(request, restore, "schedule-detail", "schedule-list", schedule_id)


def _attempt(
    request: HttpRequest, act: Callable[[], None], then: str, otherwise: str, schedule_id: UUID
) -> HttpResponse:
    try:
        act()
    except ValidationError as error:
        messages.error(request, words_of(error))
        then = otherwise
    return redirect(then, schedule_id) if then == "schedule-detail" else redirect(then)
