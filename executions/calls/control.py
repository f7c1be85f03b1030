"""Controlling executions: cancel, pause, resume, named savepoints, and the output of the caller itself."""

from collections.abc import Callable
from typing import Any

from access.permissions import Operation
from executions import hosting
from executions.announce import announce
from executions.calls.base import Caller, CallRefused, PutDown, find_execution, snapshot
from executions.database import fetch, jsonb
from executions.operations import cancel_executions
from executions.pausing import pause_executions, resume_executions
from executions.restoring import find_savepoint, restore_hosted


def cancel(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    execution = find_execution(caller, arguments["id"], Operation.RUN)
    cancel_executions([execution.pk])
    execution.refresh_from_db()
    return snapshot(execution)


def pause(caller: Caller, arguments: dict[str, Any]) -> Any:
    execution = find_execution(caller, arguments["id"], Operation.RUN)
    if execution.pk == caller.id:
        return PutDown(lambda: hosting.pause(caller.host_id, [caller.id]))
    pause_executions([execution.pk])
    execution.refresh_from_db()
    return snapshot(execution)


def resume(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    execution = find_execution(caller, arguments["id"], Operation.RUN)
    resume_executions([execution.pk])
    execution.refresh_from_db()
    return snapshot(execution)


def save_dump(caller: Caller, arguments: dict[str, Any]) -> None:
    name = arguments.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 128:
        raise CallRefused("InvalidInputError", "A savepoint's name is a text of 1 to 128 characters.")


def load_dump(caller: Caller, arguments: dict[str, Any]) -> PutDown:
    number = find_savepoint(caller.id, arguments.get("select"), arguments.get("by", "name"))
    if number is None:
        raise CallRefused("ResourceNotFoundError", f"There is no savepoint {arguments.get('select')!r}.")
    return PutDown(lambda: restore_hosted(caller.host_id, caller.id, number))


# What other parts read in outputs is checked when a flow sets it: by its name, raising CallRefused.
_output_checks: dict[str, Callable[[Any], None]] = {}


def offer_output_check(name: str, check: Callable[[Any], None]) -> None:
    """Call `check` with what a flow sets under this name in its output."""
    _output_checks[name] = check


def set_output(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """Merge values into the output. The answer is what was given: going back rebuilds the output from it."""
    values: dict[str, Any] = arguments["values"]
    for name in values.keys() & _output_checks.keys():
        _output_checks[name](values[name])
    fetch(
        """UPDATE executions_execution SET version = version + 1, output_value =
        CASE WHEN jsonb_typeof(output_value) = 'object' THEN output_value ELSE '{}'::jsonb END || %s WHERE id = %s""",
        (jsonb(values), caller.id),
    )
    announce([caller.id])
    return values
