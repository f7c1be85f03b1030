"""Lets executions run, call, end and start children without a worker: for tests of what the doors show of it."""

from typing import Any
from uuid import UUID, uuid4

from executions import moves
from executions.calls.base import Caller
from executions.lifecycle import Status
from executions.models import Execution, Process
from executions.savepoints import Request, record
from executions.starting import Start, start_execution


def make_host() -> Process:
    """Return the row of a host that is alive."""
    return Process.objects.create(role=Process.Role.HOST, pid=1, machine="test", slots=50)


def claim(*ids: Any) -> None:
    """Take these executions to RUNNING, held by a host."""
    moves.move(
        "e.id = ANY(%(ids)s)",
        Status.RUNNING,
        {"ids": [UUID(str(key)) for key in ids], "host": make_host().pk},
        sets=", host_id = %(host)s, attempt = e.attempt + 1",
    )


def end(*ids: Any, status: Status = Status.ENDED_SUCCESS, reason: str = "", message: str = "") -> None:
    """Run these executions and end them."""
    claim(*ids)
    params = {"ids": [UUID(str(key)) for key in ids], "message": message}
    moves.move("e.id = ANY(%(ids)s)", status, params, reason=reason, sets=", message = %(message)s")


def start_child(parent: Any, name: str) -> str:
    """Start a child of this execution, as its flow would."""
    above = Execution.objects.select_related("created_by").get(pk=parent)
    start = Start(script="def handler(system, this): pass", name=name, parent=above)
    return str(start_execution(start, by=above.created_by, origin=Execution.Origin.EXECUTION)[0].pk)


def caller_of(key: Any) -> Caller:
    """Return a running execution as its calls are recorded for."""
    row = Execution.objects.get(pk=key)
    assert row.host_id is not None
    return Caller(row.pk, row.host_id, row.attempt, row.project_id, row.root_id or uuid4(), True, None)


def make_calls(key: Any, *values: Any, call: str = "log", first: int = 1) -> Caller:
    """Record calls of a running execution that were answered with these values; returns who made them."""
    caller = caller_of(key)
    for number, value in enumerate(values, first):
        record(caller, Request(number, call, line=number + 1, digest=f"d{number}"), value=value)
    return caller
