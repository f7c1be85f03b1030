"""The tab Savepoints of an execution's page: the list, one whole answer, and the buttons Restore and Fork.

`executions.savepoint_list` reads, `executions.restoring` decides.
"""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access.pages import json_error, page, visible_or_404, words_of
from executions import restoring
from executions.lifecycle import Status
from executions.models import Execution, Savepoint
from executions.operations import AlreadyEnded
from executions.savepoint_list import SavepointRow, read_savepoint, read_savepoints

PAGE_SIZE = 50
_SHORT = 140
_LARGEST_NUMBER = 2**31 - 1


def read_tab(request: HttpRequest, execution: Execution) -> dict[str, Any]:
    """Return what the tab shows: savepoints newest first, from number `at` down; `named` ones only if asked for."""
    at, named = _at(request), "named" in request.GET
    found = read_savepoints(execution.pk, before=at + 1, limit=PAGE_SIZE + 1, newest_first=True, named=named)
    last = Savepoint.objects.filter(execution=execution).aggregate(last=Max("number"))["last"]
    rows = found[:PAGE_SIZE]
    return {
        "savepoints": [_shown(row) for row in rows],
        "savepoints_last": last or 0,
        "savepoints_older": rows[-1]["number"] - 1 if len(found) > PAGE_SIZE else None,
        "is_newest_page": at == _LARGEST_NUMBER - 1,
        "is_named_only": named,
        # Only what runs makes calls; whatever else happens is heard of.
        "is_growing": execution.status == Status.RUNNING and at == _LARGEST_NUMBER - 1,
        "are_forgotten": execution.is_ended and execution.savepoint_retention == "none",
    }


def _at(request: HttpRequest) -> int:
    text = request.GET.get("at", "")
    return min(int(text), _LARGEST_NUMBER - 1) if text.isdecimal() else _LARGEST_NUMBER - 1


def _shown(row: SavepointRow) -> dict[str, Any]:
    """Return the row with its result in short, and whether there is more of it to unfold."""
    if row["is_pending"]:
        return {**row, **_wait_in_words(row["value"])}
    text = _in_short(row)
    is_branch = isinstance(row["value"], dict | list) and bool(row["value"])
    return {**row, "short": text, "unfolds": row["is_cut"] or is_branch or len(text) > _SHORT}


def _wait_in_words(wait: Any) -> dict[str, Any]:
    """Return what a pending call waits for, and the moment it ends at the latest."""
    wait = wait if isinstance(wait, dict) else {}
    count = len(wait.get("ids") or ())
    until = wait.get("until")
    words = "wakes"
    if wait.get("kind") == "executions":
        words = f"waits for {count:,} execution{'' if count == 1 else 's'}{', gives up' if until else ''}"
    return {"short": words, "until": datetime.fromtimestamp(until, UTC) if until else None}


def _in_short(row: SavepointRow) -> str:
    if row["is_cut"]:
        return "a long answer"
    error, value = row["error"], row["value"]
    if isinstance(error, dict):
        return f"{error.get('type', 'Error')}: {error.get('message', '')}"[: _SHORT + 1]
    if isinstance(value, dict) and "id" in value and isinstance(value.get("name"), str):
        return f"“{value['name']}”, {value['id']}"  # a record
    return json.dumps(value, ensure_ascii=False)[: _SHORT + 1]


@require_GET
@page
def savepoint_value(request: HttpRequest, execution_id: UUID, number: int) -> HttpResponse:
    """Answer one savepoint with its whole value, for the tree that unfolds."""
    execution = visible_or_404(request, Execution.objects.only("id"), execution_id)
    found = read_savepoint(execution.pk, number)
    if found is None:
        return json_error("not_found", "This savepoint is not kept any more.", 404)
    return JsonResponse(found)


@require_POST
@page
def execution_go_back(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Take it back to the savepoint on whose row Restore was pressed."""
    execution, number = _asked(request, execution_id)
    try:
        restoring.restore_execution(execution, number, by=request.user)
        messages.success(request, f"“{execution.name}” goes on from savepoint {number:,}.")
    except (AlreadyEnded, restoring.NoSuchSavepoint) as error:
        messages.error(request, str(error))
    return redirect(_tab(execution_id))


@require_POST
@page
def execution_fork(request: HttpRequest, execution_id: UUID) -> HttpResponse:
    """Start a new one from the savepoint on whose row Fork was pressed, and open it."""
    execution, number = _asked(request, execution_id)
    try:
        forked = restoring.fork_execution(execution, number, by=request.user, origin=Execution.Origin.USER)
    except (restoring.NoSuchSavepoint, ValidationError) as error:
        words = words_of(error) if isinstance(error, ValidationError) else str(error)
        messages.error(request, f"Nothing was forked. {words}")
        return redirect(_tab(execution_id))
    messages.success(request, f"Forked from savepoint {number:,} of “{execution.name}”.")
    return redirect("execution-detail", forked.pk)


def _asked(request: HttpRequest, execution_id: UUID) -> tuple[Execution, int]:
    rows = Execution.objects.alive().select_related("project", "flow", "script", "created_by")
    execution = visible_or_404(request, rows, execution_id)
    text = request.POST.get("savepoint", "")
    return execution, int(text) if text.isdecimal() else 0


def _tab(execution_id: UUID) -> str:
    return f"{reverse('execution-detail', args=[execution_id])}?tab=savepoints"
