"""Messages and forms for people: `this.message(...)` writes one and waits, `system.message(...)` does not wait.

A message knows only who it is, as every record; its answer is read from the host.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Self

from flow_api.records import Record, field_values
from flow_api.values import to_json

if TYPE_CHECKING:
    from flow_api.system import System


class Message(Record):
    """A text or a form for people; `get('response')` is the answer, a dict by the names of the form's fields."""

    RESOURCE = "message"

    @classmethod
    def create(cls, system: System, fields: dict[str, Any], *, wait: bool) -> Self:
        """Will write a message and, with `wait`, return it when it has been answered."""
        given = {name: _plain(value) for name, value in fields.items() if value is not None}
        args = {"fields": field_values("message", None, given), "wait": wait}
        return cls.known(system, system._channel.call("message.create", args))

    def save(self, init: dict[str, Any] | None = None, **fields: Any) -> Self:
        """Will write a new message without waiting; or answer (`response=…`) the one that this is."""
        if self._select is not None:
            return super().save(init, **fields)
        self._select = self.create(self._system, {**(init or {}), **fields}, wait=False).get("id")
        return self

    def wait(self, timeout: float | datetime.timedelta | None = None) -> Self:
        """Will wait until somebody has answered and return the message."""
        args = {"id": self.get("id"), "timeout": to_json(_plain(timeout), "timeout")}
        self._system._channel.call("message.wait", args)
        return self


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    return value.get("id") if isinstance(value, Record) else value
