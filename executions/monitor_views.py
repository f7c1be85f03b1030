"""Pages of the Execution Live Monitor: the list, its pieces, bulk actions, and the polling door of live news.

The filter stands in the URL; `executions.monitor` answers it, `executions.operations` does what is asked for.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from access.models import User
from access.pages import json_error, page, words_of
from access.permissions import PermissionRefused, visible
from executions import monitor, operations, pausing, subscriptions
from executions.activity import last_hour
from executions.models import Execution
from flows.models import Flow
from projects.models import Project
from records.identifiers import as_uuid

BULK_AT_MOST = 100
OFFERED = 200
PARAMETERS = ("group", "type", "project", "flow", "mode", "q", "since", "from", "to", "who", "view")
GROUP_CHIPS = (
    ("", "All", ""),
    ("active", "Active", "activity"),
    ("running", "Running", "loader-2"),
    ("waiting", "Waiting", "hourglass"),
    ("paused", "Paused", "player-pause"),
    ("success", "Success", "circle-check"),
    ("error", "Error", "circle-x"),
    ("cancelled", "Cancelled", "ban"),
)


@require_GET
@page
def monitor_page(request: HttpRequest) -> HttpResponse:
    """Show present and past executions, newest first; `part=rows` answers the rows alone."""
    given = {name: request.GET[name] for name in PARAMETERS if request.GET.get(name)}
    context: dict[str, Any] = {
        "given": given,
        "query": urlencode(given),
        "is_tree": given.get("view") == "tree",
    }
    status = 200
    try:
        wanted = monitor.read_filter(given, request.user)
        listed = monitor.read_page(request.user, wanted, as_uuid(request.GET.get("after", "")))
        context |= {"rows": listed.rows, "older": listed.older}
    except ValidationError as error:
        context |= {"rows": [], "wrong": words_of(error)}
        status = 400
    except monitor.TooSlow:
        context |= {"rows": [], "is_too_slow": True}
    if request.GET.get("part") == "rows":
        return render(request, "executions/monitor_part.html", context, status=status)
    return render(request, "executions/monitor.html", context | _bar(request, given), status=status)


def _bar(request: HttpRequest, given: dict[str, str]) -> dict[str, Any]:
    """Return what the filter bar offers, always with what is chosen now."""
    projects = visible(request.user, Project.objects.alive()).order_by("name").values("id", "name")
    flows = visible(request.user, Flow.objects.alive()).order_by("name").values("id", "name")
    bar: dict[str, Any] = {
        "chips": [
            (label, icon, _with(given, group=group), given.get("group", "") == group)
            for group, label, icon in GROUP_CHIPS
        ],
        "projects": _offered(projects, given.get("project", "")),
        "flows": _offered(flows, given.get("flow", "")),
        "types": Execution.Type.choices,
        "since": list(monitor.SINCE),
        "flat_url": _with(given, view=""),
        "tree_url": _with(given, view="tree"),
        "has_filter": bool(set(given) - {"view"}),
        "filter_json": json.dumps(given),
    }
    who = as_uuid(given.get("who", ""))
    if who is not None:
        bar["who_name"] = User.objects.filter(pk=who).values_list("username", flat=True).first() or str(who)
    return bar


def _offered(rows: Any, chosen: str) -> list[dict[str, Any]]:
    offered = list(rows[:OFFERED])
    chosen_id = as_uuid(chosen)
    if chosen_id and all(row["id"] != chosen_id for row in offered):
        offered += list(rows.filter(pk=chosen_id))
    return offered


def _with(given: dict[str, str], **changed: str) -> str:
    kept = {name: value for name, value in (given | changed).items() if value}
    return f"?{urlencode(kept)}" if kept else "?"


@require_GET
@page
def monitor_count(request: HttpRequest) -> HttpResponse:
    """Answer how many executions match, counted to a limit."""
    try:
        count = monitor.read_count(request.user, monitor.read_filter(request.GET.dict(), request.user))
    except ValidationError as error:
        return json_error("input_invalid", words_of(error), 400)
    except monitor.TooSlow:
        return JsonResponse({"count": None, "text": "many"})
    text = f"{monitor.COUNTED:,}+" if count > monitor.COUNTED else f"{count:,}"
    return JsonResponse({"count": count, "text": text})


@require_GET
@page
def monitor_activity(request: HttpRequest) -> HttpResponse:
    """Draw starts and failures of the last hour."""
    minutes = last_hour(request.user)
    most = max((minute.starts for minute in minutes or []), default=0)
    context = {
        "minutes": minutes,
        "most": most,
        "starts": sum(minute.starts for minute in minutes or []),
        "failures": sum(minute.failures for minute in minutes or []),
        "columns": [
            (
                number,
                minute,
                26 * minute.starts / most if most else 0,
                26 * minute.failures / most if most else 0,
            )
            for number, minute in enumerate(minutes or [])
        ],
    }
    return render(request, "executions/activity.html", context)


@require_POST
@page
def live_poll(request: HttpRequest) -> HttpResponse:
    """Answer what a new subscription would hear first: for browsers whose socket cannot connect."""
    try:
        wish = json.loads(request.body)
        if not isinstance(wish, dict):
            raise ValueError
        interest = subscriptions.read_interest(wish, request.user)
        messages = subscriptions.read_snapshot(request.user, interest, wish)
    except ValidationError as error:
        return json_error("input_invalid", words_of(error), 400)
    except ValueError:
        return json_error("input_invalid", "Send a JSON object.", 400)
    except subscriptions.NotThere:
        return json_error("not_found", "There is no such execution.", 404)
    return JsonResponse({"messages": messages})


@require_POST
@page
def rows_of(request: HttpRequest) -> HttpResponse:
    """Draw the rows of the given ids, in the order of the list: how new ones come into an open page."""
    try:
        ids = [UUID(value) for value in request.POST.get("ids", "").split(",") if value][:BULK_AT_MOST]
    except ValueError:
        return json_error("input_invalid", "Give ids.", 400)
    rows = monitor.read_drawn(request.user, ids)
    return render(
        request, "executions/rows.html", {"rows": rows, "is_tree": request.POST.get("view") == "tree"}
    )


@require_POST
@page
def monitor_matching(request: HttpRequest) -> HttpResponse:
    """Answer the ids of all that match, up to a limit: what “all matching” acts on."""
    try:
        ids = monitor.read_matching_ids(request.user, monitor.read_filter(request.POST.dict(), request.user))
    except ValidationError as error:
        return json_error("input_invalid", words_of(error), 400)
    except monitor.TooSlow:
        return json_error("too_slow", "Too much to search through. Narrow the filter.", 400)
    return JsonResponse({"ids": ids, "limit": monitor.MATCHING_AT_MOST})


def _rerun(execution: Execution, by: Any) -> Any:
    return operations.rerun_execution(execution, by=by, origin=Execution.Origin.USER)


BULK: dict[str, Callable[[Execution, Any], Any]] = {
    "cancel": lambda execution, by: operations.cancel_execution(execution, by=by),
    "pause": lambda execution, by: pausing.pause_execution(execution, by=by),
    "resume": lambda execution, by: pausing.resume_execution(execution, by=by),
    "rerun": _rerun,
    "delete": lambda execution, by: operations.trash_execution(execution, by=by),
    "restore": lambda execution, by: operations.restore_execution(execution, by=by),
}


@require_POST
@page
def monitor_bulk(request: HttpRequest) -> HttpResponse:
    """Do one thing to up to 100 executions, each for itself; answers how many it was done to and what failed."""
    act = BULK.get(request.POST.get("action", ""))
    if act is None:
        return json_error("input_invalid", f"Choose an action: {', '.join(BULK)}.", 400)
    try:
        ids = [UUID(value) for value in request.POST.get("ids", "").split(",") if value]
    except ValueError:
        return json_error("input_invalid", "Give ids.", 400)
    if len(ids) > BULK_AT_MOST:
        return json_error("input_invalid", f"Give up to {BULK_AT_MOST} ids at a time.", 400)
    executions = visible(request.user, Execution.objects.filter(pk__in=ids)).select_related(
        "project", "flow", "script"
    )
    # Oldest first: a parent is cancelled with its children, and reruns keep their order.
    done, failed, found = [], [], set()
    for execution in executions.order_by("id"):
        found.add(execution.pk)
        words = _attempt(act, execution, request.user)
        if words is None:
            done.append(execution.pk)
        else:
            failed.append({"id": execution.pk, "name": execution.name, "message": words})
    failed += [
        {"id": key, "name": str(key), "message": "It is not there any more."}
        for key in ids
        if key not in found
    ]
    return JsonResponse({"done": done, "failed": failed})


def _attempt(act: Callable[[Execution, Any], Any], execution: Execution, by: Any) -> str | None:
    try:
        act(execution, by)
    except ValidationError as error:
        return words_of(error)
    except (
        PermissionRefused,
        operations.AlreadyEnded,
        operations.StillAlive,
        pausing.NotPaused,
        pausing.CannotPause,
    ) as error:
        return str(error)
    return None
