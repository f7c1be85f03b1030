"""Pausing: one execution with its tree, all of a project, or the taking on of work altogether (maintenance).

A paused execution has no process. Resuming queues it, and it goes on from its last savepoint.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction

from access import audit
from access.permissions import WORKSPACE, Operation, require, require_in_project
from executions import moves
from executions.announce import announce, announce_ready, announce_to_host
from executions.database import fetch, transacted
from executions.endings import living_tree, lock_all
from executions.lifecycle import Reason, Status
from executions.models import Execution, Maintenance, Process
from executions.operations import AlreadyEnded, control
from executions.timers import IS_TIMED
from projects.models import Project


class CannotPause(Exception):
    """The execution was not started yet, or its end was asked for: there is nothing to pause."""


class NotPaused(Exception):
    """The execution is not paused; there is nothing to resume."""


def pause_execution(execution: Execution, *, by: Any) -> Execution:
    """Pause an execution and the children that belong to it. Raises AlreadyEnded, CannotPause.

    One that runs pauses at its next call; until then the pause is a wish. A paused one costs no process.
    """
    require(by, Operation.RUN, execution)
    if not control("pause", pause_executions, execution, by=by):
        raise AlreadyEnded(f"{execution.name!r} has ended; there is nothing to pause.")
    execution.refresh_from_db()
    if execution.status == Status.CREATED:
        raise CannotPause(f"{execution.name!r} was not started yet; there is nothing to pause.")
    if execution.cancel_requested_at and execution.status != Status.PAUSED:
        raise CannotPause(f"The end of {execution.name!r} was asked for; it cannot be paused any more.")
    if execution.status == Status.RUNNING and execution.script_id is None:
        raise CannotPause(f"{execution.name!r} is under way and cannot be paused; it can be cancelled.")
    return execution


@transacted
def pause_executions(ids: list[UUID]) -> list[UUID]:
    """Pause these executions and their trees; returns the ids of those that are alive.

    What runs without a script, a connection, comes to its end first.
    """
    tree = living_tree(ids)
    if not tree:
        return []
    lock_all(tree)
    moves.move(
        "e.id = ANY(%(ids)s) AND e.host_id IS NULL AND e.status <> 'CREATED' AND e.cancel_requested_at IS NULL",
        Status.PAUSED,
        {"ids": tree},
        reason=Reason.PAUSED,
        tail="ORDER BY e.id FOR NO KEY UPDATE",
    )
    flagged = fetch(
        """UPDATE executions_execution SET pause_requested_at = clock_timestamp(), version = version + 1
        WHERE id = ANY(%s) AND host_id IS NOT NULL AND pause_requested_at IS NULL AND cancel_requested_at IS NULL
        AND script_id IS NOT NULL RETURNING id, host_id""",
        (tree,),
    )
    announce([row[0] for row in flagged])
    announce_to_host(row[1] for row in flagged)
    return tree


def resume_execution(execution: Execution, *, by: Any) -> Execution:
    """Let a paused execution and the children that belong to it go on. Raises NotPaused."""
    require(by, Operation.RUN, execution)
    if not control("resume", resume_executions, execution, by=by):
        raise NotPaused(f"{execution.name!r} is not paused.")
    execution.refresh_from_db()
    return execution


@transacted
def resume_executions(ids: list[UUID]) -> list[UUID]:
    """Let these executions and their trees go on where they are paused; returns the ids of those that were."""
    tree = living_tree(ids)
    lock_all(tree)
    spared = fetch(
        "UPDATE executions_execution SET pause_requested_at = NULL, version = version + 1"
        " WHERE id = ANY(%s) AND pause_requested_at IS NOT NULL RETURNING id",
        (tree,),
    )
    announce([row[0] for row in spared])
    paused, params = [Status.PAUSED], {"ids": tree}
    timed, now = f"e.id = ANY(%(ids)s) AND {IS_TIMED}", ", ready_at = clock_timestamp()"
    resumed = moves.move(timed, Status.SLEEPING, params, reason=Reason.RESUMED, sets=now, sources=paused)
    later = "e.id = ANY(%(ids)s) AND e.attempt = 0 AND e.scheduled_for > clock_timestamp()"
    resumed += moves.move(later, Status.SCHEDULED, params, reason=Reason.RESUMED, sources=paused)
    resumed += moves.move("e.id = ANY(%(ids)s)", Status.QUEUED, params, reason=Reason.RESUMED, sources=paused)
    if resumed:
        announce_ready()
    return list(dict.fromkeys([row[0] for row in spared] + [row.id for row in resumed]))


def pause_project(project: Project, *, by: Any) -> int:
    """Pause all that lives in a project; returns how many executions that are."""
    require_in_project(by, Operation.RUN, project, Execution)
    return _control_all("pause", pause_executions, project, by)


def resume_project(project: Project, *, by: Any) -> int:
    """Let all that is paused in a project go on; returns how many executions that are."""
    require_in_project(by, Operation.RUN, project, Execution)
    return _control_all("resume", resume_executions, project, by)


@transacted
def _control_all(action: str, act: Callable[[list[UUID]], list[UUID]], project: Project, by: Any) -> int:
    alive = Execution.objects.filter(project=project, ended_at=None)
    done = act(list(alive.values_list("pk", flat=True)))
    audit.note(action, project, by=by)
    return len(done)


def maintenance() -> Maintenance | None:
    """Return the maintenance that is on, or None."""
    return Maintenance.objects.select_related("started_by").first()


def start_maintenance(*, by: Any, note: str = "") -> Maintenance:
    """Let no worker take on or resume executions until `end_maintenance`. What runs goes on to its next wait."""
    require(by, Operation.UPDATE, WORKSPACE)
    starter = None if by._state.adding else by  # the command line is nobody
    with transaction.atomic():
        found, is_new = Maintenance.objects.get_or_create(
            pk=1, defaults={"started_by": starter, "note": note.strip()[:200]}
        )
        if is_new:
            audit.note("start maintenance", by=by, record_type=WORKSPACE, name=found.note)
    return found


def end_maintenance(*, by: Any) -> bool:
    """Let the workers go on; tells whether maintenance was on."""
    require(by, Operation.UPDATE, WORKSPACE)
    with transaction.atomic():
        was_on = Maintenance.objects.all().delete()[0] > 0
        if was_on:
            audit.note("end maintenance", by=by, record_type=WORKSPACE)
        announce_ready()
        announce_to_host(
            Process.objects.filter(role=Process.Role.HOST, ended_at=None).values_list("pk", flat=True)
        )
    return was_on
