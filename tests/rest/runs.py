"""Lets executions run, end and start children without a worker: for tests of what the REST door shows of it."""

from typing import Any
from uuid import UUID

from executions import moves
from executions.lifecycle import Status
from executions.models import Execution, Process
from executions.operations import Start, start_execution


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
