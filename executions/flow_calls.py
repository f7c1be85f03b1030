"""The flows' door: what a flow process may ask for, and the answer. Nothing outside this table can be called.

Each call is one operation in one transaction, checked against the permissions of the user in whose name the
execution runs. A call that must wait parks the execution and is answered when the wait is over.
"""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction

from access.permissions import PermissionRefused
from executions import hosting
from executions.calls import control, locking, records, starting, waiting
from executions.calls.base import Caller, CallRefused, Parked, PutDown, Started, refusal
from executions.calls.table import CALLS, Call, offer_calls, take_up
from executions.savepoints import HARD_LIMIT, Request, record
from records.operations import Conflict

__all__ = ["CallRefused", "Caller", "Parked", "PutDown", "Started", "answer", "go_on"]


def answer(caller: Caller, request: Request) -> Any:
    """Return the value of the call, Parked, or PutDown. Raises CallRefused, LateWrite.

    The effect and its savepoint are one transaction; a refused call has no effect, and its error is recorded.
    """
    if caller.pending is not None and caller.pending[0] == request.number:
        return _taken_up(caller, request)
    connection.ensure_connection()
    link = connection.connection
    try:
        return _answer(caller, request)
    except (PermissionRefused, ValidationError, Conflict, CallRefused) as error:
        if connection.connection is not link:
            # Django's validation takes a lost connection for a broken constraint: nothing was refused.
            raise OperationalError("the connection was lost while a call was checked") from error
        refused = error if isinstance(error, CallRefused) else refusal(error)
        record(caller, request, error=refused.as_error())
        raise refused from (None if refused is error else error)


def _answer(caller: Caller, request: Request) -> Any:
    call = CALLS.get(request.call)
    if call is None:
        raise CallRefused(
            "EngineException", f"There is no call {request.call!r} in this version of the engine."
        )
    if request.number > HARD_LIMIT:
        raise CallRefused(
            "EngineException", f"An execution can make {HARD_LIMIT:,} calls; start children instead."
        )
    if call.at_once is not None and (result := call.at_once(caller, request)) is not None:
        return result
    if call.writes:
        return _recorded(caller, request, lambda: call.function(caller, request.arguments))
    value = call.function(caller, request.arguments)
    record(caller, request, value=value)
    return value


def _recorded(caller: Caller, request: Request, work: Callable[[], Any]) -> Any:
    with transaction.atomic():
        caller.is_maintenance = hosting.fence(caller.id, caller.host_id, caller.attempt)
        result = work()
        if isinstance(result, Parked):
            record(caller, request, pending=result.wait)
        elif isinstance(result, PutDown):
            record(caller, request)
            if not result.leave():  # its end was asked for meanwhile: it stays, and hears of that
                return None
        else:
            name = request.arguments.get("name") if request.call == "savepoint.save" else None
            record(caller, request, value=result.value if isinstance(result, Started) else result, name=name)
    return result


def _taken_up(caller: Caller, request: Request) -> Any:
    """Return what came of a wait that was written down before, as `go_on` does, in a transaction of its own."""
    with transaction.atomic():
        caller.is_maintenance = hosting.fence(caller.id, caller.host_id, caller.attempt)
        try:
            return go_on(caller, request)
        except CallRefused as refused:
            over = refused  # what the wait left behind is cleared away with its error
    raise over


def go_on(caller: Caller, request: Request) -> Any:
    """Return the value of a call whose wait is over, or Parked when it is not, in the caller's transaction.

    Raises CallRefused for an error that is recorded already.
    """
    assert caller.pending is not None
    try:
        result = take_up(caller, caller.pending[1])
    except CallRefused as refused:
        record(caller, request, error=refused.as_error())
        raise
    if not isinstance(result, Parked):
        record(caller, request, value=result)
    return result


CALLS["execution.start"] = Call(starting.start, at_once=starting.start_at_once)
CALLS["execution.start_child"] = Call(starting.start_child, at_once=starting.start_child_at_once)
offer_calls(
    {
        "execution.run": starting.run,
        "execution.wait": waiting.wait,
        "execution.clone": starting.clone,
        "execution.cancel": control.cancel,
        "execution.pause": control.pause,
        "execution.resume": control.resume,
        "execution.set_output": control.set_output,
        "savepoint.save": control.save_dump,
        "savepoint.load": control.load_dump,
        "sleep": waiting.sleep,
        "lock.acquire": locking.acquire,
        "lock.release": locking.release,
        "setting.append": locking.append,
        "record.save": records.save,
        "record.delete": records.delete,
        "record.restore": records.restore,
        "record.duplicate": records.duplicate,
    },
    reads={
        "record.get": records.get,
        "record.exists": records.exists,
        "record.list": records.list_records,
    },
    waits={
        "executions": waiting.wait_for_executions_again,
        "time": waiting.sleep_again,
        "lock": locking.acquire_again,
    },
)
