"""The audit log: who did what to which record, what it was before and is now, and through which door.

Operations tell through `records.changes`, or `note` what is not a change of a record's fields; entries are written in
their transaction. Doors say which one they are (`through`, or `access.doors` for requests). What flows do on their hot
path - start children, wait - is not noted: executions and their transitions tell of that.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models

from access.identities import who
from access.models import AuditEntry
from access.permissions import project_of
from records.changes import Changes
from records.identifiers import uuid7
from records.kinds import type_name

MASK = "•••"
_LONGEST = 500  # characters of a text
_LARGEST = 4_000  # of a list or object as JSON
_SECRET = re.compile(r"passw|secret|token|sealed|private|credential|(^|_)key($|_)|otp", re.IGNORECASE)


class Door(NamedTuple):
    """The door that is being used, and the address of whoever stands before it."""

    name: str
    address: str = ""


_NO_REQUEST = Door(AuditEntry.Door.COMMAND.value)
_door: ContextVar[Door] = ContextVar("door", default=_NO_REQUEST)


@contextmanager
def through(name: str, address: str = "") -> Iterator[None]:
    """Note what happens meanwhile, in this thread or task, as done through this door."""
    before = _door.set(Door(str(name), address))
    try:
        yield
    finally:
        _door.reset(before)


def enter(name: str) -> None:
    """Note all that happens from now on in this thread as done through this door."""
    _door.set(Door(str(name)))


_COLUMNS = (
    "id", "at", "identity_kind", "identity_id", "identity_name", "user_id", "door", "address", "action",
    "record_type", "record_id", "record_name", "project_id", "changes",
)  # fmt: skip
_PLACES = (
    ", ".join("clock_timestamp()" if name == "at" else f"%(audit_{name})s" for name in _COLUMNS) + "::jsonb"
)
PART = f"INSERT INTO access_auditentry ({', '.join(_COLUMNS)}) VALUES ({_PLACES})"


def note(
    action: str,
    record: Any = None,
    *,
    by: Any,
    changes: Changes | None = None,
    **other: Any,
) -> None:
    """Write down what `by` did, in the caller's transaction. Without a record, name its type and more: see `entry`."""
    with connection.cursor() as cursor:
        cursor.execute(PART, entry(action, record, by=by, changes=changes, **other))


def entry(
    action: str,
    record: Any = None,
    *,
    by: Any,
    changes: Changes | None = None,
    record_type: str = "",
    record_id: Any = "",
    name: str = "",
    project_id: UUID | None = None,
) -> dict[str, Any]:
    """Return the parameters of `PART`, for a statement that writes an entry beside something else."""
    is_known = by is not None and not by._state.adding
    kind, key, who_name = who(by) if is_known else ("", None, str(by or ""))
    if record is not None:
        record_type, record_id = record_type or type_name(record), record.pk
        name, project_id = name or str(record), project_id or project_of(record)
    values = {
        "id": uuid7(),
        "identity_kind": kind,
        "identity_id": key,
        "identity_name": who_name[:150],
        "user_id": by.pk if is_known else None,
        "door": _door.get().name,
        "address": _door.get().address,
        "action": action,
        "record_type": record_type,
        "record_id": str(record_id),
        "record_name": name[:150],
        "project_id": project_id,
        "changes": json.dumps(shown_changes(changes or {}), cls=DjangoJSONEncoder),
    }
    return {f"audit_{name}": value for name, value in values.items()}


def shown_changes(changes: Changes) -> dict[str, Any]:
    """Return changes as the log keeps them: secrets masked, long values cut, from nothing to nothing left out."""
    return {
        name: [MASK if old else None, MASK if new else None]
        if _SECRET.search(name)
        else [_shown(old), _shown(new)]
        for name, (old, new) in changes.items()
        if not (_is_nothing(old) and _is_nothing(new))
    }


def in_words(changes: Mapping[str, Any]) -> list[str]:
    """Return stored changes, a line for each field."""
    return [f"{name}: {_text(old)} → {_text(new)}" for name, (old, new) in changes.items()]


def _is_nothing(value: Any) -> bool:
    return value is None or value == ""


def _text(value: Any) -> str:
    if _is_nothing(value):
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> Any:
    if isinstance(value, models.Model):
        return str(value)
    if isinstance(value, str):
        return _cut(value.replace("\0", "\ufffd"))
    if isinstance(value, Mapping | list | tuple):
        masked = _masked(value)
        text = json.dumps(masked, cls=DjangoJSONEncoder, ensure_ascii=False, default=str)
        return masked if len(text) <= _LARGEST else _cut(text)
    return value if isinstance(value, bool | int | float | None) else _cut(str(value))


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): MASK if inner and _SECRET.search(str(name)) else _masked(inner)
            for name, inner in value.items()
        }
    return [_masked(inner) for inner in value] if isinstance(value, list | tuple) else value


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
