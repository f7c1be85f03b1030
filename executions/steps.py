"""Executions that the host carries out itself, in its own thread, one short step at a time. No process, no slot.

Apps above offer a step for a type of execution (`offer_step`, when they are ready); the host takes it whenever an
execution of that type is claimed. Between two steps such an execution waits without a host.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, transaction

from executions import hosting, moves
from executions.database import jsonb
from executions.hosting import Assignment, LateWrite
from executions.lifecycle import Reason, Status
from executions.moves import Outcome

logger = logging.getLogger("engine.host")


@dataclass(frozen=True)
class Rest:
    """The step is done and the execution is not: it waits, for `wake_in` seconds or until it is woken."""

    status: Status
    waiting_for: dict[str, Any]
    wake_in: float | None = None


# What one step does, in a transaction with the execution's row locked. Keep it short: the host does nothing else.
Step = Callable[[Assignment], Outcome | Rest]
_STEPS: dict[str, Step] = {}


def offer_step(type: str, step: Step) -> None:
    """Make `step` what a host does with executions of this type."""
    _STEPS[str(type)] = step


def step_types() -> list[str]:
    """Return the types that steps are offered for."""
    return list(_STEPS)


def take_step(host_id: int, assignment: Assignment) -> Outcome | None:
    """Take the next step of an execution that runs here; returns its outcome, or None when it rests.

    Raises LateWrite. A step that raises ends its execution, and what it did is undone.
    """
    if assignment.cancel_requested:
        return Outcome(Status.ENDED_CANCELLED, Reason.CANCELLED)
    if assignment.pause_requested and hosting.pause(host_id, [assignment.id]):
        return None
    try:
        with transaction.atomic():
            hosting.fence(assignment.id, host_id, assignment.attempt)
            result = _STEPS[assignment.type](assignment)
            if isinstance(result, Outcome):
                return result
            _put_to_rest(assignment, result)
    except (LateWrite, OperationalError):
        raise
    except Exception as error:
        logger.exception("a step of execution %s failed", assignment.id)
        return Outcome(Status.ENDED_ERROR, Reason.RAISED, f"{type(error).__name__}: {error}")
    return None


def _put_to_rest(assignment: Assignment, rest: Rest) -> None:
    moves.move(
        "e.id = %(id)s",
        rest.status,
        {"id": assignment.id, "waiting_for": jsonb(rest.waiting_for), "wake_in": rest.wake_in},
        sets=(
            ", host_id = NULL, waiting_for = %(waiting_for)s"
            ", ready_at = clock_timestamp() + %(wake_in)s::float8 * interval '1 second'"
        ),
        sources=[Status.RUNNING],
    )
