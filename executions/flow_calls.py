"""The flows' door: what a flow process may ask for, and the answer. Nothing outside this table can be called.

Each call is one operation in one transaction, checked against the permissions of the user in whose name the
execution runs. A call that must wait parks the execution and is answered when the wait is over.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.dateparse import parse_datetime

from access.models import User
from access.permissions import Operation, PermissionRefused, may, visible
from executions import hosting, moves
from executions.announce import announce, announce_ready
from executions.database import fetch, jsonb
from executions.endings import ALL_ENDED, ALL_SUCCEEDED, FIRST_ENDED, is_fulfilled
from executions.lifecycle import ENDED, Status
from executions.models import Execution
from executions.operations import (
    Start,
    cancel_executions,
    pause_executions,
    prepare,
    resume_executions,
    run_created,
)
from executions.restoring import find_savepoint, restore_hosted
from executions.savepoints import HARD_LIMIT, Request, record
from projects.models import Project
from records.filters import as_q
from records.kinds import Kind, kind_of, resolve_references, select

RETURN_WHEN = (ALL_SUCCEEDED, ALL_ENDED, FIRST_ENDED)
MAX_LIST = 10_000
MAX_SLEEP_SECONDS = 10 * 366 * 86400


class CallRefused(Exception):
    """The call cannot be answered with a value; `type` names the exception to raise in the flow."""

    def __init__(self, type: str, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.type, self.message, self.data = type, message, data or {}

    def as_error(self) -> dict[str, Any]:
        return {"type": self.type, "message": self.message, "data": self.data}


@dataclass
class Caller:
    """The execution that asks, in the attempt that its host holds."""

    id: UUID
    host_id: int
    attempt: int
    project_id: UUID
    is_productive: bool
    user: User | None
    pending: tuple[int, dict[str, Any]] | None = None  # the recorded call that waits, and for what

    def row(self) -> Execution:
        return Execution.objects.get(pk=self.id)


@dataclass(frozen=True)
class Parked:
    """The answer comes later; `wait` says what it waits for, as it is written into the savepoint.

    `wake_in`: seconds after which the wait ends at the latest. `started`: children to run on this host at once.
    """

    wait: dict[str, Any]
    wake_in: float | None = None
    started: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class PutDown:
    """The execution leaves memory with this call: `leave` takes it from RUNNING once the call is recorded."""

    leave: Callable[[], None]


def answer(caller: Caller, request: Request) -> Any:
    """Return the value of the call, Parked, or PutDown. Raises CallRefused, LateWrite.

    The effect and its savepoint are one transaction; a refused call has no effect, and its error is recorded.
    """
    try:
        if caller.pending is not None and caller.pending[0] == request.number:
            return _recorded(caller, request, lambda: _wait_again(caller, caller.pending[1]))  # type: ignore[index]
        call = _CALLS.get(request.call)
        if call is None:
            raise CallRefused("EngineException", f"There is no call {request.call!r} in this version of the engine.")
        if request.number > HARD_LIMIT:
            raise CallRefused("EngineException", f"An execution can make {HARD_LIMIT:,} calls; start children instead.")
        if call.writes:
            return _recorded(caller, request, lambda: call.function(caller, request.arguments))
        value = call.function(caller, request.arguments)
        record(caller, request, value=value)
        return value
    except (PermissionRefused, ValidationError) as error:
        refused = refusal(error)
        record(caller, request, error=refused.as_error())
        raise refused from error
    except CallRefused as refused:
        record(caller, request, error=refused.as_error())
        raise


def _recorded(caller: Caller, request: Request, work: Callable[[], Any]) -> Any:
    with transaction.atomic():
        hosting.fence(caller.id, caller.host_id, caller.attempt)
        result = work()
        if isinstance(result, Parked):
            record(caller, request, pending=result.wait)
        elif isinstance(result, PutDown):
            record(caller, request)
            result.leave()
        else:
            name = request.arguments.get("name") if request.call == "savepoint.save" else None
            record(caller, request, value=result, name=name)
    return result


def go_on(caller: Caller, request: Request) -> Any:
    """Return the value of a call whose wait is over, or Parked when it is not, in the caller's transaction.

    Raises CallRefused for an error that is recorded already.
    """
    assert caller.pending is not None
    try:
        result = _wait_again(caller, caller.pending[1])
    except CallRefused as refused:
        record(caller, request, error=refused.as_error())
        raise
    if not isinstance(result, Parked):
        record(caller, request, value=result)
    return result


def refusal(error: Exception) -> CallRefused:
    """Return the named error a flow sees for an operation's exception."""
    if isinstance(error, PermissionRefused):
        return CallRefused("PermissionDenied", str(error))
    assert isinstance(error, ValidationError)
    if hasattr(error, "error_dict"):
        words = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
    else:
        words = " ".join(error.messages)
    return CallRefused("InvalidInputError", words)


def snapshot(execution: Execution) -> dict[str, Any]:
    """Return what a flow may see of an execution when it is handed one."""
    return {
        "id": execution.pk,
        "name": execution.name,
        "type": execution.type,
        "status": execution.status,
        "reason": execution.reason,
        "message": execution.message,
        "output_value": execution.output_value,
        "project_id": execution.project_id,
        "flow_id": execution.flow_id,
        "parent_id": execution.parent_id,
        "is_productive": execution.is_productive,
        "created_at": execution.created_at,
        "ended_at": execution.ended_at,
    }


# -- Starting and waiting -----------------------------------------------------------------------------------


def _start(caller: Caller, arguments: dict[str, Any]) -> Any:
    fields = dict(arguments.get("fields") or {})
    wait = _return_when(arguments.get("wait"))
    orphan = fields.pop("orphan", None)
    parent = Execution(pk=caller.id, project_id=caller.project_id)
    parent.root_id = fetch("SELECT root_id FROM executions_execution WHERE id = %s", (caller.id,))[0][0]
    start = Start(
        flow=_find_flow(caller, arguments) if arguments.get("type") == "FLOW" else None,
        script=arguments.get("script"),
        inputs=arguments.get("inputs"),
        project=_find_project(caller, fields),
        name=str(fields.pop("name", None) or ""),
        description=str(fields.pop("description", None) or ""),
        # A child of a run in development mode is in development mode, whatever was asked for.
        is_productive=bool(fields.pop("is_productive", True)) and caller.is_productive,
        priority=_whole(fields.pop("priority", None), "priority"),
        scheduled_for=_moment(fields.pop("scheduled_for", None), "scheduled_for"),
        max_runtime_minutes=_number(fields.pop("max_runtime_minutes", None), "max_runtime_minutes"),
        run=arguments.get("run", True),
        parent=parent,
        orphan=(wait is None) if orphan is None else bool(orphan),
    )
    if fields:
        raise CallRefused("InvalidInputError", f"These options cannot be set here: {', '.join(sorted(fields))}.")
    return _launch(caller, start, wait)


def _launch(caller: Caller, start: Start, wait: str | None) -> Any:
    columns, status = prepare(start, by=caller.user, origin=Execution.Origin.EXECUTION)
    key: UUID = columns["id"]
    if wait and status == Status.QUEUED:
        # The parent's slot passes to its child, which this host starts at once.
        columns |= {"host_id": caller.host_id, "attempt": 1}
        moves.create(Status.RUNNING, columns)
        return _wait_for(caller, [key], [Status.RUNNING], wait, single=True, started=(key,))
    moves.create(status, columns)
    if status != Status.CREATED:
        announce_ready()
    if wait and status != Status.CREATED:
        return _wait_for(caller, [key], [status], wait, single=True)
    return snapshot(Execution.objects.get(pk=key))


def _run(caller: Caller, arguments: dict[str, Any]) -> Any:
    execution = _find_execution(caller, arguments["id"], Operation.RUN)
    wait = _return_when(arguments.get("wait"))
    if execution.status == Status.CREATED:
        run_created(execution.pk)
        announce_ready()
        execution.refresh_from_db()
    elif execution.status == Status.PAUSED:
        resume_executions([execution.pk])
        execution.refresh_from_db()
    if wait:
        return _wait_on(caller, [execution.pk], wait, None, single=True)
    return snapshot(execution)


def _wait(caller: Caller, arguments: dict[str, Any]) -> Any:
    ids = [_find_execution(caller, key, Operation.READ).pk for key in dict.fromkeys(map(str, arguments["ids"]))]
    if caller.id in ids:
        raise CallRefused("InvalidInputError", "An execution cannot wait for itself.")
    timeout = _number(arguments.get("timeout"), "timeout")
    until = None if timeout is None else time.time() + timeout
    return _wait_on(caller, ids, _return_when(arguments.get("return_when")) or ALL_SUCCEEDED, until)


def _wait_on(caller: Caller, ids: list[UUID], return_when: str, until: float | None, single: bool = False) -> Any:
    """Return the answer of a wait that is over, else park. `until` is the moment it ends at the latest."""
    # The share lock makes an end that happens now wait for our commit, so that it finds our wait rows.
    rows = dict(
        fetch("SELECT id, status FROM executions_execution WHERE id = ANY(%s) ORDER BY id FOR SHARE", (sorted(ids),))
    )
    statuses = [Status(rows[key]) if key in rows else Status.ENDED_CANCELLED for key in ids]
    if is_fulfilled(statuses, return_when):
        return _waited(ids, return_when, single)
    if until is not None and until <= time.time():
        raise CallRefused("DependencyTimeoutError", "The wait was not over in time.")
    return _wait_for(caller, ids, statuses, return_when, until, single=single)


def _wait_for(
    caller: Caller,
    ids: list[UUID],
    statuses: list[Status],
    return_when: str,
    until: float | None = None,
    *,
    single: bool = False,
    started: tuple[UUID, ...] = (),
) -> Parked:
    alive = [key for key, status in zip(ids, statuses, strict=True) if status not in ENDED]
    fetch(
        "INSERT INTO executions_wait (waiter_id, target_id) SELECT %s, unnest(%s::uuid[]) ON CONFLICT DO NOTHING",
        (caller.id, alive),
    )
    waiting_for = {
        "kind": "executions",
        "return_when": return_when,
        "count": len(alive),
        "ids": [str(key) for key in alive[:10]],
    }
    wake_in = None if until is None else max(until - time.time(), 0.0)
    hosting.park(caller.id, Status.WAITING_FOR_DEPENDENCY, waiting_for, wake_in)
    wait = {"kind": "executions", "ids": list(map(str, ids)), "return_when": return_when, "single": single, "until": until}
    return Parked(wait, wake_in=wake_in, started=started)


def _waited(ids: list[UUID], return_when: str, single: bool) -> Any:
    found = Execution.objects.in_bulk(ids)
    snapshots = [snapshot(found[key]) for key in ids if key in found]
    if return_when == ALL_SUCCEEDED:
        for each in snapshots:
            if each["status"] in (Status.ENDED_ERROR, Status.ENDED_CANCELLED):
                words = f"The execution {each['name']!r} ({each['id']}) ended with {each['status']}: {each['message']}"
                raise CallRefused("DependencyFailedError", words, {"execution": each})
    if single and not snapshots:
        raise CallRefused("ResourceNotFoundError", "The execution that was waited for does not exist any more.")
    return snapshots[0] if single else snapshots


def _wait_again(caller: Caller, wait: dict[str, Any]) -> Any:
    """Take up a wait where it was written down: its answer if it is over, else Parked."""
    if wait["kind"] == "time":
        return _sleep_until(caller, wait["until"])
    return _wait_on(caller, list(map(UUID, wait["ids"])), wait["return_when"], wait["until"], wait["single"])


def _sleep(caller: Caller, arguments: dict[str, Any]) -> Parked | None:
    seconds = _number(arguments.get("seconds"), "seconds")
    until = _number(arguments.get("until"), "until") if seconds is None else time.time() + seconds
    if until is None:
        raise CallRefused("InvalidInputError", "Say how long to sleep (seconds) or until when.")
    if not until < time.time() + MAX_SLEEP_SECONDS:
        raise CallRefused("InvalidInputError", "An execution can sleep for ten years at most.")
    return _sleep_until(caller, until)


def _sleep_until(caller: Caller, until: float) -> Parked | None:
    seconds = until - time.time()
    if seconds <= 0:
        return None
    moment = datetime.fromtimestamp(until, tz=UTC).isoformat()
    hosting.park(caller.id, Status.SLEEPING, {"kind": "time", "until": moment}, wake_in=seconds)
    return Parked({"kind": "time", "until": until}, wake_in=seconds)


def _clone(caller: Caller, arguments: dict[str, Any]) -> Any:
    source = _find_execution(caller, arguments["id"], Operation.RUN)
    fields = dict(arguments.get("fields") or {})
    wait = _return_when(arguments.get("wait"))
    start = Start(
        flow=source.flow,
        script=None if source.flow else source.script.text,
        script_hash=source.script_id,
        flow_version=source.flow_version,
        inputs={**(source.input_value or {}), **(arguments.get("inputs") or {})},
        name=str(arguments.get("name") or source.name),
        description=source.description,
        project=_find_project(caller, fields) or source.project,
        is_productive=source.is_productive and caller.is_productive,
        priority=_whole(fields.get("priority", source.priority), "priority"),
        max_runtime_minutes=_number(fields.get("max_runtime_minutes", source.max_runtime_minutes), "max_runtime_minutes"),
        parent=caller.row(),
        orphan=wait is None,
    )
    return _launch(caller, start, wait)


def _cancel(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    execution = _find_execution(caller, arguments["id"], Operation.RUN)
    cancel_executions([execution.pk])
    execution.refresh_from_db()
    return snapshot(execution)


def _pause(caller: Caller, arguments: dict[str, Any]) -> Any:
    execution = _find_execution(caller, arguments["id"], Operation.RUN)
    if execution.pk == caller.id:
        return PutDown(lambda: hosting.pause(caller.host_id, [caller.id]))
    pause_executions([execution.pk])
    execution.refresh_from_db()
    return snapshot(execution)


def _resume(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    execution = _find_execution(caller, arguments["id"], Operation.RUN)
    resume_executions([execution.pk])
    execution.refresh_from_db()
    return snapshot(execution)


def _save_dump(caller: Caller, arguments: dict[str, Any]) -> None:
    name = arguments.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 128:
        raise CallRefused("InvalidInputError", "A savepoint's name is a text of 1 to 128 characters.")


def _load_dump(caller: Caller, arguments: dict[str, Any]) -> PutDown:
    number = find_savepoint(caller.id, arguments.get("select"), arguments.get("by", "name"))
    if number is None:
        raise CallRefused("ResourceNotFoundError", f"There is no savepoint {arguments.get('select')!r}.")
    return PutDown(lambda: restore_hosted(caller.host_id, caller.id, number))


def _set_output(caller: Caller, arguments: dict[str, Any]) -> None:
    fetch(
        """UPDATE executions_execution SET version = version + 1, output_value =
        CASE WHEN jsonb_typeof(output_value) = 'object' THEN output_value ELSE '{}'::jsonb END || %s WHERE id = %s""",
        (jsonb(arguments["values"]), caller.id),
    )
    announce([caller.id])


# -- Records ------------------------------------------------------------------------------------------------


def _kind(arguments: dict[str, Any]) -> Kind:
    try:
        return kind_of(arguments["type"])
    except KeyError as error:
        raise CallRefused("EngineException", f"There is no record type {arguments.get('type')!r}.") from error


def _find(caller: Caller, arguments: dict[str, Any], operation: Operation = Operation.READ, trashed: bool = False) -> Any:
    kind = _kind(arguments)
    record = select(kind, arguments["select"], arguments.get("by"), rows=kind.rows(trashed=trashed))
    if record is None or not _sees(caller, record):
        raise CallRefused("ResourceNotFoundError", f"There is no {kind.name} {arguments['select']!r}.")
    if operation != Operation.READ and not may(caller.user, operation, record):
        raise CallRefused("PermissionDenied", f"You need {operation} permission on this {kind.name}.")
    return record


def _sees(caller: Caller, record: Any) -> bool:
    """An execution always sees itself and the user it acts for."""
    if record.pk in (caller.id, getattr(caller.user, "pk", None)):
        return True
    return may(caller.user, Operation.READ, record)


def _get(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    kind = _kind(arguments)
    record = _find(caller, arguments)
    wanted = arguments.get("fields")
    unknown = [name for name in wanted or () if name not in kind.read]
    if unknown:
        known = ", ".join(kind.read)
        raise CallRefused("InvalidInputError", f"A {kind.name} has no field {unknown[0]!r}; there are: {known}.")
    return kind.snapshot(record, wanted or kind.read)


def _save(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    kind = _kind(arguments)
    if kind.model is Execution:
        return _save_execution(caller, arguments)
    if kind.save is None:
        raise CallRefused("PermissionDenied", f"A {kind.name} cannot be written from a flow.")
    fields = resolve_references(kind, arguments.get("fields") or {}, lambda rows: visible(caller.user, rows))
    unknown = sorted(set(fields) - set(kind.write))
    if unknown:
        raise CallRefused("InvalidInputError", f"A {kind.name} has no writable field {unknown[0]!r}.")
    record = select(kind, arguments["select"], arguments.get("by")) if arguments.get("select") is not None else None
    if record is not None:
        record = kind.save(record, by=caller.user, **fields)
    elif kind.create is not None and arguments.get("by", "name") == "name":
        if arguments.get("select") is not None:
            fields.setdefault("name", arguments["select"])
        if "project" in kind.references:
            fields.setdefault("project", Project.objects.get(pk=caller.project_id))
        record = kind.create(by=caller.user, **fields)
    else:
        raise CallRefused("ResourceNotFoundError", f"There is no {kind.name} {arguments['select']!r}.")
    return {"id": record.pk, "name": getattr(record, kind.name_field)}


def _save_execution(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    execution = _find(caller, {**arguments, "by": "id"}, Operation.READ)
    if execution.pk != caller.id and not may(caller.user, Operation.RUN, execution):
        raise CallRefused("PermissionDenied", "You need RUN permission on this execution.")
    fields = dict(arguments.get("fields") or {})
    allowed = {"name", "description", "message", "output_value"}
    if execution.status == Status.CREATED:
        allowed |= {"input_value", "priority"}
    unknown = sorted(set(fields) - allowed)
    if unknown:
        raise CallRefused("InvalidInputError", f"{unknown[0]!r} of this execution cannot be set; {', '.join(sorted(allowed))} can.")
    if "name" in fields:
        fields["name"] = str(fields["name"]).strip()[:128] or execution.name
    sets = ", ".join(f"{name} = %({name})s" for name in fields)
    params = {n: jsonb(v) if n in ("output_value", "input_value") else v for n, v in fields.items()}
    if fields:
        fetch(f"UPDATE executions_execution SET version = version + 1, {sets} WHERE id = %(id)s", {**params, "id": execution.pk})
        announce([execution.pk])
    return {"id": execution.pk, "name": fields.get("name", execution.name)}


def _exists(caller: Caller, arguments: dict[str, Any]) -> bool:
    try:
        _find(caller, arguments)
    except CallRefused as refused:
        if refused.type == "ResourceNotFoundError":
            return False
        raise
    return True


def _delete(caller: Caller, arguments: dict[str, Any]) -> None:
    kind = _kind(arguments)
    record = _find(caller, arguments, Operation.DELETE)
    if kind.trash is None:
        raise CallRefused("PermissionDenied", f"A {kind.name} cannot be deleted from a flow.")
    kind.trash(record, by=caller.user)


def _restore(caller: Caller, arguments: dict[str, Any]) -> None:
    kind = _kind(arguments)
    if kind.restore is None:
        raise CallRefused("PermissionDenied", f"A {kind.name} cannot be restored from a flow.")
    kind.restore(_find(caller, arguments, Operation.DELETE, trashed=True), by=caller.user)


def _duplicate(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    kind = _kind(arguments)
    if kind.duplicate is None:
        raise CallRefused("PermissionDenied", f"A {kind.name} cannot be duplicated.")
    record = kind.duplicate(_find(caller, arguments), by=caller.user, name=arguments.get("name"))
    return {"id": record.pk, "name": record.name}


def _list(caller: Caller, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    kind = _kind(arguments)
    rows = visible(caller.user, kind.rows())
    columns = {field.attname for field in kind.model._meta.concrete_fields}
    if arguments.get("filter"):
        rows = rows.filter(as_q(arguments["filter"], kind.model, [name for name in kind.read if name in columns]))
    order = str(arguments.get("order") or kind.name_field)
    if order.lstrip("-") not in columns:
        raise CallRefused("InvalidInputError", f"Cannot order by {order!r}.")
    limit = min(int(arguments.get("limit") or MAX_LIST), MAX_LIST)
    return [{"id": key, "name": name} for key, name in rows.order_by(order).values_list("pk", kind.name_field)[:limit]]


# -- Reading arguments --------------------------------------------------------------------------------------


def _find_flow(caller: Caller, arguments: dict[str, Any]) -> Any:
    return _find(caller, {"type": "flow", "select": arguments.get("select"), "by": arguments.get("by")})


def _find_project(caller: Caller, fields: dict[str, Any]) -> Project | None:
    key, name = fields.pop("project_id", None), fields.pop("project_name", None)
    if key is None and name is None:
        return None
    by, value = ("id", key) if key is not None else ("name", name)
    project: Project = _find(caller, {"type": "project", "select": value, "by": by})
    return project


def _find_execution(caller: Caller, key: Any, operation: Operation) -> Execution:
    execution: Execution = _find(caller, {"type": "execution", "select": key, "by": "id"}, operation)
    return execution


def _return_when(value: Any) -> str | None:
    if value is None or value in RETURN_WHEN:
        return value
    raise CallRefused("InvalidInputError", f"{value!r} is no way to wait; there are: {', '.join(RETURN_WHEN)}.")


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CallRefused("InvalidInputError", f"{name} takes a number, not {value!r}.")
    return float(value)


def _whole(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise CallRefused("InvalidInputError", f"{name} takes a whole number, not {value!r}.")
    return value


def _moment(value: Any, name: str) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, tz=UTC)
    moment = parse_datetime(str(value))
    if moment is None:
        raise CallRefused("InvalidInputError", f"{name} takes a time such as 2030-01-31T08:30:00Z, not {value!r}.")
    return moment


@dataclass(frozen=True)
class _Call:
    function: Callable[[Caller, dict[str, Any]], Any]
    writes: bool = True


_CALLS = {
    "execution.start": _Call(_start),
    "execution.run": _Call(_run),
    "execution.wait": _Call(_wait),
    "execution.clone": _Call(_clone),
    "execution.cancel": _Call(_cancel),
    "execution.pause": _Call(_pause),
    "execution.resume": _Call(_resume),
    "execution.set_output": _Call(_set_output),
    "savepoint.save": _Call(_save_dump),
    "savepoint.load": _Call(_load_dump),
    "sleep": _Call(_sleep),
    "record.get": _Call(_get, writes=False),
    "record.save": _Call(_save),
    "record.exists": _Call(_exists, writes=False),
    "record.delete": _Call(_delete),
    "record.restore": _Call(_restore),
    "record.duplicate": _Call(_duplicate),
    "record.list": _Call(_list, writes=False),
}
