"""`system`: the engine as a flow sees it, its records by type and name, and the words for waits and statuses.

The frame makes one per flow process and hands it to `handler(system, this, inputs)`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flow_api.channel import Channel
    from flow_api.records import Record, User


class NotSetType:
    """The type of `NotSet`: leave a field as it is, which is something else than setting it to None."""

    def __repr__(self) -> str:
        return "NotSet"

    def __bool__(self) -> bool:
        return False


NotSet: Final = NotSetType()


class ReturnWhen(StrEnum):
    """When a wait for executions is over."""

    ALL_ENDED = "ALL_ENDED"  # all have ended, in whatever way
    ALL_SUCCEEDED = "ALL_SUCCEEDED"  # all have ended in success; the first that did not raises
    FIRST_ENDED = "FIRST_ENDED"  # one has ended


class Status(StrEnum):
    """The statuses of an execution."""

    CREATED = "CREATED"
    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    WAITING_FOR_DEPENDENCY = "WAITING_FOR_DEPENDENCY"
    WAITING_FOR_MESSAGE = "WAITING_FOR_MESSAGE"
    WAITING_FOR_LOCK = "WAITING_FOR_LOCK"
    SLEEPING = "SLEEPING"
    PAUSED = "PAUSED"
    ENDED_SUCCESS = "ENDED_SUCCESS"
    ENDED_ERROR = "ENDED_ERROR"
    ENDED_CANCELLED = "ENDED_CANCELLED"


class System:
    """Records by type: `system.flow('name')`, and lists of them: `system.flows(filter_={...})`.

    Any record type of the engine is reached by its name in the singular and the plural.
    """

    return_when = ReturnWhen
    status = Status

    def __init__(self, channel: Channel, begin: dict[str, Any]) -> None:
        self._channel = channel
        self._user: dict[str, Any] = begin.get("user") or {}
        self._env_name: str = begin.get("env_name") or ""

    def get_own_user(self) -> User:
        """Will return the user as whom this execution runs."""
        from flow_api.records import User

        return User.known(self, self._user)

    def get_env_name(self) -> str:
        """Will return the name of this environment."""
        return self._env_name

    def __getattr__(self, name: str) -> Callable[..., Record] | Callable[..., list[Record]]:
        from flow_api.records import accessor

        if name.startswith("_"):
            raise AttributeError(name)
        return accessor(self, name)

    def __repr__(self) -> str:
        return "<system>"
