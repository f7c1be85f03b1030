"""Starting a flow by hand: at once, or by the dialog with its inputs and options.

The dialog is a page of its own for browsers without scripts. `preview` shows what it would send.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from access.pages import page, visible_or_404, words_of
from access.permissions import Operation, require, visible
from executions import run_options
from executions.kinds import EXECUTION
from executions.models import Execution
from executions.start_body import read_start
from executions.starting import Start, start_execution
from flows.models import Flow
from records import forms
from records.kinds import resolve_references

_INPUTS, _OPTIONS = "inputs.", "options."


@require_POST
@page
def flow_run(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Start a flow at once and open its execution; one that lacks inputs leads to the dialog."""
    flow = _find(request, flow_id)
    start = Start(flow=flow, is_productive=request.POST.get("mode") != "dev")
    try:
        execution, _ = start_execution(start, by=request.user, origin=Execution.Origin.USER)
    except ValidationError as error:
        messages.error(request, f"“{flow.name}” was not started. {words_of(error)}")
        return redirect("flow-run-options", flow_id)
    return redirect("execution-detail", execution.pk)


@page
def flow_run_options(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Show the dialog; by POST start what was chosen. `?options` opens the options, `?fresh` begins with the usual."""
    flow = _find(request, flow_id)
    require(request.user, Operation.RUN, flow)
    form = run_options.options_form(flow, request.user)
    if request.method != "POST":
        last = (None, None) if "fresh" in request.GET else run_options.last_choice(flow, request.user)
        return _begin(request, flow, form, *last)
    inputs, wrong_inputs = forms.read(_schema(flow), request.POST, _INPUTS)
    options, wrong_options = forms.read(form, request.POST, _OPTIONS)
    error = ""
    if not (wrong_inputs or wrong_options):
        try:
            execution = _start(request, flow, inputs, options)
        except ValidationError as refused:
            error = words_of(refused)
        else:
            run_options.remember(flow, request.user, form, inputs, options)
            address = reverse("execution-detail", args=[execution.pk])
            if request.headers.get("HX-Request"):
                return HttpResponse(headers={"HX-Redirect": address})
            return redirect(address)
    wrong = {"inputs": wrong_inputs, "options": wrong_options}
    return _draw(request, flow, form, inputs, options, wrong=wrong, error=error)


def _begin(
    request: HttpRequest, flow: Flow, form: dict[str, Any], inputs: Any, options: dict[str, Any] | None
) -> HttpResponse:
    is_remembered, is_open = options is not None, "options" in request.GET
    is_dev = request.GET.get("mode") == "dev"
    if is_dev or (options is not None and not is_open):  # the button that was pressed says so
        options = {"orphan": True, **(options or {}), "is_productive": not is_dev}
    return _draw(request, flow, form, inputs, options, is_open=is_open, is_remembered=is_remembered)


@require_POST
@page
def flow_run_code(request: HttpRequest, flow_id: UUID) -> HttpResponse:
    """Draw the commands that start what the dialog describes right now."""
    flow = _find(request, flow_id)
    inputs, wrong_inputs = forms.read(_schema(flow), request.POST, _INPUTS)
    options, wrong_options = forms.read(run_options.options_form(flow, request.user), request.POST, _OPTIONS)
    context = _code(request, flow, inputs, options) | {"is_wrong": bool(wrong_inputs or wrong_options)}
    return render(request, "executions/run_code.html", context)


def _start(request: HttpRequest, flow: Flow, inputs: Any, options: dict[str, Any]) -> Execution:
    body = run_options.body_of(flow, inputs, options)
    start = read_start(
        body, lambda fields: resolve_references(EXECUTION, fields, lambda rows: visible(request.user, rows))
    )
    return start_execution(start, by=request.user, origin=Execution.Origin.USER)[0]


def _draw(
    request: HttpRequest,
    flow: Flow,
    form: dict[str, Any],
    inputs: Any,
    options: Any,
    *,
    wrong: dict[str, Any] | None = None,
    error: str = "",
    is_open: bool = False,
    is_remembered: bool = False,
) -> HttpResponse:
    wrong = wrong or {"inputs": [], "options": []}
    body = run_options.body_of(flow, None, options or {})
    context = {
        "flow": flow,
        "inputs": forms.render(_schema(flow), inputs, wrong["inputs"], _INPUTS, raw=True),
        "options": forms.render(form, options, wrong["options"], _OPTIONS),
        "chosen": len(body) - 1,
        "is_open": is_open or bool(wrong["options"]),
        "is_remembered": is_remembered,
        "error": error,
        **_code(request, flow, inputs, options or {}),
    }
    is_part = bool(request.headers.get("HX-Request"))
    status = 422 if not is_part and (error or any(wrong.values())) else 200
    return render(request, f"executions/run_{'form' if is_part else 'page'}.html", context, status=status)


def _code(request: HttpRequest, flow: Flow, inputs: Any, options: dict[str, Any]) -> dict[str, str]:
    body = run_options.body_of(flow, inputs, options)
    address = request.build_absolute_uri("/api/latest/execution")
    return {"as_curl": run_options.as_curl(body, address), "as_flow": run_options.as_flow(body)}


def _schema(flow: Flow) -> dict[str, Any]:
    return flow.input_schema if isinstance(flow.input_schema, dict) else {}


def _find(request: HttpRequest, flow_id: UUID) -> Flow:
    return visible_or_404(request, Flow.objects.alive().select_related("project"), flow_id)
