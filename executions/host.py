"""The execution host: supervises the flow processes of one worker, in one thread, on one database connection.

One loop hears the zygote, the channels, the notes and the clock. Whatever it cannot mend (the zygote is gone, the
database is away, its lease was ended) ends the whole worker: others take its executions over by the lease.
"""

import heapq
import itertools
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction

from access.models import User
from executions import doorbell, flow_calls, hosting
from executions.announce import HOST, Collected, announce_log
from executions.flow_calls import Caller, CallRefused, Parked
from executions.hosted_run import ChannelBroken, HostedRun
from executions.hosting import Assignment, LateWrite
from executions.lease import LOCK_CLASS, Lease
from executions.lifecycle import Reason
from executions.log import Line, write_lines
from executions.models import FROZEN_AFTER_SECONDS, HEARTBEAT_SECONDS, Process
from executions.moves import Outcome
from executions.outcome import Death, decide_outcome
from executions.zygote import Exited, Zygote

logger = logging.getLogger("engine.host")

GRACE_SECONDS = 5.0  # between TERM and KILL
COLLECT_SECONDS = 0.05  # log lines and announcements of this long go together
SWEEP_SECONDS = 1.5
LIMITS = {
    "memory_bytes": 1 << 30,
    "cpu_seconds": None,
    "processes": 64,
    "file_bytes": 256 << 20,
    "open_files": 256,
}

current: "Host | None" = None  # the host of this worker process


class Host:
    """Runs executions until `stop`. `take` may be called from other threads, everything else is the loop's."""

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or settings.ENGINE_SLOTS
        self.runs: dict[str, HostedRun] = {}
        self._inbox: deque[UUID] = deque()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._ready: dict[UUID, bool] = {}  # parked runs whose wait is over, in order; True when by time-out
        self._dead: list[HostedRun] = []
        self._lines: list[Line] = []
        self._spawning: dict[UUID, Assignment] = {}
        self._users: dict[UUID, tuple[float, User]] = {}
        self._collected = Collected()
        self._flush_due = False
        self._resume_at = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._guarded_loop, name="host", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, execution_id: UUID) -> None:
        """Run an execution that was claimed for this host."""
        self._inbox.append(execution_id)
        self._wake_write.send(b"x")

    def stop(self, timeout: float = 10.0) -> None:
        """End in good order: nothing new is taken, what runs is put an end to."""
        self._stopping = True
        self._wake_write.send(b"x")
        self._thread.join(timeout)

    # -- Loop ---------------------------------------------------------------------------------------------

    def _guarded_loop(self) -> None:
        try:
            self._open()
            with self._collected:
                while not self._stopping:
                    self._turn()
                self._close()
        except BaseException:
            logger.critical("the host cannot go on; its worker ends and starts afresh", exc_info=True)
            # Crash only: half a host would be worse than none, and the lease frees what it held.
            os._exit(70)

    def _open(self) -> None:
        self.zygote = Zygote()
        self.zygote.start()
        self.lease = Lease(Process.Role.HOST, slots=self.slots)
        self.lease.listen(HOST % self.lease.id)
        self.lease.describe([list(layer) for layer in self.zygote.isolation])
        self._wake_read.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_wake)
        self._selector.register(self.zygote.fileno(), selectors.EVENT_READ, self._on_zygote)
        self._selector.register(self.lease.fileno(), selectors.EVENT_READ, self._on_notes)
        self._every(HEARTBEAT_SECONDS, self._beat)
        self._every(SWEEP_SECONDS, self._sweep)
        if doorbell.doorbell is not None:
            doorbell.doorbell.host_id = self.lease.id
        logger.info("host %s is ready with %s slots", self.lease.id, self.slots)

    def _turn(self) -> None:
        next_at = self._timers[0][0] if self._timers else time.monotonic() + 1.0
        if self._ready:
            next_at = min(next_at, self._resume_at)
        rest = max(0.0, next_at - time.monotonic())
        for key, _events in self._selector.select(rest):
            key.data()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()
        if self._dead:
            self._bury()
        if self._ready and time.monotonic() >= self._resume_at:
            self._resume()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), action))

    def _every(self, seconds: float, action: Callable[[], None]) -> None:
        def again() -> None:
            action()
            self._after(seconds, again)

        self._after(seconds, again)

    # -- Taking on ----------------------------------------------------------------------------------------

    def _on_wake(self) -> None:
        self._wake_read.recv(4096)
        ids = []
        while self._inbox:
            ids.append(self._inbox.popleft())
        if ids:
            self._spawn(ids)

    def _spawn(self, ids: list[UUID]) -> None:
        """Start the flow processes of executions that are RUNNING on this host."""
        for assignment in hosting.assignments(self.lease.id, ids):
            channel, output = self.zygote.spawn(str(assignment.id), LIMITS, assignment.name)
            caller = Caller(
                id=assignment.id,
                host_id=self.lease.id,
                attempt=assignment.attempt,
                project_id=assignment.project_id,
                is_productive=assignment.is_productive,
                user=self._user(assignment.created_by_id),
            )
            run = HostedRun(assignment, caller, channel, output)
            self.runs[run.key] = run
            self._selector.register(channel, selectors.EVENT_READ, lambda run=run: self._on_channel(run))
            self._selector.register(output, selectors.EVENT_READ, lambda run=run: self._on_output(run))
            if assignment.deadline_in is not None:
                self._after(assignment.deadline_in, lambda run=run: self._stop_run(run, Reason.TIMEOUT))
            if assignment.cancel_requested:
                self._stop_run(run, Reason.CANCELLED)

    def _user(self, user_id: UUID | None) -> User | None:
        """Return the user in whose name an execution runs; known for some seconds, as a flow makes many calls."""
        if user_id is None:
            return None
        known = self._users.get(user_id)
        if known is None or known[0] < time.monotonic():
            user = User.objects.filter(pk=user_id).first()
            if user is None:
                return None
            known = self._users[user_id] = (time.monotonic() + 5, user)
        return known[1]

    # -- The far side speaks ------------------------------------------------------------------------------

    def _on_channel(self, run: HostedRun) -> None:
        try:
            for frame in run.read_frames():
                self._on_frame(run, frame)
        except ChannelBroken as error:
            self._log(run, f"the flow process broke its channel: {error}", "error")
            self.zygote.signal(run.key, 9)
            self._deafen(run)
        else:
            if run.at_end:
                self._deafen(run)

    def _deafen(self, run: HostedRun) -> None:
        """Stop listening to a channel that has ended: a closed one would be readable for ever."""
        self._forget(run.channel)

    def _on_output(self, run: HostedRun) -> None:
        lines = run.read_output()
        self._write(lines)
        if run.output_at_end:
            self._forget(run.output)

    def _forget(self, source: Any) -> None:
        try:
            self._selector.unregister(source)
        except KeyError:
            pass

    def _on_frame(self, run: HostedRun, frame: dict[str, Any]) -> None:
        if "log" in frame:
            note = frame["log"]
            line = run.counter.line(
                str(note.get("text") or ""), level=note.get("level"), stream=note.get("stream"), data=note.get("data")
            )
            if line is not None:
                self._write([line])
        elif "end" in frame:
            run.report = frame["end"]
        elif "call" in frame:
            self._on_call(run, int(frame["n"]), str(frame["call"]), frame.get("args") or {})

    def _on_call(self, run: HostedRun, number: int, name: str, arguments: dict[str, Any]) -> None:
        if name == "begin":
            self._reply(run, number, {"value": self._beginning(run)})
            return
        run.caller.user = self._user(run.assignment.created_by_id)
        outcome = self._attempt(run, lambda: flow_calls.answer(run.caller, name, arguments))
        if isinstance(outcome.get("value"), Parked):
            self._park(run, number, outcome["value"])
        elif outcome:
            self._reply(run, number, outcome)

    def _attempt(self, run: HostedRun, work: Callable[[], Any]) -> dict[str, Any]:
        """Do the work of a call; returns {"value": …}, {"error": …}, or {} when the run is no longer ours."""
        for last_try in (False, False, True):
            try:
                return {"value": work()}
            except CallRefused as refused:
                return {"error": {"type": refused.type, "message": refused.message, "data": refused.data}}
            except LateWrite:
                self._abandon(run)
                return {}
            except OperationalError as error:
                if last_try or getattr(error.__cause__, "sqlstate", "") not in ("40P01", "40001"):
                    raise  # the database is away: the worker ends
            except Exception:
                logger.exception("a call of execution %s failed", run.id)
                words = "The engine failed to answer this call; its log says why."
                return {"error": {"type": "InternalError", "message": words, "data": {}}}
        raise AssertionError("unreachable")

    def _beginning(self, run: HostedRun) -> dict[str, Any]:
        task = run.assignment
        return {
            "script": task.script,
            "filename": f"{task.name}.py",
            "inputs": task.inputs,
            "execution": {
                "id": task.id,
                "name": task.name,
                "type": task.type,
                "status": task.status,
                "project_id": task.project_id,
                "project_name": task.project_name,
                "parent_id": task.parent_id,
                "flow_id": task.flow_id,
                "is_productive": task.is_productive,
                "input_value": task.inputs,
                "attempt": task.attempt,
            },
            "user": {"id": task.created_by_id, "name": task.user_name, "username": task.user_name, "email": task.user_email},
            "env_name": settings.ENGINE_ENV_NAME,
        }

    def _reply(self, run: HostedRun, number: int, outcome: dict[str, Any]) -> None:
        run.send({"n": number, **outcome})
        if run.has_unsent:
            self._selector.modify(
                run.channel, selectors.EVENT_READ | selectors.EVENT_WRITE, lambda: self._on_writable(run)
            )

    def _on_writable(self, run: HostedRun) -> None:
        if run.flush():
            self._selector.modify(run.channel, selectors.EVENT_READ, lambda: self._on_channel(run))
        self._on_channel(run)

    # -- Parking and resuming -----------------------------------------------------------------------------

    def _park(self, run: HostedRun, number: int, parked: Parked) -> None:
        run.parked, run.pending = parked, number
        run.wait_round += 1
        if parked.wake_in is not None:
            self._after(parked.wake_in, lambda turn=run.wait_round: self._time_is_up(run, turn))
        if parked.started:
            self._spawn(list(parked.started))
        else:
            self._slot_is_free()

    def _time_is_up(self, run: HostedRun, turn: int) -> None:
        if run.parked is not None and run.wait_round == turn:
            self._mark_ready(run.id, True)

    def _mark_ready(self, execution_id: UUID, timed_out: bool = False) -> None:
        if execution_id not in self._ready:
            self._ready[execution_id] = timed_out
            self._resume_at = 0.0

    def _resume(self) -> None:
        ids = [key for key in self._ready if str(key) in self.runs]
        resumed = self._retried(lambda: hosting.resume(self.lease.id, ids)) if ids else []
        for key in list(self._ready):
            if key in resumed:
                self._go_on(key, timed_out=self._ready.pop(key))
            elif str(key) not in self.runs:
                del self._ready[key]
        # Those left wait for a slot: whoever frees one calls for them; a second is the net under that.
        self._resume_at = time.monotonic() + 1.0

    def _go_on(self, execution_id: UUID, timed_out: bool = False) -> None:
        """Answer the call that parked this run; it is RUNNING again."""
        run = self.runs.get(str(execution_id))
        if run is None or run.parked is None:
            return
        parked, run.parked = run.parked, None
        outcome = self._attempt(run, lambda: parked.finish(timed_out))
        if outcome:
            self._reply(run, run.pending, outcome)

    def _on_notes(self) -> None:
        self.lease.notes()
        self._look_around()

    def _look_around(self) -> None:
        """Read what others did to our executions: waits fulfilled, ends asked for."""
        for key in hosting.ready_here(self.lease.id):
            run = self.runs.get(str(key))
            if run is not None and run.parked is not None:
                self._mark_ready(key)
        for key in hosting.cancelled_here(self.lease.id):
            run = self.runs.get(str(key))
            if run is not None:
                self._stop_run(run, Reason.CANCELLED)

    def _slot_is_free(self) -> None:
        """Let a run of ours go on, or else tell the claimer that there is room."""
        if self._ready:
            self._resume_at = 0.0
        elif doorbell.doorbell is not None:
            doorbell.doorbell.ring()

    # -- Stopping and ending ------------------------------------------------------------------------------

    def _stop_run(self, run: HostedRun, reason: Reason) -> None:
        if run.stopped_for is not None or run.key not in self.runs or run.death is not None:
            return
        run.stopped_for = reason
        self.zygote.signal(run.key, 15)
        self._after(GRACE_SECONDS, lambda: self._kill(run))

    def _kill(self, run: HostedRun) -> None:
        if run.key in self.runs and run.death is None:
            self.zygote.signal(run.key, 9)

    def _abandon(self, run: HostedRun) -> None:
        """The row is not ours any more (we were frozen, or cut off): let the process go, write nothing."""
        logger.warning("late write refused: execution %s is no longer in attempt %s here", run.id, run.assignment.attempt)
        run.is_fenced = True
        self._kill(run)

    def _on_zygote(self) -> None:
        for event in self.zygote.read_events():
            if isinstance(event, Exited):
                run = self.runs.get(event.key)
                if run is not None:
                    run.death = Death(event.exit_code, event.signal, event.cpu_seconds, event.max_rss_bytes)
                    self._dead.append(run)

    def _bury(self) -> None:
        """End the executions whose processes are gone, together in one transaction."""
        dead, self._dead = self._dead, []
        ends: list[tuple[UUID, int, Outcome]] = []
        for run in dead:
            self._drain(run)
            assert run.death is not None
            outcome = decide_outcome(
                stopped_for=run.stopped_for,
                report=run.report,
                death=run.death,
                limit_minutes=run.assignment.max_runtime_minutes,
            )
            self._write([line for line in [run.counter.closing_line()] if line])
            if not run.is_fenced:
                ends.append((run.id, run.assignment.attempt, outcome))
            self.runs.pop(run.key, None)
            self._ready.pop(run.id, None)
        lines, self._lines = self._lines, []
        ended, resumed = self._retried(lambda: self._end(ends, lines)) if ends else ([], [])
        for execution_id, attempt, _ in ends:
            if execution_id not in ended:
                logger.warning("late result refused: execution %s is no longer in attempt %s here", execution_id, attempt)
        for key in resumed:
            self._ready.pop(key, None)
            self._go_on(key)
        self._look_around_if_left(ended, resumed)
        self._flush_soon()
        self._slot_is_free()

    def _end(self, ends: list[tuple[UUID, int, Outcome]], lines: list[Line]) -> tuple[list[UUID], list[UUID]]:
        with transaction.atomic():
            write_lines(lines)
            return hosting.end(self.lease.id, ends)

    def _look_around_if_left(self, ended: list[UUID], resumed: list[UUID]) -> None:
        if ended and any(run.parked is not None for run in self.runs.values()):
            for key in hosting.ready_here(self.lease.id):
                if str(key) in self.runs:
                    self._mark_ready(key)

    def _drain(self, run: HostedRun) -> None:
        self._forget(run.channel)
        self._forget(run.output)
        try:
            for piece in run.drain():
                if isinstance(piece, Line):
                    self._write([piece])
                elif "call" not in piece:  # nobody is left to be answered
                    self._on_frame(run, piece)
        except ChannelBroken as error:
            self._log(run, f"the flow process broke its channel: {error}", "error")
        run.close()

    def _retried(self, work: Callable[[], Any]) -> Any:
        """Do the work, again when the database chose it to break a deadlock."""
        for _ in range(4):
            try:
                return work()
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", "") not in ("40P01", "40001"):
                    raise
        return work()

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
            self._after(COLLECT_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        lines, self._lines = self._lines, []
        write_lines(lines)
        self._collected.send()

    def _beat(self) -> None:
        if not self.lease.beat():
            raise RuntimeError("this host's lease was ended: it was frozen or cut off for too long")
        self._look_around()

    def _sweep(self) -> None:
        lost = hosting.sweep(LOCK_CLASS, FROZEN_AFTER_SECONDS)
        for key in lost:
            logger.warning("the host of execution %s is gone", key)
        if lost:
            self._flush_soon()

    def _close(self) -> None:
        self.zygote.close()
        self._flush()
        self.lease.release()
        hosting.sweep(LOCK_CLASS, FROZEN_AFTER_SECONDS)
        self._collected.send()
