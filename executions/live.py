"""The ear: one thread per web process that hears of changes, reads each changed row once and tells the hub.

Notifications are hints. Every few seconds the ear also looks at the history itself, and after any break it tells
everyone to ask anew.
"""

import atexit
import logging
import os
import select
import threading
import time
from collections import OrderedDict
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import Error, connection
from django.db.models import Count

from executions.announce import CHANGED
from executions.hub import hub
from executions.lease import Lease
from executions.lifecycle import Status
from executions.log_reading import last_numbers, read_lines
from executions.models import HEARTBEAT_SECONDS, Execution, Process, Transition
from executions.snapshots import read_rows
from executions.topics import read_hints
from records import configuration

logger = logging.getLogger("engine.live")

COLLECT_SECONDS = 0.05
LOOK_SECONDS = 5.0  # the net under the notifications
RUNNING_SECONDS = 0.5  # the running count is told no more often
LOG_LINES = 1_000  # sent at once; whoever is further behind asks for the rest
_ROWS_AT_ONCE = 1_000
_LOOKED_AT = 30_000
_REMEMBERED = 20_000


class LeaseEnded(Exception):
    """Others took this process for dead and ended its lease; it takes a new one."""


class Ear:
    """Hears, collects, reads, publishes. `start` may be called by anyone at any time."""

    def __init__(self) -> None:
        self._hears = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._stopping = threading.Event()
        self._changed: set[UUID] = set()
        self._logged: dict[UUID, int] = {}
        self._topics: dict[str, set[UUID]] = {}
        self._told: OrderedDict[UUID, int] = OrderedDict()  # the last versions published, newest at the end
        self._asked: set[UUID] = set()  # logs to look at, from other threads
        self._seen = 0  # transitions up to this id were looked at in the look before last
        self._running_due_at: float | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    # -- Used by other threads ----------------------------------------------------------------------------

    @property
    def is_hearing(self) -> bool:
        return self._hears.is_set()

    def await_hearing(self, timeout: float) -> bool:
        """Wait until notifications arrive; tells whether they do."""
        return self._hears.wait(timeout)

    def start(self) -> None:
        """Begin to hear, unless it does so already in this process."""
        if self._thread is not None and self._pid == os.getpid():
            return
        with self._lock:
            if self._thread is not None and self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="ear", daemon=True)
            self._thread.start()
            atexit.register(self.stop)

    def stop(self, timeout: float = 3.0) -> None:
        """End in good order: the lease is given back."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stopping.set()
        if thread is not None and self._pid == os.getpid():
            self._wake()
            thread.join(timeout)

    def look_at_log(self, execution_id: UUID) -> None:
        """Send those who follow this log what they lack, also without a notification."""
        with self._lock:
            self._asked.add(execution_id)
        self._wake()

    def look_at_running(self) -> None:
        """Tell everyone the running count soon."""
        self._running_due_at = 0.0
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            pass  # it is awake already

    # -- The thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = 0.2
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._listen()
            except (Error, psycopg.Error, OSError, LeaseEnded) as error:
                words = (str(error).strip() or type(error).__name__).splitlines()[0]
                logger.warning("live news are interrupted, trying again: %s", words)
            except Exception:
                logger.exception("live news are interrupted, trying again")
            finally:
                self._hears.clear()
                connection.close()
            if self._stopping.is_set():
                return
            pause = 0.2 if time.monotonic() - began > 10 else min(5.0, pause * 2)
            select.select([self._wake_read], [], [], pause)

    def _listen(self) -> None:
        lease = Lease(Process.Role.WEB, channels=(CHANGED,))
        try:
            newest = Transition.objects.order_by("-id").values_list("id", flat=True).first() or 0
            self._seen = newest
            connection.close()
            hub.resync()  # what happened while we were deaf is not known
            self._hears.set()
            self._hear_until_stopped(lease)
            lease.release()
        finally:
            lease.connection.close()

    def _hear_until_stopped(self, lease: Lease) -> None:
        now = time.monotonic()
        beat_at, look_at, flush_at = now + HEARTBEAT_SECONDS, now + LOOK_SECONDS, now
        previous_newest = self._seen
        sources: list[Any] = [lease, self._wake_read]
        while not self._stopping.is_set():
            waits = [beat_at, look_at]
            if self._changed or self._logged or self._topics or self._asked:
                waits.append(flush_at)
            if self._running_due_at is not None:
                waits.append(max(self._running_due_at, flush_at))
            rest = max(0.0, min(waits) - time.monotonic())
            select.select(sources, [], [], rest)
            self._drain_wakes()
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + HEARTBEAT_SECONDS
                if not lease.beat():
                    raise LeaseEnded
            was_idle = not (self._changed or self._logged or self._topics)
            for _channel, payload in lease.notes():
                self._hear(payload)
            now = time.monotonic()
            if was_idle and (self._changed or self._logged or self._topics):
                flush_at = max(flush_at, now + COLLECT_SECONDS)
            if now >= look_at:
                previous_newest = self._look(previous_newest)
                look_at = time.monotonic() + LOOK_SECONDS
            if now >= flush_at:
                self._flush()
                took = time.monotonic() - now
                # Under load collect for longer: the ear may take a third of a core, not a whole one.
                flush_at = time.monotonic() + took * 2

    def _drain_wakes(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            pass

    def _hear(self, payload: str) -> None:
        try:
            note = orjson.loads(payload)
            changed = [UUID(key) for key in note.get("changed", ())]
            logged = {UUID(key): int(number) for key, number in note.get("logged", {}).items()}
            topics = {name: [UUID(key) for key in keys] for name, keys in note.get("topics", {}).items()}
        except (ValueError, AttributeError):
            logger.warning("a notification that is none of ours was ignored: %.80r", payload)
            return
        hub.wake(changed)  # a waiting thread reads for itself and need not wait for the collecting
        self._changed.update(changed)
        for key, number in logged.items():
            self._logged[key] = max(number, self._logged.get(key, 0))
        for name, keys in topics.items():
            self._topics.setdefault(name, set()).update(keys)

    def _flush(self) -> None:
        """Read what changed, once, and tell those who want to know."""
        changed, self._changed = self._changed, set()
        logged, self._logged = self._logged, {}
        topics, self._topics = self._topics, {}
        with self._lock:
            asked, self._asked = self._asked, set()
        if not hub.subscribers():
            self._running_due_at = None
            return
        now = time.monotonic()
        try:
            if changed:
                self._publish_rows(list(changed))
                if self._running_due_at is None:
                    self._running_due_at = now + RUNNING_SECONDS
            self._publish_logs(logged, asked)
            for name, keys in topics.items():
                hub.publish_topic(name, read_hints(name, list(keys)))
            if self._running_due_at is not None and now >= self._running_due_at:
                self._running_due_at = None
                hub.publish_running(running_by_project())
        finally:
            connection.close()  # back to the pool between two flushes

    def _publish_rows(self, ids: list[UUID]) -> None:
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            rows = read_rows(Execution.objects.filter(pk__in=ids[start : start + _ROWS_AT_ONCE]))
            hub.publish_rows(rows)
            for row in rows:
                self._told[row["id"]] = row["version"]
                self._told.move_to_end(row["id"])
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    def _publish_logs(self, logged: dict[UUID, int], asked: set[UUID]) -> None:
        if not logged and not asked:
            return
        followed = hub.open_logs()
        wanted = {key: number for key, number in logged.items() if key in followed}
        if looked_for := asked & followed.keys():
            for key, number in last_numbers(looked_for).items():
                wanted[key] = max(number, wanted.get(key, 0))
        for key, last in wanted.items():
            hub.publish_log(key, last, followed[key], partial(read_lines, key, limit=LOG_LINES))

    def _look(self, previous_newest: int) -> int:
        """Find what no notification told: transitions that are new since the look before last.

        Ids are not in commit order, so each is looked at twice, some seconds apart.
        """
        configuration.refresh()
        if not hub.subscribers():
            newest = Transition.objects.order_by("-id").values_list("id", flat=True).first()
            connection.close()
            self._seen = previous_newest = max(newest or 0, previous_newest)
            return previous_newest
        found = list(
            Transition.objects.filter(id__gt=self._seen)
            .order_by("id")
            .values_list("id", "execution_id", "version")[:_LOOKED_AT]
        )
        self._seen = previous_newest
        if len(found) == _LOOKED_AT:
            hub.resync()
        else:
            self._changed.update(key for _, key, version in found if self._told.get(key, 0) < version)
        with self._lock:
            self._asked.update(hub.open_logs())
        connection.close()
        return max((row[0] for row in found), default=previous_newest)


def running_by_project() -> dict[UUID, int]:
    """Return how many executions run, by project."""
    running = Execution.objects.alive().filter(status=Status.RUNNING).order_by()
    return dict(running.values("project_id").annotate(number=Count("id")).values_list("project_id", "number"))


ear = Ear()  # of this process
