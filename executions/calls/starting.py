"""Starting executions: children of a flow or a script, copies, and what was only written down."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from access.permissions import Operation
from executions import hosting, moves
from executions.announce import announce_ready
from executions.calls.base import (
    SNAPSHOT,
    Caller,
    CallRefused,
    Started,
    find_execution,
    find_flow,
    find_project,
    moment_of,
    number_of,
    return_when_of,
    snapshot,
    whole_of,
)
from executions.calls.waiting import wait_for, wait_on
from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import Start, like, prepare, run_created
from executions.pausing import resume_executions


def start(caller: Caller, arguments: dict[str, Any]) -> Any:
    fields = dict(arguments.get("fields") or {})
    wait = return_when_of(arguments.get("wait"))
    orphan = fields.pop("orphan", None)
    parent = Execution(pk=caller.id, project_id=caller.project_id, root_id=caller.root_id)
    wanted = Start(
        flow=find_flow(caller, arguments) if arguments.get("type") == "FLOW" else None,
        script=arguments.get("script"),
        connector_type=_connector_type(arguments),
        inputs=arguments.get("inputs"),
        project=find_project(caller, fields),
        name=str(fields.pop("name", None) or ""),
        description=str(fields.pop("description", None) or ""),
        # A child of a run in development mode is in development mode, whatever was asked for.
        is_productive=bool(fields.pop("is_productive", True)) and caller.is_productive,
        priority=whole_of(fields.pop("priority", None), "priority"),
        scheduled_for=moment_of(fields.pop("scheduled_for", None), "scheduled_for"),
        max_runtime_minutes=number_of(fields.pop("max_runtime_minutes", None), "max_runtime_minutes"),
        run=arguments.get("run", True),
        parent=parent,
        orphan=(wait is None) if orphan is None else bool(orphan),
    )
    if fields:
        raise CallRefused(
            "InvalidInputError", f"These options cannot be set here: {', '.join(sorted(fields))}."
        )
    return _launch(caller, wanted, wait)


def _connector_type(arguments: dict[str, Any]) -> str:
    if arguments.get("type") != "CONNECTION":
        return ""
    if arguments.get("select") is not None:
        raise CallRefused("ResourceNotFoundError", f"There is no connector {arguments['select']!r}.")
    return str(arguments.get("connector_type") or "none")


def _launch(caller: Caller, start: Start, wait: str | None) -> Any:
    columns, status = prepare(start, by=caller.user, origin=Execution.Origin.EXECUTION)
    key: UUID = columns["id"]
    is_connection = bool(start.connector_type)
    if wait and status == Status.QUEUED and not caller.is_maintenance and not is_connection:
        # The parent's slot passes to its child, which this host starts at once.
        columns |= {"host_id": caller.host_id, "attempt": 1}
        moves.create(Status.RUNNING, columns)
        return wait_for(caller, [key], [Status.RUNNING], wait, single=True, started=(key,))
    starts_here = (
        status == Status.QUEUED
        and (caller.has_room or is_connection)
        and not caller.is_maintenance
        and hosting.has_free_slot(caller.host_id, of_connections=is_connection)
    )
    if starts_here:  # without the queue's round trip
        columns |= {"host_id": caller.host_id, "attempt": 1}
        status = Status.RUNNING
    created_at = moves.create(status, columns)
    if wait and status != Status.CREATED:
        started = (key,) if starts_here else ()
        return wait_for(caller, [key], [status], wait, single=True, started=started)
    made = {**columns, "status": str(status), "created_at": created_at}
    value = {name: made.get(name) for name in SNAPSHOT}
    return Started(value, key) if starts_here else value


def run(caller: Caller, arguments: dict[str, Any]) -> Any:
    execution = find_execution(caller, arguments["id"], Operation.RUN)
    wait = return_when_of(arguments.get("wait"))
    if execution.status == Status.CREATED:
        run_created(execution.pk)
        announce_ready()
        execution.refresh_from_db()
    elif execution.status == Status.PAUSED:
        resume_executions([execution.pk])
        execution.refresh_from_db()
    if wait:
        return wait_on(caller, [execution.pk], wait, None, single=True)
    return snapshot(execution)


def clone(caller: Caller, arguments: dict[str, Any]) -> Any:
    source = find_execution(caller, arguments["id"], Operation.RUN)
    fields = dict(arguments.get("fields") or {})
    wait = return_when_of(arguments.get("wait"))
    wanted = replace(
        like(source),
        inputs={**(source.input_value or {}), **(arguments.get("inputs") or {})},
        name=str(arguments.get("name") or source.name),
        project=find_project(caller, fields) or source.project,
        is_productive=source.is_productive and caller.is_productive,
        priority=whole_of(fields.get("priority", source.priority), "priority"),
        max_runtime_minutes=number_of(
            fields.get("max_runtime_minutes", source.max_runtime_minutes), "max_runtime_minutes"
        ),
        parent=caller.row(),
        orphan=wait is None,
    )
    return _launch(caller, wanted, wait)
