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
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction

from access import audit
from access.identities import identity_for, with_execution
from access.matrix import KEPT_SECONDS, matrix_of
from access.models import AuditEntry, IdentityKind, User
from access.permissions import is_unrestricted
from executions import doorbell, flow_calls, hosting
from executions.announce import HOST, SECRETS, Collected, announce_log
from executions.connecting import Connection, Connections
from executions.connection_needs import read_needs
from executions.database import TRIES, was_deadlock
from executions.flow_calls import Caller, CallRefused, Parked, PutDown, Started
from executions.hosted_run import ChannelBroken, HostedRun
from executions.hosting import Assignment, Held, LateWrite
from executions.lease import LOCK_CLASS, Lease
from executions.lifecycle import Reason, Status
from executions.log import Line, write_lines
from executions.loop import Loop
from executions.masks import Masks
from executions.models import FROZEN_AFTER_SECONDS, HEARTBEAT_SECONDS, Execution, Process
from executions.moves import Outcome
from executions.outcome import Death, decide_outcome, last_words
from executions.savepoints import SOFT_LIMIT, Journal, Request, load_journals
from executions.zygote import Exited, Zygote
from records import configuration

logger = logging.getLogger("engine.host")

GRACE_SECONDS = 5.0  # between TERM and KILL
REPLAY_SECONDS = 1.0  # for a run that is resumed only to be cancelled, to come to its next call
COLLECT_SECONDS = 0.05  # log lines and announcements of this long go together
MANY_CONNECTIONS = 16
SWEEP_SECONDS = 1.5
LINGER_SECONDS = 0.001  # without a call, before ends that nobody here waits for are written down
MOST_LINGER_SECONDS = 0.005
LIMITS = {
    "memory_bytes": 1 << 30,
    "cpu_seconds": None,
    "processes": 64,
    "file_bytes": 256 << 20,
    "open_files": 256,
}
_MAY_LEAVE = {"execution.pause", "savepoint.load"}  # calls that may put their own execution down

current: "Host | None" = None  # the host of this worker process


class Host:
    """Runs executions until `stop`. `take` may be called from other threads, everything else is the loop's."""

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or settings.ENGINE_SLOTS
        self.runs: dict[UUID, HostedRun] = {}  # what we hold, by execution
        self._processes: dict[
            str, HostedRun
        ] = {}  # every flow process that is not reaped, also ones put down
        self._loop = Loop()
        self._inbox: deque[UUID] = deque()
        self._wake_read, self._wake_write = socket.socketpair()
        self.masks = Masks()
        self.connections = Connections(wake=lambda: self._wake_write.send(b"x"))
        # How executions of each type are begun.
        self._ways: dict[str, Callable[[list[Assignment]], None]] = {
            Execution.Type.FLOW: self._spawn,
            Execution.Type.SCRIPT: self._spawn,
            Execution.Type.WRAPPER: self._spawn,
            Execution.Type.CONNECTION: self._connect,
            Execution.Type.SCHEDULE: self._spawn,  # the others of this type need no host: see `timers`
        }
        self._collect_due = False
        self._ready: dict[UUID, None] = {}  # parked runs whose wait is over, in order
        self._resume_at = 0.0
        self._dead: list[HostedRun] = []
        self._died_at = 0.0  # the first of them
        self._lines: list[Line] = []
        self._flush_due = False
        self._identities: dict[Any, tuple[float, User]] = {}
        self._collected = Collected()
        self._strays: dict[UUID, int] = {}  # what ran here by its row and not in fact, at the last beat
        self._stopping = False
        self._thread = threading.Thread(target=self._guarded_loop, name="host", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, execution_ids: list[UUID]) -> None:
        """Run executions that were claimed for this host."""
        self._inbox.extend(execution_ids)
        self._wake_write.send(b"x")

    def stop(self, timeout: float = GRACE_SECONDS + 5.0) -> None:
        """End in good order: everything is put down at its next call, or after a grace time, and goes on elsewhere."""
        self._stopping = True
        self._wake_write.send(b"x")
        self._thread.join(timeout)

    # -- Loop ---------------------------------------------------------------------------------------------

    def _guarded_loop(self) -> None:
        audit.enter(AuditEntry.Door.FLOW)
        try:
            self._open()
            with self._collected:
                while not self._stopping:
                    self._turn()
                self._put_everything_down()
                self._close()
        except BaseException:
            logger.critical("the host cannot go on; its worker ends and starts afresh", exc_info=True)
            # Crash only: half a host would be worse than none, and the lease frees what it held.
            os._exit(70)

    def _open(self) -> None:
        self.zygote = Zygote()
        self.zygote.start()
        self.lease = Lease(Process.Role.HOST, slots=self.slots, connections=settings.ENGINE_CONNECTIONS)
        self.lease.listen(HOST % self.lease.id)
        self.lease.listen(SECRETS)
        self.lease.describe([list(layer) for layer in self.zygote.isolation])
        self._wake_read.setblocking(False)
        self._loop.watch(self._wake_read, self._on_wake)
        self._loop.watch(self.zygote.fileno(), self._on_zygote)
        self._loop.watch(self.lease.fileno(), self._on_notes)
        self._loop.every(HEARTBEAT_SECONDS, self._beat)
        self._loop.after(0.1, self._sweep)  # what our predecessor left should not wait
        self._loop.every(SWEEP_SECONDS, self._sweep)
        if doorbell.doorbell is not None:
            doorbell.doorbell.host_id = self.lease.id
        logger.info("host %s is ready with %s slots", self.lease.id, self.slots)

    def _turn(self) -> None:
        rest = max(0.0, self._resume_at - time.monotonic()) if self._ready else 1.0
        is_busy = self._loop.turn(LINGER_SECONDS if self._dead else rest)
        if self._dead and not (is_busy and self._may_linger()):
            self._bury()
        if self._ready and time.monotonic() >= self._resume_at:
            self._resume()
        if self._collected.rings:
            self._collected.rings = False
            self._slot_is_free()  # our own claimer need not wait for the note
            self._flush_soon()
        elif self._collected.changed or self._collected.topics:
            self._flush_soon()  # a call that parked or saved says so without a line in the log

    def _may_linger(self) -> bool:
        """Tell whether the dead can wait a moment for more of their kind: their ends share one commit."""
        if time.monotonic() > self._died_at + MOST_LINGER_SECONDS or self._stopping:
            return False
        parents = (self.runs.get(run.assignment.parent_id) for run in self._dead if run.assignment.parent_id)
        if any(parent is not None and parent.parked_by is not None for parent in parents):
            return False
        return any(run.parked_by is None and run.death is None for run in self.runs.values())

    def _close(self) -> None:
        self.zygote.close()
        self._flush()
        self.lease.release()

    # -- Taking on ----------------------------------------------------------------------------------------

    def _on_wake(self) -> None:
        self._wake_read.recv(4096)
        ids = []
        while self._inbox:
            ids.append(self._inbox.popleft())
        if ids:
            self._begin(ids)
        if self.connections.has_said and not self._collect_due:
            self._collect_due = True
            # When many are under way, a moment's worth of ends goes together.
            is_many = len(self.connections.runs) > MANY_CONNECTIONS
            self._loop.after(COLLECT_SECONDS if is_many else 0.0, self._collect_connections)

    def _begin(self, ids: list[UUID]) -> None:
        """Begin executions that are RUNNING on this host, each in the way of its type."""
        by_way: dict[Callable[[list[Assignment]], None], list[Assignment]] = {}
        found = hosting.assignments(self.lease.id, ids)
        self.masks.load(found)
        for each in found:
            if not self._has(each.id, each.attempt):
                by_way.setdefault(self._ways[each.type], []).append(each)
        for way, given in by_way.items():
            way(given)

    def _spawn(self, given: list[Assignment]) -> None:
        """Start the flow processes of these executions."""
        begun = [assignment.id for assignment in given if assignment.has_journal]
        for key in begun:
            if key in self.runs:  # taken from us and given back before we heard of it
                self._let_go(self.runs[key], [key])
        journals = load_journals(begun) if begun else {}
        for assignment in given:
            self._spawn_one(assignment, journals.get(assignment.id) or Journal())

    def _has(self, execution_id: UUID, attempt: int) -> bool:
        run = self.runs.get(execution_id)
        is_ours = run is not None and run.assignment.attempt == attempt
        return is_ours or self.connections.has(execution_id, attempt)

    def _spawn_one(self, assignment: Assignment, journal: Journal) -> None:
        caller = Caller(
            id=assignment.id,
            host_id=self.lease.id,
            attempt=assignment.attempt,
            project_id=assignment.project_id,
            root_id=assignment.root_id,
            is_productive=assignment.is_productive,
            user=self._identity(assignment),
            may_have_children=assignment.has_journal,
            may_hold_locks=assignment.has_journal,
            pending=journal.pending,
        )
        key = f"{assignment.id}:{assignment.attempt}"
        channel, output = self.zygote.spawn(key, LIMITS, assignment.name)
        masker = self.masks.of(assignment.root_id)
        run = HostedRun(key, assignment, caller, journal, channel, output, masker)
        self.runs[run.id] = self._processes[key] = run
        self._loop.watch(channel, lambda: self._on_channel(run))
        self._loop.watch(output, lambda: self._on_output(run))
        if assignment.deadline_in is not None:
            self._loop.after(max(assignment.deadline_in, 0.0), lambda: self._stop_run(run, Reason.TIMEOUT))
        run.pause_requested = assignment.pause_requested
        if assignment.cancel_requested and journal.entries:
            self._cancel_resumed(run)
        elif assignment.cancel_requested:  # between its claim and now
            self._stop_run(run, Reason.CANCELLED)

    def _cancel_resumed(self, run: HostedRun) -> None:
        """Cancel a run that is resumed only for that: not in its replay, but where it would go on living."""
        run.stopped_for = Reason.CANCELLED
        run.cancel_at_next_call = True
        self._loop.after(REPLAY_SECONDS, lambda: self._terminate(run))

    def _identity(self, task: Assignment) -> User | None:
        """Return the execution's identity, its user with its roles. Known for some seconds: flows make many calls."""
        if task.created_by_id is None:
            return None
        holder = (task.starter_kind, task.starter_id) if task.starter_id else None
        key = (task.created_by_id, holder, None if task.roles is None else tuple(task.roles))
        known = self._identities.get(key)
        if known is None or known[0] < time.monotonic():
            user = User.objects.filter(pk=task.created_by_id).first()
            if user is None:
                return None
            holder = holder or (IdentityKind.USER.value, user.pk)
            identity = identity_for(
                IdentityKind.EXECUTION, task.id, task.name, user, holder=holder, roles=task.roles
            )
            if not is_unrestricted(identity):
                matrix_of(identity)  # read once for all executions like this one
            known = self._identities[key] = (time.monotonic() + KEPT_SECONDS, identity)
        return with_execution(known[1], task.id, task.name)

    # -- The far side speaks ------------------------------------------------------------------------------

    def _on_channel(self, run: HostedRun) -> None:
        try:
            for frame in run.read_frames():
                self._on_frame(run, frame)
        except ChannelBroken as error:
            self._log(run, f"the flow process broke its channel: {error}", "error")
            self.zygote.signal(run.key, 9)
            self._loop.forget(run.channel)
        if run.at_end:  # a closed channel would be readable for ever
            self._loop.forget(run.channel)

    def _on_output(self, run: HostedRun) -> None:
        lines = run.read_output()
        if not run.is_let_go:
            self._write(lines)
        if run.output_at_end:
            self._loop.forget(run.output)

    def _on_frame(self, run: HostedRun, frame: dict[str, Any]) -> None:
        if run.is_let_go:
            return
        if "log" in frame:
            self._write(run.lines_of(frame["log"]))
        elif "end" in frame:
            run.report = run.report_of(frame["end"])
        elif "call" in frame:
            self._on_call(run, run.request_of(frame))

    def _on_call(self, run: HostedRun, request: Request) -> None:
        if request.call == "begin":
            self._reply(run, 0, {"value": run.beginning(configuration.value("ENGINE_ENV_NAME"))})
            return
        if run.parked_by is not None:
            raise ChannelBroken("a call while another one waits for its answer")
        if run.cancel_at_next_call:
            error = {"type": "ExecutionCancel", "message": "the execution was cancelled", "data": {}}
            self._reply(run, request.number, {"error": error})
            return
        if self._stopping:
            self._write_before_leaving(run)
            self._let_go(run, hosting.put_down(self.lease.id, [run.id]))
            return
        if run.pause_requested and self._pause(run):
            return
        if request.call in _MAY_LEAVE:
            self._write_before_leaving(run)
        if request.number == SOFT_LIMIT:
            words = f"this execution has made {SOFT_LIMIT:,} calls, which makes its restarts slower: start children"
            self._log(run, words, "warning")
        run.caller.user = self._identity(run.assignment)
        run.caller.has_room = not self._ready and self._running() < self.slots
        outcome = self._attempt(run, lambda: flow_calls.answer(run.caller, request))
        if outcome:
            self._act_on(run, request, outcome)

    def _act_on(self, run: HostedRun, request: Request, outcome: dict[str, Any]) -> None:
        value = outcome.get("value")
        if isinstance(value, Parked):
            self._park(run, request, value)
        elif isinstance(value, PutDown):
            self._let_go(run, [run.id])
        elif isinstance(value, Started):
            self._reply(run, request.number, {"value": value.value})
            self._begin([value.execution_id])
        else:
            self._reply(run, request.number, outcome)

    def _attempt(self, run: HostedRun, work: Callable[[], Any]) -> dict[str, Any]:
        """Do the work of a call; returns {"value": …}, {"error": …}, or {} when the run is no longer ours."""
        try:
            return {"value": self._retried(work, [run])}
        except CallRefused as refused:
            return {"error": refused.as_error()}
        except LateWrite:
            logger.warning(
                "late call refused: execution %s is no longer in attempt %s here",
                run.id,
                run.assignment.attempt,
            )
            self._let_go(run, [run.id])
            # Should the row be ours after all, it must not wait for ever for a process that is gone.
            self._requeue(run, "one of its calls was refused as late")
            return {}
        except OperationalError:
            raise  # the database is away: the worker ends
        except Exception:
            logger.exception("a call of execution %s failed", run.id)
            self._crashed(run, "the engine failed to answer a call; its log says why")
            self._let_go(run, [run.id])
            return {}

    def _retried(self, work: Callable[[], Any], runs: Iterable[HostedRun] = ()) -> Any:
        """Do the work, again when the database chose it to break a deadlock. `runs` are those that it answers."""
        callers = [(run.caller, run.caller.pending) for run in runs]
        for tries_left in reversed(range(TRIES)):
            try:
                return work()
            except OperationalError as error:
                if not tries_left or not was_deadlock(error):
                    raise
                # With its transaction, what was noted of their calls is undone.
                for caller, pending in callers:
                    caller.pending = pending
        raise AssertionError("unreachable")

    def _reply(self, run: HostedRun, number: int, outcome: dict[str, Any]) -> None:
        run.send({"n": number, **outcome})
        if run.has_unsent and not run.at_end:
            self._loop.watch_writable(run.channel, lambda: self._on_writable(run))

    def _on_writable(self, run: HostedRun) -> None:
        if run.flush():
            self._loop.watch_readable(run.channel, lambda: self._on_channel(run))
        self._on_channel(run)

    # -- Parking and resuming -----------------------------------------------------------------------------

    def _park(self, run: HostedRun, request: Request, parked: Parked) -> None:
        turn = run.park(request)
        if parked.wake_in is not None:
            self._loop.after(
                parked.wake_in, lambda: self._mark_ready(run.id) if run.is_parked_in(turn) else None
            )
        if run.pause_requested:
            self._pause(run)
        is_crowded = len(self.runs) > configuration.value("MAX_RESIDENT")
        stay = 0 if is_crowded else configuration.value("SLEEP_MAX_SECONDS")
        self._loop.after(stay, lambda: self._unload(run) if run.is_parked_in(turn) else None)
        if parked.started:
            self._begin(list(parked.started))
        if not any(key in self.runs for key in parked.started):  # unless its child took the slot
            self._slot_is_free()

    def _unload(self, run: HostedRun) -> None:
        """End the process of a run that waits for long; its row waits on, and any worker takes it up again."""
        self._write_before_leaving(run)
        self._let_go(run, hosting.unload(self.lease.id, [run.id]))

    def _mark_ready(self, execution_id: UUID) -> None:
        if execution_id not in self._ready:
            self._ready[execution_id] = None
            self._resume_at = 0.0

    def _resume(self) -> None:
        ids = [key for key in self._ready if key in self.runs]
        self._ready = dict.fromkeys(ids)
        if not ids:
            return

        def work() -> dict[UUID, dict[str, Any]]:
            with transaction.atomic():
                return self._go_on(hosting.resume(self.lease.id, ids))

        self._answer_parked(self._retried(work, [self.runs[key] for key in ids]))
        # Those left wait for a slot: whoever frees one calls for them; a second is the net under that.
        self._resume_at = time.monotonic() + 1.0

    def _go_on(self, ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
        """Return the outcomes of the calls for which these resumed runs were parked, in the caller's transaction."""
        outcomes: dict[UUID, dict[str, Any]] = {}
        for key in ids:
            run = self.runs.get(key)
            if run is None or run.parked_by is None:
                continue
            try:
                outcomes[key] = {"value": flow_calls.go_on(run.caller, run.parked_by)}
            except CallRefused as refused:
                outcomes[key] = {"error": refused.as_error()}
        return outcomes

    def _answer_parked(self, outcomes: dict[UUID, dict[str, Any]]) -> None:
        for key, outcome in outcomes.items():
            self._ready.pop(key, None)
            run = self.runs[key]
            request, run.parked_by = run.parked_by, None
            assert request is not None
            self._act_on(run, request, outcome)

    def _on_notes(self) -> None:
        for channel, payload in self.lease.notes():
            if channel == SECRETS:  # it came before what was done with them
                self.masks.hear(UUID(payload))
        self._look_around()

    def _look_around(self) -> dict[UUID, Held]:
        """Read what others did to our executions: waits fulfilled, ends and pauses asked for, rows taken away."""
        held = hosting.held_by(self.lease.id)
        for key, run in list(self.runs.items()):
            row = held.get(key)
            if row is None or row.attempt != run.assignment.attempt:
                if run.death is None:
                    self._let_go(run, [key])
                continue
            run.pause_requested = row.pause_requested
            if row.cancel_requested:
                self._stop_run(run, Reason.CANCELLED)
            elif row.pause_requested and run.parked_by is not None:
                self._pause(run)
            elif row.is_ready and run.parked_by is not None:
                self._mark_ready(key)
        for connection in list(self.connections.runs.values()):
            row = held.get(connection.id)
            if row is None or row.attempt != connection.assignment.attempt:
                self.connections.forget(connection.id)
            elif row.cancel_requested:
                self._stop_connection(connection, Reason.CANCELLED)
        return held

    def _adopt(self, held: dict[UUID, Held]) -> None:
        """Run what was claimed for us and never handed over: the claimer lost the answer to its commit, or died."""
        strays = {
            key: row.attempt
            for key, row in held.items()
            if row.is_running and not self._has(key, row.attempt)
        }
        waited_for = [key for key, attempt in strays.items() if self._strays.get(key) == attempt]
        self._strays = strays
        if waited_for:
            logger.warning("%s executions were claimed for this host and not handed over", len(waited_for))
            self._begin(waited_for)

    def _pause(self, run: HostedRun) -> bool:
        self._write_before_leaving(run)
        paused = hosting.pause(self.lease.id, [run.id])
        self._let_go(run, paused)
        return bool(paused)

    def _slot_is_free(self, rings: bool = True) -> None:
        """Let a run of ours go on, or else tell the claimer that there is room, if there is."""
        if self._ready:
            self._resume_at = 0.0
        elif rings and doorbell.doorbell is not None and self._running() < self.slots:
            doorbell.doorbell.ring()

    def _running(self) -> int:
        return sum(run.parked_by is None for run in self.runs.values())

    # -- Letting go ---------------------------------------------------------------------------------------

    def _write_before_leaving(self, run: HostedRun) -> None:
        """Write down all that it has said: whoever takes it up next counts its lines from there."""
        self._write(run.read_output())
        self._write_lines()

    def _let_go(self, run: HostedRun, ids: list[UUID]) -> None:
        """Forget this run, if it is among `ids`: its row is no longer ours. Its process dies without a word."""
        if run.id not in ids:
            return
        run.is_let_go = True
        self._lines = [line for line in self._lines if line.execution_id != run.id]
        if self.runs.get(run.id) is run:
            del self.runs[run.id]
        self._ready.pop(run.id, None)
        self.zygote.signal(run.key, 9)
        self._flush_soon()
        self._slot_is_free()

    def _put_everything_down(self) -> None:
        """Hand all our executions back to the queue; running ones at their next call, or after the grace time."""
        until = time.monotonic() + GRACE_SECONDS
        for run in list(self.runs.values()):
            if run.parked_by is not None:
                self._write_before_leaving(run)
                self._let_go(run, hosting.put_down(self.lease.id, [run.id]))
        while (self.runs or self.connections.runs) and time.monotonic() < until:
            self._loop.turn(0.2)
            if self._dead:
                self._bury()
        self._break_off_connections()
        if self.runs:
            for run in self.runs.values():
                self._write_before_leaving(run)
            put_down = hosting.put_down(self.lease.id, list(self.runs))
            for run in list(self.runs.values()):
                self._let_go(run, put_down)

    # -- Stopping and ending ------------------------------------------------------------------------------

    def _stop_run(self, run: HostedRun, reason: Reason) -> None:
        if run.stopped_for is None and not run.is_let_go and run.death is None:
            run.stopped_for = reason
            self._terminate(run)

    def _terminate(self, run: HostedRun) -> None:
        if not run.is_let_go and run.death is None:
            self.zygote.signal(run.key, 15)
            self._loop.after(GRACE_SECONDS, lambda: self._kill(run))

    def _kill(self, run: HostedRun) -> None:
        if run.death is None:
            self.zygote.signal(run.key, 9)

    def _on_zygote(self) -> None:
        for event in self.zygote.read_events():
            if isinstance(event, Exited) and event.key in self._processes:
                run = self._processes.pop(event.key)
                run.death = Death(
                    event.exit_code, event.signal, event.cpu_seconds, event.max_rss_bytes, event.error
                )
                if not self._dead:
                    self._died_at = time.monotonic()
                self._dead.append(run)

    def _bury(self) -> None:
        """End the executions whose processes are gone, together in one transaction."""
        dead, self._dead = self._dead, []
        had_room = self._running() < self.slots
        rings = True
        ends: list[tuple[UUID, int, Outcome]] = []
        for run in dead:
            self._drain(run)
            if run.is_let_go:
                continue
            if self.runs.get(run.id) is run:
                del self.runs[run.id]
            self._ready.pop(run.id, None)
            self._write([line for line in [run.counter.closing_line()] if line])
            assert run.death is not None
            if run.report is None and run.stopped_for is None:
                self._crashed(run, last_words(run.death))
                continue
            limit = run.assignment.max_runtime_minutes
            outcome = decide_outcome(
                stopped_for=run.stopped_for, report=run.report, death=run.death, limit_minutes=limit
            )
            ends.append((run.id, run.assignment.attempt, outcome))
        if ends:
            slots_left = self._end(ends, dead)
            # Where there was room before, the claimer has taken what was queued since the queue was found empty.
            rings = slots_left > 0 and not had_room
        self._flush_soon()
        self._slot_is_free(rings)

    def _end(
        self,
        ends: list[tuple[UUID, int, Outcome]],
        dead: Iterable[HostedRun] = (),
        *,
        of_connections: bool = False,
    ) -> int:
        """Write these ends down and give their slots away; returns how many are left over."""
        lines, self._lines = self._lines, []
        forgetful = [run.id for run in dead if not run.assignment.keeps_savepoints]
        are_parents = any(run.caller.may_have_children for run in dead)
        hold_locks = any(run.caller.may_hold_locks for run in dead)
        takes_next = not self._stopping and not self._ready

        def work() -> tuple[hosting.Ended, dict[UUID, dict[str, Any]]]:
            with transaction.atomic():
                write_lines(lines, self.lease.id)
                done = hosting.end(
                    self.lease.id,
                    ends,
                    forgetful,
                    takes_next=takes_next,
                    of_connections=of_connections,
                    are_parents=are_parents,
                    hold_locks=hold_locks,
                )
                return done, self._go_on(done.resumed)

        parked = [run for run in self.runs.values() if run.parked_by is not None]
        done, outcomes = self._retried(work, parked)
        for execution_id, attempt, _ in ends:
            if execution_id not in done.ended:
                logger.warning(
                    "late result refused: execution %s is no longer in attempt %s here", execution_id, attempt
                )
        self._answer_parked(outcomes)
        for key in done.ready:
            self._mark_ready(key)
        if done.claimed:
            self._begin(done.claimed)
        return done.slots_left

    def _crashed(self, run: HostedRun, cause: str) -> None:
        self._log(run, f"the process of this execution ended: {cause}", "warning")
        self._write_lines()
        self._requeue(run, cause)

    def _requeue(self, run: HostedRun, cause: str) -> None:
        for key in hosting.crashed(self.lease.id, run.id, run.assignment.attempt, cause):
            self._mark_ready(key)

    def _drain(self, run: HostedRun) -> None:
        self._loop.forget(run.channel)
        self._loop.forget(run.output)
        try:
            for piece in run.drain():
                if run.is_let_go:
                    continue
                if isinstance(piece, Line):
                    self._write([piece])
                elif "call" not in piece:  # nobody is left to be answered
                    self._on_frame(run, piece)
        except ChannelBroken as error:
            self._log(run, f"the flow process broke its channel: {error}", "error")
        run.close()

    # -- Without a process --------------------------------------------------------------------------------

    def _connect(self, given: list[Assignment]) -> None:
        """Carry these connections out."""
        for needs in read_needs(given, self.masks):
            assignment, run = needs.assignment, self.connections.begin(needs)
            if assignment.cancel_requested:
                self._stop_connection(run, Reason.CANCELLED)
            if assignment.deadline_in is not None:
                self._loop.after(
                    max(assignment.deadline_in, 0.0), partial(self._stop_connection, run, Reason.TIMEOUT)
                )

    def _stop_connection(self, run: Connection, reason: Reason) -> None:
        self.connections.stop(run, reason)
        self._loop.after(GRACE_SECONDS, partial(self.connections.give_up, run))

    def _collect_connections(self) -> None:
        self._collect_due = False
        lines, ends = self.connections.collect()
        self._write(lines)
        if ends:
            self._end(ends, [], of_connections=True)
            self._flush_soon()

    def _break_off_connections(self) -> None:
        """Hand on, as this host stops, what is still under way: to another host if it may be repeated."""
        self._collect_connections()
        left = list(self.connections.runs.values())
        for run in left:
            self.connections.forget(run.id)
        hosting.put_down(self.lease.id, [run.id for run in left if run.may_repeat])
        words = "interrupted: its worker was stopped while it was under way"
        outcome = Outcome(Status.ENDED_ERROR, Reason.INTERRUPTED, words)
        ends = [(run.id, run.assignment.attempt, outcome) for run in left if not run.may_repeat]
        if ends:
            self._end(ends, [], of_connections=True)

    # -- Log, lease, sweep --------------------------------------------------------------------------------

    def _log(self, run: HostedRun, text: str, level: str = "info") -> None:
        line = run.counter.line(text, level=level, stream="engine")
        if line is not None:
            self._write([line])

    def _write(self, lines: list[Line]) -> None:
        if lines:
            self._lines += lines
            for line in lines:
                announce_log(line.execution_id, line.number)
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.after(COLLECT_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self._write_lines()
        self._collected.send()

    def _write_lines(self) -> None:
        lines, self._lines = self._lines, []
        write_lines(lines, self.lease.id)

    def _beat(self) -> None:
        if not self.lease.beat():
            raise RuntimeError("this host's lease was ended: it was frozen or cut off for too long")
        self._adopt(self._look_around())
        held = [run.assignment for run in self.runs.values()]
        held += [run.assignment for run in self.connections.runs.values()]
        self.masks.keep({each.root_id for each in held})
        configuration.refresh()

    def _sweep(self) -> None:
        if hosting.sweep(LOCK_CLASS, FROZEN_AFTER_SECONDS):
            self._flush_soon()
