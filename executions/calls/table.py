"""What flows may ask for: every app offers its calls here, and how its waits are taken up, when it is ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from executions.calls.base import Caller

Function = Callable[[Caller, dict[str, Any]], Any]


@dataclass(frozen=True)
class Call:
    """One call: (caller, arguments) -> value, Parked, Started or PutDown. May raise CallRefused.

    One that `writes` runs in one transaction with its savepoint, with the caller's row locked. `at_once` is tried
    before that: (caller, request) -> the same, its savepoint written too; or None with nothing done.
    """

    function: Function
    writes: bool = True
    at_once: Callable[[Caller, Any], Any] | None = None


CALLS: dict[str, Call] = {}
_WAITS: dict[str, Function] = {}


def offer_calls(
    writes: Mapping[str, Function] | None = None,
    reads: Mapping[str, Function] | None = None,
    waits: Mapping[str, Function] | None = None,
) -> None:
    """Add calls to the table. `waits`: by the "kind" of a `Parked.wait`, (caller, wait) -> its answer or Parked.

    A wait is taken up when its execution was woken (`endings.wake`), when its time is over, and after a crash;
    it looks at the database whether it is over, and parks the execution again when it is not.
    """
    CALLS.update({name: Call(function) for name, function in (writes or {}).items()})
    CALLS.update({name: Call(function, writes=False) for name, function in (reads or {}).items()})
    _WAITS.update(waits or {})


def take_up(caller: Caller, wait: dict[str, Any]) -> Any:
    """Take up a wait where it was written down: its answer if it is over, else Parked."""
    return _WAITS[wait["kind"]](caller, wait)
