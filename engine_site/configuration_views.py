"""The page of the workspace's configuration: four columns per option, a form in its row, and the housekeeping."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from access.pages import page, words_of
from access.permissions import WORKSPACE, Operation, may
from engine_site import workspace
from executions import housekeeping
from records.configuration import Configured


@require_GET
@page
def configuration_page(request: HttpRequest) -> HttpResponse:
    """Show every option: default, environment, manual value, and what is in force."""
    return _shown(request)


@require_POST
@page
def option_set(request: HttpRequest, name: str) -> HttpResponse:
    """Set an option by hand; a wrong value is said at its row, and what was typed stays there."""
    given = request.POST.get("value", "")
    try:
        found = _found(lambda: workspace.set_by_hand(name, given, by=request.user))
    except ValidationError as error:
        words = words_of(error).removeprefix(f"value: {name}: ")
        return _shown(request, wrong={"name": name, "value": given, "words": words}, status=422)
    messages.success(request, f"{name} is {found.effective or 'empty'} now.")
    return redirect("configuration")


@require_POST
@page
def option_reset(request: HttpRequest, name: str) -> HttpResponse:
    """Take the manual value of an option away."""
    found = _found(lambda: workspace.reset(name, by=request.user))
    messages.success(request, f"{name} is {found.effective or 'empty'} again, by {found.source}.")
    return redirect("configuration")


@require_POST
@page
def job_run(request: HttpRequest, name: str) -> HttpResponse:
    """Let a worker do a job of the housekeeping within seconds."""
    try:
        housekeeping.request_run(name, by=request.user)
    except LookupError:
        raise Http404 from None
    messages.success(request, f"A worker does “{name}” within seconds.")
    return redirect("configuration")


def _found(work: Callable[[], Configured]) -> Configured:
    try:
        return work()
    except LookupError:
        raise Http404 from None


def _shown(request: HttpRequest, wrong: dict[str, str] | None = None, status: int = 200) -> HttpResponse:
    groups: dict[str, list[Configured]] = {}
    for each in workspace.read_all(by=request.user):
        groups.setdefault(each.option.group, []).append(each)
    context = {
        "groups": groups,
        "wrong": wrong,
        "may_edit": may(request.user, Operation.UPDATE, WORKSPACE),
        "jobs": housekeeping.overview(by=request.user),
    }
    return render(request, "site/configuration.html", context, status=status)


urlpatterns = [
    path("", configuration_page, name="configuration"),
    path("<str:name>/set/", option_set, name="configuration-set"),
    path("<str:name>/reset/", option_reset, name="configuration-reset"),
    path("jobs/<str:name>/run/", job_run, name="job-run"),
]
