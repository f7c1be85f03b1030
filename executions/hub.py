"""Which sockets of this process want to hear what, and the way of a message to each of them.

The ear publishes from its thread; each socket reads on its own event loop. Nothing is kept without bound: whoever
does not keep up loses the queue and gets one word, "resync". Asks no database.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import orjson

from executions.monitor import MonitorFilter
from executions.snapshots import Row
from executions.topics import Hint

QUEUED_MESSAGES = 256
UNACKNOWLEDGED_MESSAGES = 64
UNACKNOWLEDGED_CHARACTERS = 4_000_000
RESYNC = '{"type":"resync"}'

Projects = frozenset[UUID] | None  # None: all of them


def encode(value: Any) -> str:
    """Return a value as the text of a message."""
    return orjson.dumps(value).decode()


@dataclass
class Interest:
    """What a socket wants to hear. A new subscription is a new object, so the ear never mixes two."""

    monitor: MonitorFilter | None = None
    execution: UUID | None = None
    root: UUID | None = None  # of the tree that the execution is in
    log_after: int | None = None  # the last log line it was given; None while it wants no log

    def wants(self, row: Row) -> bool:
        if self.execution is not None:
            return row["id"] == self.execution or (self.root is not None and row["root_id"] == self.root)
        return self.monitor is not None and self.monitor.matches(row)


@dataclass(eq=False)
class Subscriber:
    """One socket. `offer` is called on its event loop only; the rest may be read from any thread."""

    loop: asyncio.AbstractEventLoop
    projects: Projects = frozenset()
    user_id: UUID | None = None
    interest: Interest = field(default_factory=Interest)
    running: int | None = None  # the count it was told last
    _queue: deque[str] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _held: deque[str] | None = None
    _is_lost: bool = False
    _sent: int = 0
    _acknowledged: int = 0
    _under_way: deque[int] = field(default_factory=deque)  # sizes of what was sent and not acknowledged

    def may_see(self, row: Row) -> bool:
        return self.projects is None or row["project_id"] in self.projects

    def offer(self, messages: Iterable[str]) -> None:
        """Queue messages. When the queue is full it is dropped, and the client is told to ask anew."""
        if self._is_lost:
            return
        queue = self._queue if self._held is None else self._held
        queue.extend(messages)
        if len(queue) > QUEUED_MESSAGES:
            self.lose()
        self._news.set()

    def lose(self) -> None:
        """Forget what is queued and tell the client to ask anew."""
        self._queue.clear()
        self._held = None
        self._queue.append(RESYNC)
        self._is_lost = True
        self._news.set()

    def hold(self, interest: Interest) -> None:
        """Want this from now on, and keep what comes until `begin`: the snapshot goes first."""
        self.interest = interest
        self._queue.clear()
        self._held = deque()
        self._is_lost = False

    def begin(self, snapshot: Iterable[str]) -> None:
        """Queue the snapshot and what came while it was being read."""
        held, self._held = self._held or (), None
        self.offer([*snapshot, *held])

    def acknowledge(self, count: int) -> None:
        """Note that the client has read this many messages in all."""
        for _ in range(min(count, self._sent) - self._acknowledged):
            self._under_way.popleft()
            self._acknowledged += 1
        self._news.set()

    def _may_send(self) -> bool:
        return (
            len(self._under_way) < UNACKNOWLEDGED_MESSAGES
            and sum(self._under_way) < UNACKNOWLEDGED_CHARACTERS
        )

    async def next(self) -> str:
        """Return the next message to send, once there is one and the client keeps up."""
        # The server below buffers without bound, so only the client's own word tells how far it has read.
        while not (self._queue and self._may_send()):
            self._news.clear()
            await self._news.wait()
        message = self._queue.popleft()
        self._sent += 1
        self._under_way.append(len(message))
        return message


class Bell(Protocol):
    """What is set to wake someone who waits, such as a `threading.Event`; from any thread."""

    def set(self) -> None: ...


Sending = tuple[Subscriber, Interest | None, str]  # to whom, for which subscription, what


class Hub:
    """All sockets of this process, and those who wait for an execution's end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: set[Subscriber] = set()
        self._waiting: dict[UUID, set[Bell]] = {}

    def join(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._subscribers.add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._subscribers.discard(subscriber)

    def subscribers(self) -> list[Subscriber]:
        with self._lock:
            return list(self._subscribers)

    # -- Those who wait -----------------------------------------------------------------------------------

    def wait_for(self, execution_id: UUID, event: Bell) -> None:
        """Set the event whenever the execution changes, from now on."""
        with self._lock:
            self._waiting.setdefault(execution_id, set()).add(event)

    def wait_no_more(self, execution_id: UUID, event: Bell) -> None:
        with self._lock:
            events = self._waiting.get(execution_id, set())
            events.discard(event)
            if not events:
                self._waiting.pop(execution_id, None)

    def wake(self, ids: Iterable[UUID]) -> None:
        """Set the events of those who wait for these executions."""
        if not self._waiting:
            return
        with self._lock:
            for execution_id in ids:
                for event in self._waiting.get(execution_id, ()):
                    event.set()

    # -- Publishing ---------------------------------------------------------------------------------------

    def publish_rows(self, rows: list[Row]) -> None:
        """Send changed rows to all who want and may see them; each row and each distinct message encoded once."""
        encoded: dict[int, str] = {}
        made: dict[Any, str] = {}

        def message_for(subscriber: Subscriber) -> str:
            parts = []
            for number, row in enumerate(rows):
                if subscriber.may_see(row) and interest.wants(row):
                    if number not in encoded:
                        encoded[number] = encode(row)
                    parts.append(encoded[number])
            return f'{{"type":"changes","rows":[{",".join(parts)}]}}' if parts else ""

        sending: list[Sending] = []
        for subscriber in self.subscribers():
            interest = subscriber.interest
            if interest.execution is None and interest.monitor is None:
                continue
            audience = (subscriber.projects, interest.monitor, interest.execution, interest.root)
            if audience not in made:
                made[audience] = message_for(subscriber)
            if made[audience]:
                sending.append((subscriber, interest, made[audience]))
        self._send(sending)

    def publish_running(self, running: dict[UUID, int]) -> None:
        """Tell each socket how many executions run in its projects, if that changed."""
        sending: list[Sending] = []
        for subscriber in self.subscribers():
            projects = subscriber.projects
            count = sum(
                number for project, number in running.items() if projects is None or project in projects
            )
            if subscriber.running != count:
                subscriber.running = count
                sending.append((subscriber, None, encode({"type": "running", "count": count})))
        self._send(sending)

    def publish_topic(self, name: str, hints: list[Hint]) -> None:
        """Tell each socket that there is news in a topic, and what it is about."""
        sending: list[Sending] = []
        for subscriber in self.subscribers():
            projects, user_id = subscriber.projects, subscriber.user_id
            about = [
                hint.about
                for hint in hints
                if projects is None or hint.project_id in projects or user_id in hint.user_ids
            ]
            if about:
                sending.append((subscriber, None, encode({"type": "topic", "topic": name, "about": about})))
        self._send(sending)

    def open_logs(self) -> dict[UUID, list[tuple[Subscriber, Interest]]]:
        """Return who follows which execution's log."""
        followed: dict[UUID, list[tuple[Subscriber, Interest]]] = {}
        for subscriber in self.subscribers():
            interest = subscriber.interest
            if interest.execution is not None and interest.log_after is not None:
                followed.setdefault(interest.execution, []).append((subscriber, interest))
        return followed

    def publish_log(
        self,
        execution_id: UUID,
        last: int,
        readers: list[tuple[Subscriber, Interest]],
        read: Callable[[int], list[Any]],
    ) -> None:
        """Send the readers the lines behind those they have; `read(after)` reads them, once per distinct place."""
        made: dict[int, tuple[str, int]] = {}
        sending: list[Sending] = []
        for subscriber, interest in readers:
            after = interest.log_after
            if after is None or after >= last:
                continue
            if after not in made:
                lines = read(after)
                reached = lines[-1][0] if lines else last
                made[after] = (encode(log_message(execution_id, after, lines, last)), reached)
            message, interest.log_after = made[after]
            sending.append((subscriber, interest, message))
        self._send(sending)

    def resync(self) -> None:
        """Tell all sockets to ask anew, and all waiting threads to look: news may have been missed."""
        for subscriber in self.subscribers():
            self._on_loop(subscriber.loop, subscriber.lose)
        with self._lock:
            ids = list(self._waiting)
        self.wake(ids)

    def _send(self, sending: list[Sending]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Sending]] = {}
        for each in sending:
            by_loop.setdefault(each[0].loop, []).append(each)
        for loop, its_own in by_loop.items():
            self._on_loop(loop, _offer_all, its_own)

    def _on_loop(self, loop: asyncio.AbstractEventLoop, action: Callable[..., None], *given: Any) -> None:
        try:
            loop.call_soon_threadsafe(action, *given)
        except RuntimeError:  # the loop has ended, and its sockets with it
            for subscriber in self.subscribers():
                if subscriber.loop is loop:
                    self.leave(subscriber)


def _offer_all(sending: list[Sending]) -> None:
    for subscriber, interest, message in sending:
        # What was made for an earlier subscription would only repeat what the new snapshot tells.
        if interest is None or interest is subscriber.interest:
            subscriber.offer([message])


def log_message(execution_id: UUID, after: int, lines: list[Any], last: int) -> dict[str, Any]:
    """Return the message that carries log lines: those behind number `after`; the log reaches up to `last`."""
    return {"type": "log", "id": execution_id, "after": after, "lines": lines, "last": last}


hub = Hub()  # of this process
