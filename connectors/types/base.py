"""What a type of connections is made of, and how it tells what came of one. Types and the engine import this."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class ConnectionFailed(Exception):
    """The other side could not be reached, or answered otherwise than expected. `output` is what it did answer."""

    def __init__(self, message: str, output: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message, self.output = message, output


class ConnectionTimedOut(ConnectionFailed):
    """The other side was too slow."""


class InputRefused(ConnectionFailed):
    """The inputs are no inputs of this type; the message names the field and says how to mend it."""


@dataclass(frozen=True)
class Result:
    """What a connection that went well gives back."""

    output: dict[str, Any]
    message: str = ""


@dataclass(frozen=True)
class Context:
    """What a connection may use while it is carried out. It runs among many others: it must not block."""

    log: Callable[..., None]  # (text, level="info")


class ConnectionType(Protocol):
    """A module of this package."""

    SCHEMA: dict[str, Any]  # of its inputs

    async def run(self, inputs: dict[str, Any], context: Context) -> Result:
        """Carry one connection out. Raises ConnectionFailed."""
        ...

    def is_idempotent(self, inputs: dict[str, Any]) -> bool:
        """Tell whether it can be done twice without harm."""
        ...
