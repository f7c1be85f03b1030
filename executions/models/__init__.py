"""Tables of executions and of the processes that run them, under the one name by which all others import them."""

from executions.models.engine import (
    FROZEN_AFTER_SECONDS,
    HEARTBEAT_SECONDS,
    HourCount,
    Housework,
    Maintenance,
    Process,
)
from executions.models.execution import TIMED, Execution, RunChoice, SavepointRetention
from executions.models.traces import Lock, LogLine, Payload, Savepoint, Transition, Wait

__all__ = [
    "FROZEN_AFTER_SECONDS",
    "HEARTBEAT_SECONDS",
    "TIMED",
    "Execution",
    "HourCount",
    "Housework",
    "Lock",
    "LogLine",
    "Maintenance",
    "Payload",
    "Process",
    "RunChoice",
    "Savepoint",
    "SavepointRetention",
    "Transition",
    "Wait",
]
