"""All the runs of a host with a process: how each begins, is stopped and leaves, and which wait for a slot.

The host and its other parts act through it. It hears nothing of what the processes say (see `hosted_calls`).
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from connectors.masking import Masker
from executions import doorbell, hosting, recovery
from executions.assignments import Assignment
from executions.calls.base import Caller
from executions.hosted_run import HostedRun
from executions.hosting import Held
from executions.lifecycle import Reason
from executions.loop import Loop
from executions.outcome import Death
from executions.savepoints import Journal
from executions.scribe import Scribe
from executions.zygote import Exited, Zygote
from flow_api.preloading import named_in

GRACE_SECONDS = 5.0  # between TERM and KILL
EXIT_SECONDS = 1.0  # for a process that has said its last
REPLAY_SECONDS = 1.0  # for a run that is resumed only to be cancelled, to come to its next call
LIMITS = {
    "memory_bytes": 1 << 30,
    "cpu_seconds": None,
    "processes": 64,
    "file_bytes": 256 << 20,
    "open_files": 256,
}


class HostedRuns:
    """The runs that a host holds, and the life of their processes."""

    def __init__(self, zygote: Zygote, loop: Loop, scribe: Scribe, slots: int) -> None:
        self._zygote, self._loop, self._scribe, self._slots = zygote, loop, scribe, slots
        self.host_id = scribe.host_id
        self.held: dict[UUID, HostedRun] = {}
        self.ready: dict[UUID, None] = {}  # parked runs whose wait is over, in order
        self.resume_at = 0.0  # the moment to look for slots for them
        self.is_stopping = False
        self.over: list[HostedRun] = []  # their ends are to be written down
        self.over_since = 0.0  # the first of them
        self._processes: dict[str, HostedRun] = {}  # all that are not reaped, also of runs that were let go

    # -- Slots --------------------------------------------------------------------------------------------

    def has_slot(self) -> bool:
        return sum(run.parked_by is None for run in self.held.values()) < self._slots

    def slot_is_free(self, rings: bool = True) -> None:
        """Let a run of ours go on, or else tell the claimer that there is room, if there is."""
        if self.ready:
            self.resume_at = 0.0
        elif rings and doorbell.doorbell is not None and self.has_slot():
            doorbell.doorbell.ring()

    def mark_ready(self, execution_id: UUID) -> None:
        """Note that the wait of this run is over."""
        if execution_id not in self.ready:
            self.ready[execution_id] = None
            self.resume_at = 0.0

    # -- Begin and stop -----------------------------------------------------------------------------------

    def spawn(self, assignment: Assignment, journal: Journal, masker: Masker) -> HostedRun:
        """Start the flow process of this execution."""
        caller = Caller(
            id=assignment.id,
            host_id=self.host_id,
            attempt=assignment.attempt,
            project_id=assignment.project_id,
            root_id=assignment.root_id,
            is_productive=assignment.is_productive,
            user=None,  # looked up anew for each call
            has_ties=assignment.has_journal,
            pending=journal.pending,
        )
        key = f"{assignment.id}:{assignment.attempt}"
        modules = named_in(assignment.script or "")
        channel, output = self._zygote.spawn(key, LIMITS, assignment.name, modules)
        run = HostedRun(key, assignment, caller, journal, channel, output, masker)
        self.held[run.id] = self._processes[key] = run
        if assignment.deadline_in is not None:
            self._loop.after(max(assignment.deadline_in, 0.0), partial(self.stop, run, Reason.TIMEOUT))
        run.pause_requested = assignment.pause_requested
        if assignment.cancel_requested and journal.entries:
            # Resumed only for that: it is not to end in its replay, but where it would go on living.
            run.stopped_for, run.cancel_at_next_call = Reason.CANCELLED, True
            self._loop.after(REPLAY_SECONDS, partial(self._terminate, run))
        elif assignment.cancel_requested:  # between its claim and now
            self.stop(run, Reason.CANCELLED)
        return run

    def stop(self, run: HostedRun, reason: Reason) -> None:
        """End a run of ours: its process has a grace time to clear up."""
        if run.stopped_for is None and not run.is_let_go and run.death is None:
            run.stopped_for = reason
            self._terminate(run)

    def _terminate(self, run: HostedRun) -> None:
        if not run.is_let_go and run.death is None:
            self._zygote.signal(run.key, 15)
            self._loop.after(GRACE_SECONDS, partial(self.kill, run))

    def kill(self, run: HostedRun) -> None:
        if run.death is None:
            self._zygote.signal(run.key, 9)

    def on_zygote(self) -> None:
        """Hear whose processes are gone."""
        for event in self._zygote.read_events():
            if isinstance(event, Exited) and event.key in self._processes:
                run = self._processes.pop(event.key)
                if run.death is None:
                    usage = event.cpu_seconds, event.max_rss_bytes
                    self._is_over(run, Death(event.exit_code, event.signal, *usage, event.error))

    def reported(self, run: HostedRun, report: dict[str, Any]) -> None:
        """Take the last word of a process. It exits at once; to wait for that would hold up who waits for the run."""
        run.report = report
        if run.stopped_for is None and run.death is None:
            self._is_over(run, Death.reported(report))
            self._loop.after(EXIT_SECONDS, partial(self._make_sure_of, run))

    def _is_over(self, run: HostedRun, death: Death) -> None:
        run.death = death
        if not self.over:
            self.over_since = time.monotonic()
        self.over.append(run)

    def _make_sure_of(self, run: HostedRun) -> None:
        # A script that says it has ended, and goes on, meddles with its frame.
        if run.key in self._processes:
            self._zygote.signal(run.key, 9)

    def heed(self, rows: dict[UUID, Held]) -> None:
        """Do what others asked for in the rows: waits fulfilled, ends and pauses asked for, rows taken away."""
        for key, run in list(self.held.items()):
            row = rows.get(key)
            if row is None or row.attempt != run.assignment.attempt:
                if run.death is None:
                    self.let_go(run, [key])
                continue
            run.pause_requested = row.pause_requested
            if row.cancel_requested:
                self.stop(run, Reason.CANCELLED)
            elif row.pause_requested and run.parked_by is not None:
                self.leave([run], hosting.pause)
            elif row.is_ready and run.parked_by is not None:
                self.mark_ready(key)

    # -- Leave --------------------------------------------------------------------------------------------

    def leave(self, runs: list[HostedRun], way: Callable[[int, list[UUID]], list[UUID]]) -> bool:
        """Give runs out of our hands, in a way of `hosting`: pause, unload or put_down. Tells whether any left."""
        for run in runs:
            self.write_before_leaving(run)
        left = way(self.host_id, [run.id for run in runs])
        for run in runs:
            self.let_go(run, left)
        return bool(left)

    def write_before_leaving(self, run: HostedRun) -> None:
        """Write down all that it has said: whoever takes it up next counts its lines from there."""
        self._scribe.write(run.read_output())
        self._scribe.write_now()

    def let_go(self, run: HostedRun, ids: list[UUID]) -> None:
        """Forget this run, if it is among `ids`: its row is no longer ours. Its process dies without a word."""
        if run.id not in ids:
            return
        run.is_let_go = True
        self._scribe.forget(run.id)
        self.forget(run)
        self.kill(run)
        self._scribe.flush_soon()
        self.slot_is_free()

    def forget(self, run: HostedRun) -> None:
        if self.held.get(run.id) is run:
            del self.held[run.id]
        self.ready.pop(run.id, None)

    def crashed(self, run: HostedRun, cause: str) -> None:
        """Say in its log that its process ended by itself, and queue it again."""
        self._scribe.log(run, f"the process of this execution ended: {cause}", "warning")
        self._scribe.write_now()
        self.requeue(run, cause)

    def requeue(self, run: HostedRun, cause: str) -> None:
        for key in recovery.crashed(self.host_id, run.id, run.assignment.attempt, cause):
            self.mark_ready(key)
