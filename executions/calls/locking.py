"""Locks as flows see them: acquired and released by the name of a setting. And adding to the list in a setting."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from access.permissions import Operation, may_in_project
from executions import deadlocks, hosting, locks
from executions.calls.base import Caller, CallRefused, Parked, find_record, names_of, number_of, select_id
from executions.endings import wake
from executions.lifecycle import Status
from projects.models import Project, Setting
from projects.setting import append_to_setting, create_setting


def acquire(caller: Caller, arguments: dict[str, Any]) -> Any:
    timeout = number_of(arguments.get("timeout"), "timeout")
    until = None if timeout is None else time.time() + timeout
    select = _selected(arguments)
    found = None if select is None else locks.lock_setting(select)
    if found is not None:
        _require_run(caller, arguments["select"], found[2])
    elif isinstance(select, str):
        _make(caller, select)
        found = locks.lock_setting(select)
    if found is None:
        raise _missing(arguments["select"])
    caller.has_ties = True
    return _acquire(caller, found[0], found[1], until)


def acquire_again(caller: Caller, wait: dict[str, Any]) -> Any:
    """Take up a wait for a lock where it was written down."""
    setting_id = UUID(wait["setting_id"])
    if locks.holds(setting_id, caller.id):  # it was handed on to us
        return _answer(setting_id)
    locks.lock_setting(setting_id)
    return _acquire(caller, setting_id, wait["setting"], wait["until"])


def _acquire(caller: Caller, setting_id: UUID, name: str, until: float | None) -> Any:
    if locks.take(setting_id, caller.id):
        return _answer(setting_id)
    holder = locks.holder(setting_id)
    if until is not None and until <= time.time():
        locks.leave_queue(setting_id, caller.id)
        by = names_of([holder], caller.user)[holder]
        words = f"The lock of {name!r} was not free in time: {by} ({holder}) holds it."
        raise CallRefused("LockTimeoutError", words, {"execution_id": holder})
    if until is None:
        deadlocks.refuse_circle(caller, [holder], setting_id)
    seconds = None if until is None else until - time.time()
    shown = {"kind": "lock", "setting_id": str(setting_id), "setting": name}
    moment = None if until is None else datetime.fromtimestamp(until, tz=UTC).isoformat()
    hosting.park(caller.id, Status.WAITING_FOR_LOCK, shown | {"until": moment}, wake_in=seconds)
    return Parked(shown | {"until": until}, wake_in=seconds)


def _answer(setting_id: UUID) -> dict[str, Any]:
    # Going back to a savepoint counts from these answers which locks were held.
    return {"setting_id": str(setting_id)}


def release(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """Give a lock up; one that is not this execution's own is left alone."""
    select = _selected(arguments)
    released, holders = (None, []) if select is None else locks.release(caller.id, select)
    if holders:
        wake(holders)
    return {"setting_id": released and str(released)}


def append(caller: Caller, arguments: dict[str, Any]) -> None:
    """Add an item to the list in a setting; one that is not there yet is made."""
    wanted = {"type": "setting", "select": arguments["select"], "by": arguments.get("by")}
    select = _selected(arguments)
    if isinstance(select, str) and not Setting.objects.alive().filter(name=select).exists():
        _make(caller, select)
    append_to_setting(find_record(caller, wanted, Operation.UPDATE), arguments.get("item"), by=caller.user)


def _selected(arguments: dict[str, Any]) -> UUID | str | None:
    """Return the id or name that is meant; None for an id that is none."""
    if arguments["select"] is None:
        raise CallRefused("InvalidInputError", "Name the setting: system.setting('name').")
    if arguments.get("by") == "id":
        return select_id(arguments["select"])
    return str(arguments["select"]).strip()


def _require_run(caller: Caller, select: Any, project_id: UUID) -> None:
    if not may_in_project(caller.user, Operation.READ, project_id, Setting):
        raise _missing(select)
    if not may_in_project(caller.user, Operation.RUN, project_id, Setting):
        raise CallRefused("PermissionDenied", "You need RUN permission on this setting.")


def _missing(select: Any) -> CallRefused:
    return CallRefused("ResourceNotFoundError", f"There is no setting {select!r}.")


def _make(caller: Caller, name: str) -> None:
    """Make a setting of this name in the project of the execution, unless someone else does just now."""
    try:
        with transaction.atomic():
            project = Project.objects.get(pk=caller.project_id)
            create_setting(by=caller.user, project=project, name=name)
    except (IntegrityError, ValidationError):
        if not Setting.objects.alive().filter(name=name).exists():
            raise
