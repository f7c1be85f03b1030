"""What a browser may ask to hear, and the snapshot it gets first. The socket and the polling door share it.

    {"subscribe": "shell"}                                      the running count
    {"subscribe": "monitor", "filter": {…}, "ids": […]}          + rows of the filter, and of the ids it shows
    {"subscribe": "execution", "id": …, "log_after": n, "ids": […]}   + its tree's rows, and its log behind line n

Answers: {"type": "snapshot", "rows", "running"}, then "changes" (rows), "running" (count), "log" (lines, last),
"topic" (there is news in another part, see `executions.topics`), "resync" (ask anew), "ping". Rows carry a version;
whoever keeps the highest is right.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from access.permissions import Operation, projects_with, visible
from executions import monitor
from executions.hub import Interest, Projects, log_message
from executions.live import running_by_project
from executions.log_reading import PIECE, last_number, read_lines
from executions.models import Execution

_IDS_AT_MOST = 500


class NotThere(Exception):
    """The execution does not exist, or this person may not see it."""


def visible_projects(identity: Any) -> Projects:
    """Return the projects whose executions this identity may see; None stands for all."""
    return projects_with(identity, Operation.READ, Execution)


def read_interest(wish: Mapping[str, Any], identity: Any) -> Interest:
    """Return what is asked for. Raises ValidationError, NotThere."""
    match wish.get("subscribe"):
        case "shell":
            return Interest()
        case "monitor":
            given = wish.get("filter") or {}
            if not isinstance(given, dict):
                raise ValidationError({"filter": "Give an object of URL parameters."})
            return Interest(monitor=monitor.read_filter(given, identity))
        case "execution":
            return _execution(wish, identity)
    raise ValidationError({"subscribe": "Give shell, monitor or execution."})


def _execution(wish: Mapping[str, Any], identity: Any) -> Interest:
    ids = _ids([wish.get("id")])
    executions = visible(identity, Execution.objects.filter(pk__in=ids))
    found = executions.values_list("pk", "root_id").first()
    if found is None:
        raise NotThere
    log_after = wish.get("log_after")
    if log_after is not None and (not isinstance(log_after, int) or log_after < 0):
        raise ValidationError({"log_after": "Give the number of the last line you have, or 0."})
    return Interest(execution=found[0], root=found[1])  # its log follows once the snapshot is read


def _ids(given: Any) -> list[UUID]:
    if not isinstance(given, list) or len(given) > _IDS_AT_MOST:
        raise ValidationError({"ids": f"Give a list of up to {_IDS_AT_MOST} ids."})
    try:
        return [UUID(str(value)) for value in given]
    except ValueError:
        raise ValidationError({"ids": "Give ids."}) from None


def read_snapshot(identity: Any, interest: Interest, wish: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the first messages: rows, running count, log lines; sets `interest.log_after` to what they carry."""
    projects = visible_projects(identity)
    running = running_by_project()
    count = sum(number for project, number in running.items() if projects is None or project in projects)
    snapshot: dict[str, Any] = {"type": "snapshot", "rows": [], "running": count}
    ids = _ids(wish.get("ids") or [])
    if interest.execution is not None:
        ids.append(interest.execution)
    rows = monitor.read_shown(identity, ids) if ids else []
    if interest.monitor is not None:
        try:
            rows = [*monitor.read_page(identity, interest.monitor).rows, *rows]
        except monitor.TooSlow:
            snapshot["is_too_slow"] = True
    snapshot["rows"] = list({row["id"]: row for row in rows}.values())
    messages = [snapshot]
    if interest.execution is not None and wish.get("log_after") is not None:
        messages.append(_log(interest.execution, interest, wish["log_after"]))
    return messages


def _log(execution_id: UUID, interest: Interest, after: int) -> dict[str, Any]:
    lines = read_lines(execution_id, after)
    last = lines[-1][0] if lines else after
    if len(lines) == PIECE:
        last = last_number(execution_id)
    # Whoever is further behind sees the gap and asks for the pieces it wants to show.
    interest.log_after = last
    return log_message(execution_id, after, lines, last)
