"""What can be done with an execution: run, cancel, rerun, trash, restore, change. Transactions begin and end here.

Doors call these after cleaning their input. How one is started stands in `executions.starting`, what only a host does
in `executions.hosting`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from access import audit
from access.permissions import Operation, require
from executions import moves
from executions.announce import announce, announce_ready
from executions.database import transacted
from executions.endings import after_end, living_tree, request_cancel
from executions.lifecycle import ENDED, Reason, Status
from executions.models import Execution
from executions.retention import own_expiry
from executions.starting import like, start_execution
from records.models import NAME_LENGTH
from records.operations import Conflict


class AlreadyEnded(Conflict):
    """The execution has ended; nothing about its course can be changed."""


class NotRunnable(Conflict):
    """The execution was started before; only one in the state CREATED can be run."""


class StillAlive(Conflict):
    """The execution lives; cancel it first."""


def run_execution(execution: Execution, *, by: Any) -> Execution:
    """Start an execution that was only written down. Raises NotRunnable when it was started before."""
    require(by, Operation.RUN, execution)
    with transaction.atomic():
        run_created(execution.pk)
        announce_ready()
        audit.note("start", execution, by=by)
    execution.refresh_from_db()
    return execution


def run_created(execution_id: UUID) -> None:
    """Queue a CREATED execution (or schedule it), in the caller's transaction. Raises NotRunnable."""
    params = {"id": execution_id}
    later = "e.id = %(id)s AND e.scheduled_for > clock_timestamp()"
    if not moves.move(later, Status.SCHEDULED, params, sources=[Status.CREATED]) and not moves.move(
        "e.id = %(id)s", Status.QUEUED, params, sources=[Status.CREATED]
    ):
        raise NotRunnable("This execution was started before. Use rerun to start another one like it.")


def cancel_execution(execution: Execution, *, by: Any) -> Execution:
    """Ask for the end of an execution and of the children that belong to it.

    One that no host holds ends at once; otherwise its host stops it (TERM, grace, KILL). Raises AlreadyEnded.
    """
    require(by, Operation.RUN, execution)
    if not control("cancel", cancel_executions, execution, by=by):
        raise AlreadyEnded(f"{execution.name!r} has ended; there is nothing to cancel.")
    execution.refresh_from_db()
    return execution


@transacted
def control(
    action: str, act: Callable[[list[UUID]], list[UUID]], execution: Execution, *, by: Any
) -> list[UUID]:
    """Do this to an execution and its tree, and note who did it; returns the ids that `act` returns."""
    done = act([execution.pk])
    if done:
        audit.note(action, execution, by=by)
    return done


@transacted
def cancel_executions(ids: list[UUID]) -> list[UUID]:
    """Ask for the end of these executions and their trees; returns the ids of those that were alive."""
    tree = living_tree(ids)
    ended = request_cancel(tree, Reason.CANCELLED) if tree else []
    if ended:
        after_end(ended)
    return tree


def rerun_execution(execution: Execution, *, by: Any, origin: str) -> Execution:
    """Start a new execution with the same inputs and options, on the script that is current now."""
    require(by, Operation.RUN, execution)
    flow = execution.flow if execution.flow and not execution.flow.is_deleted else None
    wrapper = execution.wrapper if execution.wrapper and not execution.wrapper.is_deleted else None
    same = like(execution, by=by)
    if flow or wrapper:  # as they are now
        same = replace(same, script=None, script_hash=None, flow_version=None)
    start = replace(same, flow=flow, wrapper=wrapper or same.wrapper, rerun_of=execution.pk)
    return start_execution(start, by=by, origin=origin)[0]


def trash_execution(execution: Execution, *, by: Any) -> Execution:
    """Put an ended (or never started) execution into the trash. Raises StillAlive for a living one."""
    require(by, Operation.DELETE, execution)
    with transaction.atomic():
        row = Execution.objects.filter(pk=execution.pk)
        gone = row.filter(deleted_at=None, status__in=[*ENDED, Status.CREATED])
        if not gone.update(deleted_at=timezone.now(), deleted_by=by) and row.filter(deleted_at=None).exists():
            raise StillAlive(f"{execution.name!r} has not ended. Cancel it first.")
        announce([execution.pk])
        audit.note("delete", execution, by=by)
    execution.refresh_from_db()
    return execution


def restore_execution(execution: Execution, *, by: Any) -> Execution:
    """Take an execution out of the trash."""
    require(by, Operation.DELETE, execution)
    with transaction.atomic():
        Execution.objects.filter(pk=execution.pk).update(deleted_at=None, deleted_by=None)
        announce([execution.pk])
        audit.note("restore", execution, by=by)
    execution.refresh_from_db()
    return execution


def save_execution(execution: Execution, *, by: Any, **fields: Any) -> Execution:
    """Change what people may change of an execution: name, description, its own expiry. Raises ValidationError."""
    require(by, Operation.UPDATE, execution)
    unknown = sorted(set(fields) - {"name", "description", "expires_at", "retention_seconds"})
    if unknown:
        raise ValidationError(dict.fromkeys(unknown, "This field of an execution cannot be set."))
    if "name" in fields:
        fields["name"] = fields["name"].strip()
        if not 0 < len(fields["name"]) <= NAME_LENGTH:
            raise ValidationError({"name": f"Give a name of 1 to {NAME_LENGTH} characters."})
    if {"expires_at", "retention_seconds"} & set(fields):
        at, seconds = fields.get("expires_at"), fields.get("retention_seconds")
        fields |= own_expiry(at, seconds, execution.ended_at)
    if fields:
        with transaction.atomic():
            Execution.objects.filter(pk=execution.pk).update(version=F("version") + 1, **fields)
            announce([execution.pk])
            changes = {name: (getattr(execution, name), value) for name, value in fields.items()}
            audit.note("update", execution, by=by, changes=changes)
        execution.refresh_from_db()
    return execution
