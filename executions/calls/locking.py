"""Locks as flows see them: acquired and released by the name of a setting. And adding to the list in a setting."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from access.permissions import Operation
from executions import deadlocks, hosting, locks
from executions.calls.base import Caller, CallRefused, Parked, find_record, number_of
from executions.endings import wake
from executions.lifecycle import Status
from projects.models import Project, Setting
from projects.setting import append_to_setting, create_setting


def acquire(caller: Caller, arguments: dict[str, Any]) -> Any:
    timeout = number_of(arguments.get("timeout"), "timeout")
    until = None if timeout is None else time.time() + timeout
    setting = _find_or_make(caller, arguments)
    caller.may_hold_locks = True
    return _acquire(caller, setting.pk, setting.name, until)


def acquire_again(caller: Caller, wait: dict[str, Any]) -> Any:
    """Take up a wait for a lock where it was written down."""
    setting_id = UUID(wait["setting_id"])
    if locks.holds(setting_id, caller.id):  # it was handed on to us
        return _answer(setting_id)
    return _acquire(caller, setting_id, wait["setting"], wait["until"])


def _acquire(caller: Caller, setting_id: UUID, name: str, until: float | None) -> Any:
    if locks.take(setting_id, caller.id):
        return _answer(setting_id)
    held_by = locks.holder(setting_id)
    assert held_by is not None  # the lock on the setting's row keeps it so
    if until is not None and until <= time.time():
        locks.leave_queue(setting_id, caller.id)
        words = f"The lock of {name!r} was not free in time: {held_by[1]!r} ({held_by[0]}) holds it."
        raise CallRefused("LockTimeoutError", words, {"execution_id": held_by[0]})
    if until is None:
        deadlocks.refuse_circle(caller.id, [held_by[0]], setting_id)
    seconds = None if until is None else until - time.time()
    shown = {"kind": "lock", "setting_id": str(setting_id), "setting": name}
    moment = None if until is None else datetime.fromtimestamp(until, tz=UTC).isoformat()
    hosting.park(caller.id, Status.WAITING_FOR_LOCK, shown | {"until": moment}, wake_in=seconds)
    return Parked(shown | {"until": until}, wake_in=seconds)


def _answer(setting_id: UUID) -> dict[str, Any]:
    # Going back to a savepoint counts from these answers which locks were held.
    return {"setting_id": str(setting_id)}


def release(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    setting_id, holders = locks.release(
        caller.id, str(arguments["select"]).strip(), arguments.get("by") or "name"
    )
    if holders:
        wake(holders)
    return {"setting_id": None if setting_id is None else str(setting_id)}


def append(caller: Caller, arguments: dict[str, Any]) -> None:
    """Add an item to the list in a setting; one that is not there yet is made."""
    append_to_setting(
        _find_or_make(caller, arguments, Operation.UPDATE), arguments.get("item"), by=caller.user
    )


def _find_or_make(caller: Caller, arguments: dict[str, Any], operation: Operation = Operation.RUN) -> Setting:
    wanted = {"type": "setting", "select": arguments["select"], "by": arguments.get("by")}
    try:
        found: Setting = find_record(caller, wanted, operation)
        return found
    except CallRefused as refused:
        is_missing = refused.type == "ResourceNotFoundError" and wanted["by"] != "id"
        name = str(wanted["select"]).strip()
        if not is_missing or Setting.objects.alive().filter(name=name).exists():
            raise
    try:
        with transaction.atomic():
            project = Project.objects.get(pk=caller.project_id)
            return create_setting(by=caller.user, project=project, name=name)
    except (IntegrityError, ValidationError):
        made: Setting = find_record(caller, wanted, operation)  # by someone else, just now
        return made
