"""What buttons do: with one execution, with all that lives in a project, and with maintenance.

`executions.operations` and `executions.pausing` decide.
"""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from access.pages import page, visible_or_404, words_of
from executions import operations, pausing
from executions.lifecycle import Status
from executions.models import Execution
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
    except operations.AlreadyEnded:
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
def execution_cancel(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Ask for its end, and for that of the children that belong to it."""
    execution = visible_or_404(request, Execution.objects.all(), execution_id)
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
    execution = visible_or_404(request, Execution.objects.all(), execution_id)
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
    execution = visible_or_404(request, Execution.objects.all(), execution_id)
    try:
        operations.run_execution(execution, by=request.user)
    except operations.NotRunnable as error:
        messages.info(request, str(error))
    return redirect("execution-detail", execution_id)


@require_POST
@page
def execution_delete(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Put it into the trash, with a way back."""
    execution = visible_or_404(request, Execution.objects.all(), execution_id)
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
    execution = visible_or_404(request, Execution.objects.all(), execution_id)
    operations.restore_execution(execution, by=request.user)
    messages.success(request, f"Restored “{execution.name}”.")
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
