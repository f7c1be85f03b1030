"""Waiting: for executions and for a time. A wait is written down as data, so that any host can take it up."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from executions import deadlocks, hosting
from executions.calls.base import (
    Caller,
    CallRefused,
    Parked,
    find_executions,
    lock_snapshots,
    number_of,
    return_when_of,
)
from executions.database import fetch
from executions.endings import ALL_SUCCEEDED, FIRST_ENDED, is_fulfilled
from executions.lifecycle import ENDED, Status

MAX_SLEEP_SECONDS = 10 * 366 * 86400


def wait(caller: Caller, arguments: dict[str, Any]) -> Any:
    ids = find_executions(caller, list(arguments["ids"]))
    timeout = number_of(arguments.get("timeout"), "timeout")
    until = None if timeout is None else time.time() + timeout
    return wait_on(caller, ids, return_when_of(arguments.get("return_when")) or ALL_SUCCEEDED, until)


def wait_on(
    caller: Caller, ids: list[UUID], return_when: str, until: float | None, single: bool = False
) -> Any:
    """Return the answer of a wait that is over, else park. `until` is the moment it ends at the latest."""
    if caller.id in ids:
        raise CallRefused("InvalidInputError", "An execution cannot wait for itself.")
    # The share lock makes an end that happens now wait for our commit, so that it finds our wait rows.
    found = lock_snapshots(sorted(ids))
    statuses = [Status(found[key]["status"]) if key in found else Status.ENDED_CANCELLED for key in ids]
    if is_fulfilled(statuses, return_when):
        return _waited([found[key] for key in ids if key in found], return_when, single)
    if until is not None and until <= time.time():
        raise CallRefused("DependencyTimeoutError", "The wait was not over in time.")
    alive = [key for key, status in zip(ids, statuses, strict=True) if status not in ENDED]
    is_certain = until is None and (return_when != FIRST_ENDED or len(alive) == 1)
    if is_certain and not deadlocks.WAITING.isdisjoint(statuses):
        deadlocks.refuse_circle(caller, alive)
    return wait_for(caller, ids, statuses, return_when, until, single=single)


def wait_for(
    caller: Caller,
    ids: list[UUID],
    statuses: list[Status],
    return_when: str,
    until: float | None = None,
    *,
    single: bool = False,
) -> Parked:
    alive = [key for key, status in zip(ids, statuses, strict=True) if status not in ENDED]
    fetch(
        "INSERT INTO executions_wait (waiter_id, target_id) SELECT %s, unnest(%s::uuid[]) ON CONFLICT DO NOTHING",
        (caller.id, alive),
    )
    wake_in = None if until is None else max(until - time.time(), 0.0)
    hosting.park(caller.id, Status.WAITING_FOR_DEPENDENCY, shown(alive, return_when), wake_in)
    return Parked(as_data(ids, return_when, single, until), wake_in=wake_in)


def shown(ids: list[UUID], return_when: str) -> dict[str, Any]:
    """Return what people see of a wait for these living executions."""
    some = [str(key) for key in ids[:10]]
    return {"kind": "executions", "return_when": return_when, "count": len(ids), "ids": some}


def as_data(ids: list[UUID], return_when: str, single: bool, until: float | None = None) -> dict[str, Any]:
    """Return a wait as it is written down, to be taken up by `wait_for_executions_again`."""
    return {
        "kind": "executions",
        "ids": list(map(str, ids)),
        "return_when": return_when,
        "single": single,
        "until": until,
    }


def _waited(snapshots: list[dict[str, Any]], return_when: str, single: bool) -> Any:
    if return_when == ALL_SUCCEEDED:
        for each in snapshots:
            if each["status"] in (Status.ENDED_ERROR, Status.ENDED_CANCELLED):
                words = f"The execution {each['name']!r} ({each['id']}) ended with {each['status']}: {each['message']}"
                raise CallRefused("DependencyFailedError", words, {"execution": each})
    if single and not snapshots:
        raise CallRefused(
            "ResourceNotFoundError", "The execution that was waited for does not exist any more."
        )
    return snapshots[0] if single else snapshots


def wait_for_executions_again(caller: Caller, wait: dict[str, Any]) -> Any:
    """Take up a wait for executions where it was written down."""
    return wait_on(caller, list(map(UUID, wait["ids"])), wait["return_when"], wait["until"], wait["single"])


def sleep_again(caller: Caller, wait: dict[str, Any]) -> Parked | None:
    """Take up a sleep where it was written down."""
    return _sleep_until(caller, wait["until"])


def sleep(caller: Caller, arguments: dict[str, Any]) -> Parked | None:
    seconds = number_of(arguments.get("seconds"), "seconds")
    until = number_of(arguments.get("until"), "until") if seconds is None else time.time() + seconds
    if until is None:
        raise CallRefused("InvalidInputError", "Say how long to sleep (seconds) or until when.")
    if not until < time.time() + MAX_SLEEP_SECONDS:
        raise CallRefused("InvalidInputError", "An execution can sleep for ten years at most.")
    return _sleep_until(caller, until)


def _sleep_until(caller: Caller, until: float) -> Parked | None:
    seconds = until - time.time()
    if seconds <= 0:
        return None
    moment = datetime.fromtimestamp(until, tz=UTC).isoformat()
    hosting.park(caller.id, Status.SLEEPING, {"kind": "time", "until": moment}, wake_in=seconds)
    return Parked({"kind": "time", "until": until}, wake_in=seconds)
