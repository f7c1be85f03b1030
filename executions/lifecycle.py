"""The states of an execution and the arrows between them. No queries, no clock: only the table.

    CREATED ──run──► QUEUED ──claim──► RUNNING ──outcome──► ENDED_SUCCESS | ENDED_ERROR
       │  └─later─► SCHEDULED ──due──►    │ ▲
       │                          wait ───┘ └── woken
       │                 WAITING_FOR_DEPENDENCY | WAITING_FOR_MESSAGE | WAITING_FOR_LOCK | SLEEPING
       └─ any state that is not final ──cancel──► ENDED_CANCELLED ; ──pause──► PAUSED ──resume──► as before

A wish (cancel, pause) is a flag on the row; a fact is a status. Final states are never left: running
again is a new execution that points back.
"""

from django.db import models


class Status(models.TextChoices):
    """What an execution does right now."""

    CREATED = "CREATED", "Created"  # written down, not started
    SCHEDULED = "SCHEDULED", "Scheduled"  # starts when its time comes
    QUEUED = "QUEUED", "Queued"  # wants a worker
    RUNNING = "RUNNING", "Running"  # its code runs and it holds a slot
    WAITING_FOR_DEPENDENCY = "WAITING_FOR_DEPENDENCY", "Waiting for executions"  # costs no slot
    WAITING_FOR_MESSAGE = "WAITING_FOR_MESSAGE", "Waiting for an answer"  # costs no slot
    WAITING_FOR_LOCK = "WAITING_FOR_LOCK", "Waiting for a lock"  # costs no slot
    SLEEPING = "SLEEPING", "Sleeping"  # costs no slot
    PAUSED = "PAUSED", "Paused"  # someone asked
    ENDED_SUCCESS = "ENDED_SUCCESS", "Success"  # final
    ENDED_ERROR = "ENDED_ERROR", "Error"  # final
    ENDED_CANCELLED = "ENDED_CANCELLED", "Cancelled"  # final


ENDED = frozenset({Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED})
WAITING = frozenset(
    {Status.WAITING_FOR_DEPENDENCY, Status.WAITING_FOR_MESSAGE, Status.WAITING_FOR_LOCK, Status.SLEEPING}
)
# A time can be set for these: when `ready_at` comes they are queued, unless a host has them in memory.
DUE = (
    Status.SCHEDULED,
    Status.SLEEPING,
    Status.WAITING_FOR_DEPENDENCY,
    Status.WAITING_FOR_MESSAGE,
    Status.WAITING_FOR_LOCK,
)
ALIVE = frozenset(Status) - ENDED


class Reason(models.TextChoices):
    """Why a status was taken, where the status alone does not say it."""

    RAISED = "raised", "the script raised an exception"
    REPORTED = "reported", "the script ended itself with an error"
    TIMEOUT = "timeout", "it ran longer than its limit"
    CRASHED = "crashed", "its process died"
    HOST_LOST = "host_lost", "the worker that ran it was lost; it goes on from its last savepoint"
    PUT_DOWN = "put_down", "its worker was stopped; it goes on from its last savepoint"
    REPLAY_MISMATCH = "replay_mismatch", "the script took another path when it was resumed"
    PAUSED = "paused", "someone paused it"
    RESUMED = "resumed", "someone resumed it"
    RESTORED = "restored", "it was taken back to a savepoint"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted", "it was tried too often without progress"
    FAILED = "failed", "the other side could not be reached, or answered otherwise than expected"
    INTERRUPTED = "interrupted", "its worker was lost while it was under way, and it must not be repeated"
    INPUT_INVALID = "input_invalid", "its input does not match the schema"
    CANCELLED = "cancelled", "someone cancelled it"
    PARENT_ENDED = "parent_ended", "its parent ended"


_GOES_ON = WAITING | {Status.PAUSED}
_ARROWS: dict[Status, frozenset[Status]] = {
    Status.CREATED: frozenset({Status.QUEUED, Status.SCHEDULED, Status.RUNNING, Status.PAUSED}),
    Status.SCHEDULED: frozenset({Status.QUEUED, Status.RUNNING, Status.PAUSED}),
    Status.QUEUED: frozenset({Status.RUNNING, Status.SCHEDULED, Status.PAUSED}),
    Status.RUNNING: _GOES_ON | {Status.QUEUED, Status.ENDED_SUCCESS},
    # A handler may return while one of its threads still waits: then success comes straight from there.
    **{
        waiting: frozenset({Status.RUNNING, Status.QUEUED, Status.PAUSED, Status.ENDED_SUCCESS})
        for waiting in WAITING
    },
    Status.PAUSED: frozenset({Status.QUEUED, Status.SCHEDULED, Status.RUNNING}) | WAITING,
    **{final: frozenset() for final in ENDED},
}
# Everything that lives can fail (a lost host, a refused input) and can be cancelled.
_FAILS = frozenset({Status.ENDED_ERROR, Status.ENDED_CANCELLED})


def may_move(old: Status, new: Status) -> bool:
    """Tell whether the table has an arrow from `old` to `new`."""
    return new in _ARROWS[old] or (old in ALIVE and new in _FAILS)


def sources_of(new: Status) -> list[Status]:
    """Return the states that have an arrow to `new`: the condition of the update that takes it."""
    return [old for old in Status if may_move(old, new)]
