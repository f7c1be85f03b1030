"""Starting executions: children of a flow or a script, copies, and what was only written down."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from access.permissions import Operation
from executions import moves, moves_here
from executions.announce import announce_ready
from executions.calls.base import (
    SNAPSHOT,
    Caller,
    CallRefused,
    Parked,
    Started,
    find_execution,
    find_flow,
    find_project,
    find_record,
    moment_of,
    number_of,
    return_when_of,
    snapshot,
    whole_of,
)
from executions.calls.waiting import as_data, shown, wait_for, wait_on
from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import run_created
from executions.pausing import resume_executions
from executions.savepoints import Request, as_part
from executions.sealed_inputs import secret_inputs_of
from executions.starting import Start, like, prepare


def start(caller: Caller, arguments: dict[str, Any]) -> Any:
    return _launch(caller, *_wanted(caller, arguments))


def _wanted(caller: Caller, arguments: dict[str, Any]) -> tuple[Start, str | None]:
    fields = dict(arguments.get("fields") or {})
    wait = return_when_of(arguments.get("wait"))
    orphan = fields.pop("orphan", None)
    wanted = Start(
        **_what(caller, arguments),
        inputs=arguments.get("inputs"),
        project=find_project(caller, fields),
        name=str(fields.pop("name", None) or ""),
        description=str(fields.pop("description", None) or ""),
        # A child of a run in development mode is in development mode, whatever was asked for.
        is_productive=bool(fields.pop("is_productive", True)) and caller.is_productive,
        priority=whole_of(fields.pop("priority", None), "priority"),
        scheduled_for=moment_of(fields.pop("scheduled_for", None), "scheduled_for"),
        max_runtime_minutes=number_of(fields.pop("max_runtime_minutes", None), "max_runtime_minutes"),
        roles=fields.pop("roles", None),
        savepoint_retention=fields.pop("savepoint_retention", None),
        wrappers=fields.pop("wrappers", None) or (),
        unwrapped=bool(fields.pop("unwrapped", False)),
        retention_seconds=number_of(fields.pop("retention_time", None), "retention_time"),
        secret_inputs=arguments.get("secret_inputs") or {},
        run=arguments.get("run", True),
        is_paused=bool(fields.pop("is_paused", False)),
        parent=caller.as_parent,
        orphan=(wait is None) if orphan is None else bool(orphan),
    )
    if fields:
        raise CallRefused(
            "InvalidInputError", f"These options cannot be set here: {', '.join(sorted(fields))}."
        )
    return wanted, wait


def _what(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be started, as the field of a start."""
    match arguments.get("type"):
        case "FLOW":
            return {"flow": find_flow(caller, arguments)}
        case "CONNECTION" if arguments.get("select") is not None:
            if arguments.get("connector_type") is not None:
                raise CallRefused("InvalidInputError", "Give a connector or a connector_type, not both.")
            return {"connector": find_record(caller, {**arguments, "type": "connector"})}
        case "CONNECTION":
            if not isinstance(arguments.get("connector_type"), str):
                raise CallRefused("InvalidInputError", "Give the name of a connector, or a connector_type.")
            return {"connector_type": arguments["connector_type"] or "-"}
    return {"script": arguments.get("script")}


def start_at_once(caller: Caller, request: Request) -> Any:
    """Start a child with the record of the call in the same statement: to run on this host now, or else queued.

    This is what flows do most. Returns None, with nothing done, when it takes more than that.
    """
    wanted, wait = _wanted(caller, request.arguments)
    columns, status = prepare(wanted, by=caller.user, origin=Execution.Origin.EXECUTION)
    if status != Status.QUEUED:
        return None
    is_connection = columns["script_id"] is None  # one that is wrapped is none itself
    is_here = bool(caller.has_room or is_connection or wait)
    if is_here:
        columns |= {"host_id": caller.host_id, "attempt": 1}
    key: UUID = columns["id"]
    child = columns if is_here else None
    waiting_for: dict[str, Any] | None = None
    result: Any
    if wait:
        waiting_for, written = shown([key], wait), as_data([key], wait, single=True)
        result = Parked(written, child=child)
        record, params = as_part(caller, request, pending=written)
    else:
        status = Status.RUNNING if is_here else Status.QUEUED
        value = {name: columns.get(name) for name in SNAPSHOT} | {"status": str(status)}
        result = Started(value, child) if child else value
        added = " || jsonb_build_object('created_at', made.created_at)"
        record, params = as_part(caller, request, value=value, adds=added)
    params |= {"caller": caller.id, "caller_attempt": caller.attempt, "host": caller.host_id}
    made = moves_here.create_here(columns, params, waiting_for=waiting_for, also=record)
    if made is None:
        return None
    if wait:
        caller.pending = (request.number, written)
    else:
        value["created_at"] = made
    caller.has_ties = True
    return result


def start_child(caller: Caller, arguments: dict[str, Any]) -> Any:
    """Start what the calling wrapper wraps, with other inputs or fields where the arguments say so."""
    return start(caller, _of_child(caller, arguments))


def start_child_at_once(caller: Caller, request: Request) -> Any:
    return start_at_once(caller, replace(request, arguments=_of_child(caller, request.arguments)))


def _of_child(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what `start` is asked for what the calling wrapper wraps."""
    row = caller.row()
    child = (row.input_value or {}).get("child")
    if not isinstance(child, dict):
        raise CallRefused("EngineException", "Only the execution of a wrapper has a child to start.")
    given = arguments.get("inputs")
    inputs = child.get("inputs") if given is None else given
    if changes := arguments.get("changes"):
        inputs = {**(inputs or {}), **changes}
    fields = {**(child.get("init") or {}), "name": child.get("name"), "wrappers": child.get("wrappers")}
    fields |= {**(arguments.get("fields") or {}), "unwrapped": True}
    what = {
        "type": child.get("type"),
        "script": child.get("script"),
        "connector_type": child.get("connector_type"),
        "select": child.get("flow_id") or child.get("connector_id"),
        "by": "id",
    }
    options = {"run": arguments.get("run", True), "wait": arguments.get("wait")}
    return {**what, **options, "inputs": inputs, "fields": fields, "secret_inputs": secret_inputs_of(row)}


def _launch(caller: Caller, start: Start, wait: str | None) -> Any:
    columns, status = prepare(start, by=caller.user, origin=Execution.Origin.EXECUTION)
    key: UUID = columns["id"]
    caller.has_ties = True
    created_at = moves.create(status, columns)
    if wait and status != Status.CREATED:
        return wait_for(caller, [key], [status], wait, single=True)
    made = {**columns, "status": str(status), "created_at": created_at}
    return {name: made.get(name) for name in SNAPSHOT}


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
    same = like(source, by=caller.user)
    wanted = replace(
        same,
        roles=fields.get("roles", same.roles),
        inputs=_changed(source, arguments.get("inputs") or {}),
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


def _changed(source: Execution, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of an execution with changes; those of a wrapper's execution are meant for what it wraps."""
    inputs: dict[str, Any] = source.input_value or {}
    if source.type != Execution.Type.WRAPPER:
        return {**inputs, **changes}
    child = inputs["child"]
    return {**inputs, "child": {**child, "inputs": {**(child.get("inputs") or {}), **changes}}}
