"""What flows import: the types of `system` and `this`, and the exceptions of the engine.

This package runs in the flow process, needs the standard library only, and knows the engine only through its
channel.
"""

from flow_api.exceptions import (
    DeadlockError,
    DependencyFailedError,
    DependencyTimeoutError,
    EngineException,
    ExecutionCancel,
    ExecutionError,
    ExecutionSuccess,
    ExtraInputError,
    InternalError,
    InvalidInputError,
    LifecycleSignal,
    LockDeadlockError,
    LockTimeoutError,
    MessageResponseTimeoutError,
    MissingInputError,
    PermissionDenied,
    ResourceNotFoundError,
    SchemaError,
    SchemaValidationError,
    TimeoutExceededError,
)
from flow_api.execution import Execution
from flow_api.messages import Message
from flow_api.records import Flow, Project, Record, Setting, User
from flow_api.system import NotSet, ReturnWhen, Status, System
from flow_api.urls import split_url

__all__ = [
    "DeadlockError",
    "DependencyFailedError",
    "DependencyTimeoutError",
    "EngineException",
    "Execution",
    "ExecutionCancel",
    "ExecutionError",
    "ExecutionSuccess",
    "ExtraInputError",
    "Flow",
    "InternalError",
    "InvalidInputError",
    "LifecycleSignal",
    "LockDeadlockError",
    "LockTimeoutError",
    "Message",
    "MessageResponseTimeoutError",
    "MissingInputError",
    "NotSet",
    "PermissionDenied",
    "Project",
    "Record",
    "ResourceNotFoundError",
    "ReturnWhen",
    "SchemaError",
    "SchemaValidationError",
    "Setting",
    "Status",
    "System",
    "TimeoutExceededError",
    "User",
    "split_url",
]
