"""The buttons of a connector's pages that start connections: try it, and run it with inputs."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from access.pages import page, visible_or_404, words_of
from connectors.models import Connector
from executions.models import Execution
from executions.starting import Start, start_execution, try_connector
from records.texts import read_value


@require_POST
@page
def connector_test(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Try the connection; its page shows what comes of it."""
    connector = _find(request, connector_id)
    try:
        execution = try_connector(connector, by=request.user, origin=Execution.Origin.USER)
    except ValidationError as error:
        messages.error(request, f"“{connector.name}” was not tried. {words_of(error)}")
        return redirect("connector-detail", connector.pk)
    return redirect(f"{reverse('connector-detail', args=[connector.pk])}?test={execution.pk}")


@require_POST
@page
def connector_run(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """Make a connection with these inputs and open its execution. What is wrong is said where they were typed."""
    connector = _find(request, connector_id)
    try:
        text = request.POST.get("inputs", "")
        inputs = read_value(text) if text.strip() else None
        start = Start(connector=connector, inputs=inputs, unwrapped="unwrapped" in request.POST)
        execution, _ = start_execution(start, by=request.user, origin=Execution.Origin.USER)
    except ValidationError as error:
        if request.headers.get("HX-Request"):
            return render(request, "connectors/run_error.html", {"error": words_of(error)})
        messages.error(request, f"“{connector.name}” was not run. {words_of(error)}")
        return redirect("connector-detail", connector.pk)
    address = reverse("execution-detail", args=[execution.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": address})
    return redirect(address)


def _find(request: HttpRequest, connector_id: UUID) -> Connector:
    return visible_or_404(request, Connector.objects.alive(), connector_id)
