"""The exceptions that flows see, and the signals that end a flow.

There are two bases on purpose: `EngineException` is an ordinary error that a script may catch,
`LifecycleSignal` is a `BaseException`, so that `except Exception` does not keep an ending execution alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from flow_api.execution import Execution


class EngineException(Exception):
    """Any refusal of the engine; `data` holds what the engine added to it."""

    def __init__(self, message: str = "", data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data: dict[str, Any] = data or {}


class InternalError(EngineException):
    """The engine itself failed while it answered a call."""


class PermissionDenied(EngineException):
    """The identity of the execution may not do this."""


class ResourceNotFoundError(EngineException):
    """The record that was selected does not exist."""


class DependencyFailedError(EngineException):
    """An awaited execution did not succeed; `execution` is the one that failed."""

    execution: Execution | None = None


class TimeoutExceededError(EngineException):
    """Something did not happen in the time that was given."""


class LockTimeoutError(TimeoutExceededError):
    """A lock was not free in time."""


class DependencyTimeoutError(TimeoutExceededError):
    """An awaited execution did not end in time."""


class MessageResponseTimeoutError(TimeoutExceededError):
    """Nobody answered a message in time."""


class DeadlockError(EngineException):
    """The wait would never be over: those who wait for each other stand in a circle; `data["circle"]` names them."""


class LockDeadlockError(DeadlockError):
    """The same, with a lock among what is waited for."""


class MissingInputError(EngineException):
    """A required input is absent."""


class InvalidInputError(EngineException):
    """A value has the wrong type, or cannot be stored; the message names the path to it."""


class ExtraInputError(EngineException):
    """An input was given that is not known."""


class SchemaError(EngineException):
    """A schema is itself invalid."""


class SchemaValidationError(EngineException):
    """Data does not match its schema."""


class LifecycleSignal(BaseException):
    """Ends the execution. `finally:` blocks run; once raised it is raised again by every later call."""

    status: ClassVar[str] = "error"

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class ExecutionSuccess(LifecycleSignal):
    """The execution ends in success (`this.success`)."""

    status = "success"


class ExecutionError(LifecycleSignal):
    """The execution ends in error (`this.error`)."""

    status = "error"


class ExecutionCancel(LifecycleSignal):
    """The execution was asked to stop."""

    status = "cancelled"


class ReplayMismatch(LifecycleSignal):
    """The script, resumed, made another call than the one recorded."""

    status = "replay_mismatch"


def error_named(
    name: str, message: str, data: dict[str, Any] | None = None
) -> EngineException | LifecycleSignal:
    """Will build the exception of that name; an unknown name becomes an `EngineException`."""
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, LifecycleSignal):
        return kind(message)
    if isinstance(kind, type) and issubclass(kind, EngineException):
        return kind(message, data)
    return EngineException(f"{name}: {message}" if name else message, data)
