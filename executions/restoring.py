"""Going back: an execution to one of its savepoints, or a new execution from one.

Only the execution itself goes back. What it did since - children, records, effects outside - stays done.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from access import audit
from access.permissions import Operation, require
from executions import locks, moves
from executions.announce import announce, announce_ready, announce_to_host
from executions.database import fetch, from_jsonb, jsonb
from executions.endings import wake
from executions.lifecycle import Reason, Status
from executions.models import Execution
from executions.operations import AlreadyEnded
from executions.starting import like, prepare, start_noted

_LARGEST_NUMBER = 2**31 - 1


class NoSuchSavepoint(Exception):
    """The execution has no such savepoint, or it is not kept any more."""


def find_savepoint(execution_id: UUID, selected: Any, by: str = "name") -> int | None:
    """Return the number of the newest savepoint with this name (or `by="id"`: with this number), or None."""
    column, value = ("name", str(selected)) if by == "name" else ("number", selected)
    if by != "name" and not (str(value).isdecimal() and 0 < int(value) <= _LARGEST_NUMBER):
        return None
    rows = fetch(
        f"SELECT number FROM executions_savepoint WHERE execution_id = %s AND {column} = %s AND NOT is_pending"
        " ORDER BY number DESC LIMIT 1",
        (execution_id, value if by == "name" else int(value)),
    )
    return rows[0][0] if rows else None


def restore_execution(execution: Execution, number: int, *, by: Any) -> Execution:
    """Take a living execution back to its savepoint `number`: later ones are dropped and it goes on from there.

    Raises NoSuchSavepoint, AlreadyEnded (fork it instead: a final state is never left).
    """
    require(by, Operation.RUN, execution)
    with transaction.atomic():
        row = Execution.objects.select_for_update(no_key=True).get(pk=execution.pk)
        if row.is_ended:
            raise AlreadyEnded(
                f"{execution.name!r} has ended. Fork a new execution from the savepoint instead."
            )
        if find_savepoint(row.pk, number, by="id") is None:
            raise NoSuchSavepoint(f"{execution.name!r} has no savepoint {number}.")
        _go_back(row.pk, number)
        moves.move(
            "e.id = %(id)s AND e.attempt > 0",
            Status.QUEUED,
            {"id": row.pk},
            reason=Reason.RESTORED,
            sets=", host_id = NULL, pause_requested_at = NULL",
        )
        announce([row.pk])
        announce_ready()
        audit.note("go back", execution, by=by, changes={"savepoint": (None, number)})
        if row.host_id is not None:
            announce_to_host([row.host_id])  # it finds that the execution is no longer its own, and lets go
    execution.refresh_from_db()
    return execution


def restore_hosted(host_id: int, execution_id: UUID, number: int) -> bool:
    """Take a running execution of this host back, in the caller's fenced transaction; tells whether it went."""
    _go_back(execution_id, number)
    moved = moves.move(
        "e.id = %(id)s AND e.host_id = %(host)s",
        Status.QUEUED,
        {"id": execution_id, "host": host_id},
        reason=Reason.RESTORED,
        sets=", host_id = NULL",
    )
    announce_ready()
    return bool(moved)


def _go_back(execution_id: UUID, number: int) -> None:
    # Lines written after the savepoint stay readable, but no longer count as written by this course of events.
    fetch(
        "UPDATE executions_logline SET seq = NULL WHERE execution_id = %(id)s AND seq > (SELECT log_seq"
        " FROM executions_savepoint WHERE execution_id = %(id)s AND number = %(number)s)",
        {"id": execution_id, "number": number},
    )
    fetch("DELETE FROM executions_savepoint WHERE execution_id = %s AND number > %s", (execution_id, number))
    fetch("DELETE FROM executions_wait WHERE waiter_id = %s", (execution_id,))
    if next_holders := locks.go_back(execution_id):
        wake(next_holders)
    output = output_at(execution_id, number)
    fetch("UPDATE executions_execution SET output_value = %s WHERE id = %s", (jsonb(output), execution_id))


def output_at(execution_id: UUID, number: int) -> Any:
    """Return what the execution had put out by its savepoint `number`, from the recorded answers."""
    rows = fetch(
        "SELECT call, coalesce(s.value, p.value) FROM executions_savepoint s"
        " LEFT JOIN executions_payload p ON p.sha256 = s.payload_id WHERE execution_id = %s AND number <= %s"
        " AND call IN ('execution.set_output', 'record.save') AND error IS NULL ORDER BY number",
        (execution_id, number),
    )
    output: Any = None
    for call, answer in rows:
        given = from_jsonb(answer) or {}
        if call == "execution.set_output":
            output = {**(output if isinstance(output, dict) else {}), **given}
        elif given.get("id") == str(execution_id) and "output_value" in given:
            output = given["output_value"]
    return output


def fork_execution(execution: Execution, number: int, *, by: Any, origin: str, name: str = "") -> Execution:
    """Start a new execution that goes on from savepoint `number` of this one, living or ended.

    Raises NoSuchSavepoint.
    """
    require(by, Operation.RUN, execution)
    start = replace(
        like(execution, by=by), name=name or execution.name, seed=execution.seed, forked_from=execution.pk
    )
    with transaction.atomic():
        if find_savepoint(execution.pk, number, by="id") is None:
            raise NoSuchSavepoint(
                f"{execution.name!r} has no savepoint {number}, or it is not kept any more."
            )
        columns, status = prepare(start, by=by, origin=origin)
        columns["output_value"] = output_at(execution.pk, number)
        moves.create(status, columns, also=start_noted(columns, by))
        fetch(
            """INSERT INTO executions_savepoint (execution_id, number, attempt, call, digest, line, name, is_pending,
                value, payload_id, error, seen, log_seq, at)
            SELECT %s, number, 0, call, digest, line, name, false, value, payload_id, error, seen, log_seq, at
            FROM executions_savepoint WHERE execution_id = %s AND number <= %s AND NOT is_pending""",
            (columns["id"], execution.pk, number),
        )
    return Execution.objects.get(pk=columns["id"])
