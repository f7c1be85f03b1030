"""Reading and changing the workspace's configuration, for those who may. REST and the page call it."""

from typing import Any

from django.db import transaction

from access import audit
from access.permissions import WORKSPACE, Operation, require
from records import configuration
from records.configuration import Configured


def read_all(*, by: Any) -> list[Configured]:
    """Return every option with what is set for it. Raises PermissionRefused."""
    require(by, Operation.READ, WORKSPACE)
    return configuration.all_configured()


def read_one(name: str, *, by: Any) -> Configured:
    """Return one option with what is set for it. Raises PermissionRefused, LookupError."""
    require(by, Operation.READ, WORKSPACE)
    return configuration.configured(name)


def set_by_hand(name: str, value: Any, *, by: Any) -> Configured:
    """Set the manual value of an option. Raises PermissionRefused, LookupError, ValidationError."""
    require(by, Operation.UPDATE, WORKSPACE)
    with transaction.atomic():
        before = configuration.configured(name)
        stored = configuration.store(name, value, by=by)
        _note(before, stored, by)
    return stored


def reset(name: str, *, by: Any) -> Configured:
    """Take the manual value of an option away. Raises PermissionRefused, LookupError."""
    require(by, Operation.UPDATE, WORKSPACE)
    with transaction.atomic():
        before = configuration.configured(name)
        stored = configuration.reset(name, by=by)
        _note(before, stored, by)
    return stored


def _note(before: Configured, after: Configured, by: Any) -> None:
    change = {before.option.name: (before.effective, after.effective)}
    audit.note("configure", by=by, record_type=WORKSPACE, name=before.option.name, changes=change)
