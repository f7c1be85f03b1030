"""The tab Log of an execution's page: what it shows, lines for the script that draws them, and the log as a file.

`executions.log_reading` reads; new lines come through the live socket.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from access.pages import json_error, page, visible_or_404
from executions import log_reading
from executions.models import Execution, LogLine


def read_tab(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    """Return what the tab shows before its script asks for lines."""
    return {
        "log_last": log_reading.last_number(execution.pk),
        "levels": LogLine.Level.choices,
        "streams": (("log", "this.log"), ("stdout", "stdout"), ("stderr", "stderr"), ("engine", "Engine")),
        "piece": log_reading.PIECE,
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
