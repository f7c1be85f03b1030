"""Pages where schedules are made and changed: the form, the fields of a scheduler, and the preview of the next runs."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from access.pages import page, visible_or_404, words_of
from access.permissions import Operation, visible
from flows.models import Flow
from projects.bundles import import_bundle
from projects.contents import free_name
from schedules import operations
from schedules.forms import ScheduleForm, draw_configuration, read_configuration
from schedules.helper import BUNDLE, start_helper
from schedules.models import Schedule, Scheduler
from schedules.recurrence import BUILT_IN, zones
from schedules.views import context_of, find, shown_times

_OFFERED = 200


@page
def schedule_create(request: HttpRequest) -> HttpResponse:
    """Make a schedule of the flow in the address; without one, ask for it on the list."""
    flow = _flow(request)
    if flow is None:
        messages.error(request, "Choose the flow that is to be started.")
        return redirect("schedule-list")
    schedulers = _schedulers(request)
    if request.method == "POST":
        form = ScheduleForm.read(request.POST, flow, _chosen(request, schedulers))
        if form.is_sound:
            try:
                schedule = operations.create_schedule(by=request.user, **form.fields())
            except ValidationError as error:
                form.error = words_of(error)
            else:
                messages.success(request, f"“{schedule.name}” is made.")
                return redirect("schedule-detail", schedule.pk)
    else:
        first = next(
            (each for each in schedulers if each.built_in == "daily"), schedulers[0] if schedulers else None
        )
        form = ScheduleForm(flow, first, free_name(Schedule, flow.name), configuration=_example(first))
    return _show(request, form, schedulers, {"is_new": True, "may_edit": True})


@page
def schedule_settings(request: HttpRequest, schedule_id: UUID) -> HttpResponse:
    """Show a schedule's fields; by POST change them."""
    schedule, schedulers = find(request, schedule_id), _schedulers(request)
    form = ScheduleForm.of(schedule)
    if request.method == "POST":
        flow = _named_flow(request, schedule.flow)
        form = ScheduleForm.read(request.POST, flow or schedule.flow, _chosen(request, schedulers))
        if flow is None:
            form.error = f"There is no flow {request.POST.get('flow_name', '')!r} here."
        if form.is_sound:
            fields = {**form.fields(), "is_readonly": "is_readonly" in request.POST}
            try:
                operations.save_schedule(schedule, by=request.user, **fields)
            except ValidationError as error:
                form.error = words_of(error)
            else:
                messages.success(request, "Saved.")
                return redirect("schedule-settings", schedule_id)
    return _show(request, form, schedulers, context_of(request, schedule, "settings"))


def _show(
    request: HttpRequest, form: ScheduleForm, schedulers: list[Scheduler], context: dict[str, Any]
) -> HttpResponse:
    is_wrong = request.method == "POST"
    context |= {
        "form": form,
        "schedulers": schedulers,
        "zones": sorted(zones()),
        "flows": _flows(request).order_by("name").values_list("name", flat=True)[:_OFFERED],
    }
    template = "schedules/create.html" if context.get("is_new") else "schedules/settings.html"
    return render(request, template, context, status=422 if is_wrong else 200)


@require_GET
@page
def schedule_configuration(request: HttpRequest) -> HttpResponse:
    """Draw the fields of the chosen scheduler, filled with its example."""
    scheduler = _chosen(request, _schedulers(request))
    return HttpResponse(draw_configuration(scheduler, _example(scheduler)))


def _example(scheduler: Scheduler | None) -> Any:
    return BUILT_IN[scheduler.built_in].example if scheduler and scheduler.built_in else None


@require_POST
@page
def schedule_preview(request: HttpRequest) -> HttpResponse:
    """Show the next ten runs of what is filled in, or what is wrong with it."""
    scheduler = _chosen(request, _schedulers(request))
    context: dict[str, Any] = {"scheduler": scheduler}
    if scheduler is not None and scheduler.built_in:
        try:
            context["times"] = _previewed(request, scheduler)
        except ValidationError as error:
            context["error"] = words_of(error)
    return render(request, "schedules/preview.html", context)


def _previewed(request: HttpRequest, scheduler: Scheduler) -> list[dict[str, Any]]:
    configuration, faults = read_configuration(request.POST, scheduler)
    if faults:
        raise ValidationError(
            [f"{'.'.join(map(str, fault.path))} {fault.words}.".strip() for fault in faults]
        )
    zone = request.POST.get("time_zone", "").strip() or "UTC"
    form = ScheduleForm.read(request.POST, Flow(), scheduler)
    ends_at = None if form.faults["policy"] else form.fields()["ends_at"]
    found = operations.preview(scheduler, configuration, zone, ends_at=ends_at)
    return shown_times(found, ZoneInfo(zone))


@require_POST
@page
def schedule_helper(request: HttpRequest) -> HttpResponse:
    """Start the helper flow for a flow, and open its execution, which asks for the details."""
    flow = _flow(request)
    if flow is None:
        raise Http404
    try:
        execution = start_helper(flow, by=request.user)
    except ValidationError as error:
        messages.error(request, words_of(error))
        return redirect("flow-detail", flow.pk)
    if execution is None:
        return redirect(f"{reverse('schedule-create')}?{urlencode({'flow': str(flow.pk)})}")
    return redirect("execution-detail", execution.pk)


@require_POST
@page
def scheduling_import(request: HttpRequest) -> HttpResponse:
    """Import the bundle with the built-in schedulers, and go back to where they were missed."""
    try:
        import_bundle(BUNDLE, by=request.user)
        messages.success(request, "The schedulers are here.")
    except ValidationError as error:
        messages.error(request, words_of(error))
    flow = request.POST.get("flow", "")
    return redirect(f"{reverse('schedule-create')}?{urlencode({'flow': flow})}" if flow else "scheduler-list")


# -- What is chosen -------------------------------------------------------------------------------------------


def _flows(request: HttpRequest) -> "QuerySet[Flow]":
    return visible(request.user, Flow.objects.alive(), Operation.RUN)


def _flow(request: HttpRequest) -> Flow | None:
    rows = _flows(request).select_related("project")
    given = request.POST if request.method == "POST" else request.GET
    if name := given.get("flow_name", "").strip():
        return rows.filter(name=name).first()
    try:
        return visible_or_404(request, rows, UUID(given.get("flow", "")))
    except ValueError:
        return None


def _named_flow(request: HttpRequest, present: Flow) -> Flow | None:
    name = request.POST.get("flow_name", present.name).strip()
    if name == present.name:
        return present
    return _flows(request).filter(name=name).first()


def _schedulers(request: HttpRequest) -> list[Scheduler]:
    rows = visible(request.user, Scheduler.objects.alive()).filter(project__deleted_at=None)
    order = list(BUILT_IN)
    return sorted(
        rows.defer("script", "description")[:_OFFERED],
        key=lambda each: (order.index(each.built_in) if each.built_in else len(order), each.name),
    )


def _chosen(request: HttpRequest, schedulers: list[Scheduler]) -> Scheduler | None:
    wanted = (request.POST if request.method == "POST" else request.GET).get("scheduler", "")
    return next((each for each in schedulers if str(each.pk) == wanted), None)
