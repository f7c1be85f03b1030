"""What was done to records, told to whoever writes it down, in the same transaction.

Operations tell; `access.audit` listens. Nothing is kept here.
"""

from collections.abc import Mapping
from typing import Any, Protocol

Changes = Mapping[str, tuple[Any, Any]]  # by field: what it was and what it is


class Listener(Protocol):
    def __call__(self, action: str, record: Any, *, by: Any, changes: Changes | None = None) -> None: ...


_listeners: list[Listener] = []


def listen(listener: Listener) -> Listener:
    """Let `listener` be told of everything from now on. Called once, when its app is ready."""
    _listeners.append(listener)
    return listener


def tell(action: str, record: Any, *, by: Any, changes: Changes | None = None) -> None:
    """Tell what `by` did to a record, in the caller's transaction."""
    for listener in _listeners:
        listener(action, record, by=by, changes=changes)
