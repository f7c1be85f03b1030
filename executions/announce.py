"""Telling others after commit: web processes that executions changed, workers that work is ready, hosts that
one of theirs is wanted. A notification is a hint; nothing depends on its arrival (see the slow polls).

NOTIFY takes a global lock at commit, so a host collects its announcements and sends them together.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import orjson

from executions.database import NOT_DURABLE, Statement, fetch, together

CHANGED = "engine_changed"
READY = "engine_ready"
HOST = "engine_host_%d"
SECRETS = "engine_secrets"
_IDS_PER_NOTE = 180  # a payload must stay below 8,000 bytes

_collected: ContextVar["Collected | None"] = ContextVar("collected", default=None)


class Collected:
    """Announcements of one host, gathered until `send`."""

    def __init__(self) -> None:
        self.changed: set[UUID] = set()
        self.logged: dict[UUID, int] = {}
        self.topics: dict[str, set[UUID]] = {}
        self.is_ready = False  # something can be claimed, which the other workers are told with the rest
        self.rings = False  # the host rings for its own claimer at once

    def __enter__(self) -> "Collected":
        _collected.set(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        _collected.set(None)

    def send(self) -> None:
        """Send what has gathered, in as few notes as fit. Call it outside of a transaction."""
        changed, logged, topics = self.changed, self.logged, self.topics
        is_ready, self.is_ready = self.is_ready, False
        self.changed, self.logged, self.topics = set(), {}, {}
        told = [(CHANGED, note) for note in (*notes(changed, logged), *_topic_notes(topics))]
        told += [(READY, "")] if is_ready else []
        if told:
            # Nobody needs this commit on the disk: a note that is lost with the server has no reader either.
            together([NOT_DURABLE, *(("SELECT pg_notify(%s, %s)", each) for each in told)])


def notes(changed: Iterable[UUID], logged: dict[UUID, int]) -> list[str]:
    """Return payloads: {"changed": [ids], "logged": {id: last log number}}, each below the size limit."""
    ids, logs = [str(key) for key in changed], [(str(key), number) for key, number in logged.items()]
    made = []
    while ids or logs:
        some, ids = ids[:_IDS_PER_NOTE], ids[_IDS_PER_NOTE:]
        room = (_IDS_PER_NOTE - len(some)) * 2 // 3
        lines, logs = dict(logs[:room]), logs[room:]
        made.append(orjson.dumps({"changed": some, "logged": lines}).decode())
    return made


def announce(ids: Iterable[UUID]) -> None:
    """Tell the monitors that these executions changed: with the commit, or with the host's next batch."""
    collected = _collected.get()
    if collected is not None:
        # Ahead of the commit by less than the host's collecting time; readers ask by version anyway.
        collected.changed.update(ids)
        return
    for note in notes(ids, {}):
        fetch("SELECT pg_notify(%s, %s)", (CHANGED, note))


def announce_log(execution_id: UUID, number: int) -> None:
    """Tell the monitors that this execution's log reaches up to `number`."""
    collected = _collected.get()
    if collected is not None:
        collected.logged[execution_id] = number


def announce_topic(topic: str, keys: Iterable[UUID]) -> None:
    """Tell the browsers that hear of this topic (see `executions.topics`) what is new in it."""
    collected = _collected.get()
    if collected is not None:
        collected.topics.setdefault(topic, set()).update(keys)
        return
    for note in _topic_notes({topic: keys}):
        fetch("SELECT pg_notify(%s, %s)", (CHANGED, note))


def _topic_notes(topics: dict[str, Any]) -> list[str]:
    made = []
    for topic, keys in topics.items():
        ids = [str(key) for key in keys]
        for start in range(0, len(ids), _IDS_PER_NOTE):
            made.append(orjson.dumps({"topics": {topic: ids[start : start + _IDS_PER_NOTE]}}).decode())
    return made


def announce_ready() -> None:
    """Wake the workers: something can be claimed."""
    collected = _collected.get()
    if collected is not None:
        collected.is_ready = collected.rings = True
        return
    fetch("SELECT pg_notify(%s, '')", (READY,))


def told_with(execution_id: UUID, *, is_ready: bool) -> list[Statement]:
    """Return what tells of a new execution, to be sent with it: the monitors, and the workers if it is ready.

    None in a host, which tells it with its next batch.
    """
    if _collected.get() is not None:
        announce([execution_id])
        if is_ready:
            announce_ready()
        return []
    (note,) = notes([execution_id], {})
    if is_ready:  # in one statement: whoever starts many feels each
        return [("SELECT pg_notify(%s, %s), pg_notify(%s, '')", (CHANGED, note, READY))]
    return [("SELECT pg_notify(%s, %s)", (CHANGED, note))]


def announce_secret_use(root_ids: Iterable[UUID]) -> None:
    """Tell the hosts in which trees secrets are used from now on: at once, before anything is done with them."""
    for root_id in root_ids:
        fetch("SELECT pg_notify(%s, %s)", (SECRETS, str(root_id)))


def announce_to_host(host_ids: Iterable[int]) -> None:
    """Wake these hosts: one of their executions is to be cancelled or may go on."""
    for host_id in set(host_ids):
        fetch("SELECT pg_notify(%s, '')", (HOST % host_id,))
