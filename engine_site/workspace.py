"""Reading and changing the workspace's configuration, for those who may. REST and the page call it."""

from typing import Any

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
    return configuration.store(name, value, by=by)


def reset(name: str, *, by: Any) -> Configured:
    """Take the manual value of an option away. Raises PermissionRefused, LookupError."""
    require(by, Operation.UPDATE, WORKSPACE)
    return configuration.reset(name, by=by)
