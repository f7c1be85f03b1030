"""Many executions at once: cancel, pause, resume, rerun, trash, with an answer for each. Doors give the ids.

What is refused for one never stops the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from access import audit
from access.permissions import Operation, PermissionRefused, visible
from executions.announce import announce
from executions.database import transacted
from executions.lifecycle import ALIVE, ENDED, Status
from executions.models import Execution
from executions.operations import cancel_executions, rerun_execution
from executions.pausing import pause_executions, resume_executions

AT_MOST = 1_000
_AT_ONCE = 100  # in one transaction


@dataclass(frozen=True)
class Answer:
    """What became of one execution: `done`, or the code and words of why not. A rerun has the new one's id."""

    id: UUID
    done: bool
    code: str = ""
    words: str = ""
    new_id: UUID | None = None


def cancel_many(ids: list[UUID], *, by: Any) -> list[Answer]:
    """Ask for the end of these executions and of the children that belong to them."""
    return _control(ids, "cancel", cancel_executions, "already_ended", "It has ended.", by)


def pause_many(ids: list[UUID], *, by: Any) -> list[Answer]:
    """Pause these executions and the children that belong to them."""
    return _control(ids, "pause", pause_executions, "already_ended", "It has ended.", by)


def resume_many(ids: list[UUID], *, by: Any) -> list[Answer]:
    """Let these executions and the children that belong to them go on."""
    return _control(ids, "resume", resume_executions, "not_paused", "It is not paused.", by)


def _control(
    ids: list[UUID], action: str, act: Callable[[list[UUID]], list[UUID]], code: str, words: str, by: Any
) -> list[Answer]:
    """Do it piece by piece; `code` and `words` are for those that `act` does not answer."""
    answers, allowed = _sort_out(ids, by, Operation.RUN)
    done: set[UUID] = set()

    @transacted
    def act_on(piece: list[UUID]) -> list[UUID]:
        acted = act(piece)
        _note(action, [key for key in piece if key in set(acted)], by)
        return acted

    for start in range(0, len(allowed), _AT_ONCE):
        done.update(act_on(allowed[start : start + _AT_ONCE]))
    for key in allowed:
        answers[key] = Answer(key, True) if key in done else Answer(key, False, code, words)
    return [answers[key] for key in dict.fromkeys(ids)]


def trash_many(ids: list[UUID], *, by: Any) -> list[Answer]:
    """Put these executions into the trash; those that live stay."""
    answers, allowed = _sort_out(ids, by, Operation.DELETE)
    with transaction.atomic():
        # Locked in the order of ids, as every other statement on many executions does.
        rows = Execution.objects.filter(pk__in=allowed, deleted_at=None, status__in=[*ENDED, Status.CREATED])
        gone = set(rows.order_by("id").select_for_update(no_key=True).values_list("id", flat=True))
        Execution.objects.filter(pk__in=gone).update(deleted_at=timezone.now(), deleted_by=by)
        announce(gone)
        _note("delete", sorted(gone), by)
    for key in allowed:
        answers[key] = (
            Answer(key, True) if key in gone else Answer(key, False, "still_alive", "It has not ended.")
        )
    return [answers[key] for key in dict.fromkeys(ids)]


def _note(action: str, ids: list[UUID], by: Any) -> None:
    """Write one entry for all of these into the audit log."""
    if ids:
        name = f"{len(ids):,} execution{'' if len(ids) == 1 else 's'}"
        audit.note(action, by=by, record_type="execution", name=name, changes={"ids": (None, ids)})


def rerun_many(ids: list[UUID], *, by: Any, origin: str) -> list[Answer]:
    """Start a new execution like each of these."""
    answers, allowed = _sort_out(ids, by, Operation.RUN)
    rows = Execution.objects.select_related("flow", "project", "script").in_bulk(allowed)
    for key in allowed:
        answers[key] = _attempt(key, lambda key=key: rerun_execution(rows[key], by=by, origin=origin).pk)  # type: ignore[misc]
    return [answers[key] for key in dict.fromkeys(ids)]


def open_to(verb: str) -> Q:
    """Return the condition under which the verb makes sense: what a filter is narrowed to."""
    paused = Q(status=Status.PAUSED) | Q(pause_requested_at__isnull=False)
    return {
        "cancel": Q(status__in=ALIVE),
        "delete": Q(status__in={*ENDED, Status.CREATED}),
        "pause": Q(status__in=ALIVE - {Status.CREATED}) & ~paused,
        "resume": Q(ended_at=None) & paused,
    }.get(verb, Q())


def _attempt(key: UUID, act: Callable[[], UUID]) -> Answer:
    try:
        return Answer(key, True, new_id=act())
    except PermissionRefused as refused:
        return Answer(key, False, "permission_denied", str(refused))
    except ValidationError as error:
        return Answer(key, False, "input_invalid", " ".join(error.messages))


def _sort_out(ids: list[UUID], by: Any, operation: Operation) -> tuple[dict[UUID, Answer], list[UUID]]:
    """Return the refusals of those that are not there or not allowed, and the ids of the rest in ascending order."""
    rows = Execution.objects.filter(pk__in=ids, deleted_at=None)
    seen = set(visible(by, rows).values_list("id", flat=True))
    allowed = set(visible(by, rows, operation).values_list("id", flat=True))
    refused = {}
    for key in ids:
        if key not in seen:
            refused[key] = Answer(key, False, "not_found", "There is no execution with this id here.")
        elif key not in allowed:
            words = f"You need {operation} permission on this execution."
            refused[key] = Answer(key, False, "permission_denied", words)
    return refused, sorted(allowed & seen)
