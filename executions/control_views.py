"""Buttons of control: pause and resume of one execution or a whole project, and the switch of maintenance.

What one execution's other buttons do stands in `executions.views`; `executions.pausing` decides.
"""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from access.pages import page, visible_or_404
from executions import pausing
from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import AlreadyEnded
from projects.models import Project


@require_POST
@page
def execution_pause(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Pause it and the children that belong to it."""
    execution = visible_or_404(request, Execution.objects.alive(), execution_id)
    try:
        pausing.pause_execution(execution, by=request.user)
        if execution.status == Status.PAUSED:
            messages.success(request, f"“{execution.name}” is paused.")
        else:
            messages.success(request, f"“{execution.name}” pauses at its next call.")
    except AlreadyEnded:
        messages.info(request, "It had ended already; nothing was paused.")
    except pausing.CannotPause as error:
        messages.info(request, str(error))
    return redirect("execution-detail", execution_id)


@require_POST
@page
def execution_resume(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Let it and the children that belong to it go on."""
    execution = visible_or_404(request, Execution.objects.alive(), execution_id)
    try:
        pausing.resume_execution(execution, by=request.user)
        messages.success(request, f"“{execution.name}” goes on.")
    except pausing.NotPaused:
        messages.info(request, "It was not paused; nothing was resumed.")
    return redirect("execution-detail", execution_id)


@require_POST
@page
def project_pause(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Pause all that lives in a project."""
    project = visible_or_404(request, Project.objects.alive(), project_id)
    number = pausing.pause_project(project, by=request.user)
    messages.success(request, f"Paused {_counted(number)}; what runs pauses at its next call.")
    return redirect("project-detail", project_id)


@require_POST
@page
def project_resume(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Let all that is paused in a project go on."""
    project = visible_or_404(request, Project.objects.alive(), project_id)
    number = pausing.resume_project(project, by=request.user)
    messages.success(request, f"Resumed {_counted(number)}.")
    return redirect("project-detail", project_id)


def _counted(number: int) -> str:
    return f"{number:,} execution{'' if number == 1 else 's'}"


@require_POST
@page
def maintenance_start(request: HttpRequest) -> HttpResponse:
    """Start maintenance, with a note for everybody, and go back to the page it was asked on."""
    pausing.start_maintenance(by=request.user, note=request.POST.get("note", ""))
    messages.success(request, "Maintenance is on: no worker takes on executions.")
    return _back(request)


@require_POST
@page
def maintenance_end(request: HttpRequest) -> HttpResponse:
    """End maintenance."""
    if pausing.end_maintenance(by=request.user):
        messages.success(request, "Maintenance has ended; the workers go on.")
    else:
        messages.info(request, "Maintenance was off already.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    address = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()})
    return redirect(address if is_ours else "dashboard")
