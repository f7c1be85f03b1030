"""Locks as flows see them: acquired and released by the name of a setting. And adding to the list in a setting."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from access.permissions import Operation
from executions import deadlocks, hosting, locks
from executions.calls.base import Caller, CallRefused, Parked, find_record, names_of, number_of, select_id
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
    select, is_id = arguments["select"], arguments.get("by") == "id"
    wanted = select_id(select) if is_id else str(select).strip()
    released, holders = (None, []) if wanted is None else locks.release(caller.id, wanted)
    if holders:
        wake(holders)
    return {"setting_id": released and str(released)}


def append(caller: Caller, arguments: dict[str, Any]) -> None:
    """Add an item to the list in a setting; one that is not there yet is made."""
    append_to_setting(
        _find_or_make(caller, arguments, Operation.UPDATE), arguments.get("item"), by=caller.user
    )


def _find_or_make(caller: Caller, arguments: dict[str, Any], operation: Operation = Operation.RUN) -> Setting:
    """Return the setting that is named; one that is not there yet is made, in the project of the execution."""
    wanted = {"type": "setting", "select": arguments["select"], "by": arguments.get("by")}
    if wanted["select"] is None:
        raise CallRefused("InvalidInputError", "Name the setting: system.setting('name').")
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
        if not Setting.objects.alive().filter(name=name).exists():
            raise
        made: Setting = find_record(caller, wanted, operation)  # by someone else, just now
        return made
