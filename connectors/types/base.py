"""What a type of connections is made of, and how it tells what came of one. Types and the engine import this."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

Inputs = dict[str, Any]


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
    # (host, port): those that may be connected to. Raises ConnectionFailed
    addresses: Callable[[str, int], Awaitable[list[str]]]
    is_secret: Callable[[str], None]  # shows this nowhere from now on, as the secrets that it was given


class ConnectionType(Protocol):
    """A module of this package. Inputs are those in their one form, made by `normalize`."""

    TITLE: str
    EXAMPLE: str  # what a flow may give: the keywords of a call
    SAMPLE: str  # inputs to start from, in YAML
    SCHEMA: dict[str, Any]  # of the inputs; secret ones are `writeOnly`
    FORM: tuple[str, ...]  # the inputs that the form of a connector offers at once
    MORE: tuple[str, ...]  # ... and below
    FORM_RULES: dict[str, Any]  # where the form shows an input otherwise than the schema has it
    # Inputs that are taken as a whole from the last who gives them; other objects are merged key by key.
    WHOLE: frozenset[str]
    # Inputs that hold things by names that somebody else chose: a telling name makes the value a secret.
    NAMED: frozenset[str]

    def normalize(self, inputs: Inputs) -> Inputs:
        """Return the inputs in their one form: older names and other ways to say the same are taken, too.

        It must bear any value, as nothing is checked yet, and change nothing that it does not know.
        """
        ...

    def targets(self, inputs: Inputs) -> set[str]:
        """Return whom these inputs speak to, as far as they say: secrets of a connector go to its targets only."""
        ...

    def trial(self, inputs: Inputs) -> Inputs:
        """Return inputs that do no harm and show that the connection works."""
        ...

    def is_idempotent(self, inputs: Inputs) -> bool:
        """Tell whether it can be carried out twice without harm."""
        ...

    async def run(self, inputs: Inputs, context: Context) -> Result:
        """Carry one connection out. Raises ConnectionFailed."""
        ...


# Inputs of every type, which the engine itself looks at.
COMMON: dict[str, Any] = {
    "trial": {
        "type": "boolean",
        "title": "Only try it",
        "description": "Do something harmless that shows whether the connection works.",
    },
    "idempotent": {
        "type": "boolean",
        "title": "May be repeated",
        "description": "Carrying it out twice does no harm. Left open, the engine decides by what is asked for.",
    },
    "max_attempts": {
        "type": "integer",
        "minimum": 1,
        "maximum": 10,
        "title": "Attempts",
        "description": "How often it may be begun in all when its worker is lost. Given, it may be repeated.",
    },
    "backoff": {
        "type": "number",
        "minimum": 0,
        "maximum": 3600,
        "title": "Seconds before each further attempt",
    },
}


# A text in PEM: a certificate or a key.
PEM: dict[str, Any] = {"type": "string", "form-element": "textarea", "placeholder": "-----BEGIN …"}


def seconds(most: float) -> dict[str, Any]:
    """Return the schema of a time in seconds, above 0."""
    return {"type": "number", "exclusiveMinimum": 0, "maximum": most}


def schema(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type with these inputs, and those of every type."""
    return {"type": "object", "properties": {**properties, **COMMON}, "additionalProperties": False}


def renamed(inputs: Inputs, names: dict[str, str]) -> Inputs:
    """Return the inputs with older names replaced, where the newer one is not given."""
    found = dict(inputs)
    for old, new in names.items():
        if old in found:
            value = found.pop(old)
            found.setdefault(new, value)
    return found


def moved_into(inputs: Inputs, group: str, names: dict[str, str]) -> Inputs:
    """Return the inputs with these moved into a group, where the group does not have them."""
    present = {old: new for old, new in names.items() if old in inputs}
    if not present or not isinstance(inputs.get(group, {}), dict):
        return inputs
    inner = {new: inputs[old] for old, new in present.items()} | inputs.get(group, {})
    return {name: value for name, value in inputs.items() if name not in present} | {group: inner}
