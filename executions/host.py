"""The execution host: supervises the executions of one worker, in one thread, on one database connection.

One loop hears the zygote, the channels, the notes and the clock. Whatever it cannot mend (the zygote is gone, the
database is away, its lease was ended) ends the whole worker: others take its executions over by the lease.
"""

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from uuid import UUID

from django.conf import settings

from access import audit
from access.models import AuditEntry
from executions import doorbell, hosting, recovery
from executions.announce import HOST, SECRETS, announce
from executions.assignments import Assignment, assignments
from executions.connecting import Connection
from executions.hosted_calls import HostedCalls
from executions.hosted_connections import HostedConnections
from executions.hosted_ends import HostedEnds
from executions.hosted_run import HostedRun
from executions.hosted_runs import GRACE_SECONDS, HostedRuns
from executions.hosting import Held
from executions.lease import LOCK_CLASS, Lease
from executions.loop import Loop
from executions.masks import Masks
from executions.models import FROZEN_AFTER_SECONDS, HEARTBEAT_SECONDS, Execution, Process
from executions.savepoints import Journal, load_journals
from executions.scribe import Scribe
from executions.zygote import Zygote
from records import configuration

logger = logging.getLogger("engine.host")

SWEEP_SECONDS = 1.5
LINGER_SECONDS = 0.001  # without a call, before ends that nobody here waits for are written down

current: "Host | None" = None  # the host of this worker process


class Host:
    """Runs executions until `stop`. `take` may be called from other threads, everything else is the loop's."""

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or settings.ENGINE_SLOTS
        self._loop = Loop()
        self._inbox: deque[tuple[list[Assignment], float]] = deque()
        self._looked_at = 0.0  # when we last read what others did to our executions
        self._wake_read, self._wake_write = socket.socketpair()
        self._strays: dict[UUID, int] = {}  # what ran here by its row and not in fact, at the last beat
        self._is_stopping = False
        self._thread = threading.Thread(target=self._guarded_loop, name="host", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, given: list[Assignment], as_of: float) -> None:
        """Run executions that were claimed for this host, as they were at this moment of the monotonic clock."""
        self._inbox.append((given, as_of))
        self._wake()

    def stop(self, timeout: float = GRACE_SECONDS + 5.0) -> None:
        """End in good order: everything is put down at its next call, or after a grace time, and goes on elsewhere."""
        self._is_stopping = True
        self._wake()
        self._thread.join(timeout)

    def _wake(self) -> None:
        self._wake_write.send(b"x")

    # -- Loop ---------------------------------------------------------------------------------------------

    def _guarded_loop(self) -> None:
        audit.enter(AuditEntry.Door.FLOW)
        try:
            self._open()
            with self._scribe.collected:
                while not self._is_stopping:
                    self._turn()
                self._put_everything_down()
                self._close()
        except BaseException:
            logger.critical("the host cannot go on; its worker ends and starts afresh", exc_info=True)
            # Crash only: half a host would be worse than none, and the lease frees what it held.
            os._exit(70)

    def _open(self) -> None:
        self._zygote = Zygote()
        self._zygote.start()
        self._lease = Lease(Process.Role.HOST, slots=self.slots, connections=settings.ENGINE_CONNECTIONS)
        self._lease.listen(HOST % self._lease.id)
        self._lease.listen(SECRETS)
        self._lease.describe([list(layer) for layer in self._zygote.isolation])
        self._compose()
        self._wake_read.setblocking(False)
        self._loop.watch(self._wake_read, self._on_wake)
        self._loop.watch(self._zygote.fileno(), self._runs.on_zygote)
        self._loop.watch(self._lease.fileno(), self._on_notes)
        self._loop.every(HEARTBEAT_SECONDS, self._beat)
        self._loop.after(0.1, self._sweep)  # what our predecessor left should not wait
        self._loop.every(SWEEP_SECONDS, self._sweep)
        if doorbell.doorbell is not None:
            doorbell.doorbell.host_id = self._lease.id
        logger.info("host %s is ready with %s slots", self._lease.id, self.slots)

    def _compose(self) -> None:
        """Put the parts together: each acts through those before it."""
        loop, masks = self._loop, Masks()
        scribe = Scribe(loop, self._lease.id)
        runs = HostedRuns(self._zygote, loop, scribe, self.slots)
        calls = HostedCalls(runs, loop, scribe, self._begin)
        ends = HostedEnds(runs, calls, scribe, self._take_on)
        self._connections = HostedConnections(self._wake, masks, loop, scribe, ends)
        self._masks, self._scribe, self._runs, self._calls, self._ends = masks, scribe, runs, calls, ends
        # How executions of each type are begun.
        self._ways: dict[str, Callable[[list[Assignment]], None]] = {
            Execution.Type.FLOW: self._spawn,
            Execution.Type.SCRIPT: self._spawn,
            Execution.Type.WRAPPER: self._spawn,
            Execution.Type.CONNECTION: self._connections.begin,
            Execution.Type.SCHEDULE: self._spawn,  # the others of this type need no host: see `timers`
        }

    def _turn(self) -> None:
        runs, ends = self._runs, self._ends
        rest = max(0.0, runs.resume_at - time.monotonic()) if runs.ready else 1.0
        is_busy = self._loop.turn(LINGER_SECONDS if runs.over else rest)
        if runs.over and not (is_busy and ends.may_linger()):
            ends.write()
        if runs.ready and time.monotonic() >= runs.resume_at:
            self._calls.resume()
        if self._scribe.has_rung():
            runs.slot_is_free()  # our own claimer need not wait for the note

    def _put_everything_down(self) -> None:
        """Hand all our executions back to the queue; running ones at their next call, or after the grace time."""
        until = time.monotonic() + GRACE_SECONDS
        runs, connections = self._runs, self._connections
        runs.is_stopping = True
        for run in list(runs.held.values()):
            if run.parked_by is not None:
                runs.leave([run], hosting.put_down)
        while (runs.held or connections.runs) and time.monotonic() < until:
            self._loop.turn(0.2)
            if runs.over:
                self._ends.write()
        connections.break_off()
        if runs.held:
            runs.leave(list(runs.held.values()), hosting.put_down)

    def _close(self) -> None:
        self._zygote.close()
        self._scribe.flush()
        self._lease.release()

    # -- Taking on ----------------------------------------------------------------------------------------

    def _on_wake(self) -> None:
        self._wake_read.recv(4096)
        while self._inbox:
            given, as_of = self._inbox.popleft()
            if as_of <= self._looked_at:  # what we saw then of those that were not here yet, we passed over
                given = assignments(self._lease.id, [each.id for each in given])
            self._take_on(given)
        self._connections.on_wake()

    def _take_on(self, given: list[Assignment]) -> None:
        """Begin executions that were claimed, and tell others."""
        announce([each.id for each in given])
        self._begin(given)

    def _begin(self, given: list[Assignment]) -> None:
        """Begin executions that are RUNNING on this host, each in the way of its type."""
        by_way: dict[Callable[[list[Assignment]], None], list[Assignment]] = {}
        self._masks.load(given)
        for each in given:
            if not self._has(each.id, each.attempt):
                by_way.setdefault(self._ways[each.type], []).append(each)
        for way, alike in by_way.items():
            way(alike)

    def _has(self, execution_id: UUID, attempt: int) -> bool:
        run: HostedRun | Connection | None = self._runs.held.get(execution_id)
        run = run or self._connections.runs.get(execution_id)
        return run is not None and run.assignment.attempt == attempt

    def _spawn(self, given: list[Assignment]) -> None:
        """Start the flow processes of these executions."""
        begun = [assignment.id for assignment in given if assignment.has_journal]
        for key in begun:
            if key in self._runs.held:  # taken from us and given back before we heard of it
                self._runs.let_go(self._runs.held[key], [key])
        journals = load_journals(begun) if begun else {}
        for each in given:
            journal = journals.get(each.id) or Journal()
            self._calls.brief(self._runs.spawn(each, journal, self._masks.of(each.root_id)))

    # -- Notes, lease, sweep ------------------------------------------------------------------------------

    def _on_notes(self) -> None:
        for channel, payload in self._lease.notes():
            if channel == SECRETS:  # it came before what was done with them
                self._masks.hear(UUID(payload))
        self._look_around()

    def _look_around(self) -> dict[UUID, Held]:
        """Read what others did to our executions, and act on it."""
        rows = hosting.held_by(self._lease.id)
        self._looked_at = time.monotonic()
        self._runs.heed(rows)
        self._connections.heed(rows)
        return rows

    def _beat(self) -> None:
        if not self._lease.beat():
            raise RuntimeError("this host's lease was ended: it was frozen or cut off for too long")
        self._adopt(self._look_around())
        held = [run.assignment for run in self._runs.held.values()]
        held += [run.assignment for run in self._connections.runs.values()]
        self._masks.keep({each.root_id for each in held})
        configuration.refresh()

    def _adopt(self, rows: dict[UUID, Held]) -> None:
        """Run what was claimed for us and never handed over: the claimer lost the answer to its commit, or died."""
        strays = {
            key: row.attempt
            for key, row in rows.items()
            if row.is_running and not self._has(key, row.attempt)
        }
        waited_for = [key for key, attempt in strays.items() if self._strays.get(key) == attempt]
        self._strays = strays
        if waited_for:
            logger.warning("%s executions were claimed for this host and not handed over", len(waited_for))
            self._begin(assignments(self._lease.id, waited_for))

    def _sweep(self) -> None:
        if recovery.sweep(LOCK_CLASS, FROZEN_AFTER_SECONDS):
            self._scribe.flush_soon()
