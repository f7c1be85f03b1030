"""The connections of a host, from its own side: begun, stopped, and their lines and ends written down.

How they are carried out, in the other thread, is in `connecting`.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from executions import hosting
from executions.assignments import Assignment
from executions.connecting import Connection, Connections
from executions.connection_needs import read_needs
from executions.hosted_ends import HostedEnds
from executions.hosted_runs import GRACE_SECONDS
from executions.hosting import Held
from executions.lifecycle import Reason, Status
from executions.loop import Loop
from executions.masks import Masks
from executions.moves import Outcome
from executions.scribe import COLLECT_SECONDS, Scribe

MANY_CONNECTIONS = 16


class HostedConnections:
    """What one host carries out without a process."""

    def __init__(
        self, wake: Callable[[], object], masks: Masks, loop: Loop, scribe: Scribe, ends: HostedEnds
    ) -> None:
        self._masks, self._loop, self._scribe, self._ends = masks, loop, scribe, ends
        self._connections = Connections(wake)
        self.runs = self._connections.runs
        self._collect_due = False

    def begin(self, given: list[Assignment]) -> None:
        """Carry these connections out."""
        for needs in read_needs(given, self._masks):
            assignment, run = needs.assignment, self._connections.begin(needs)
            if assignment.cancel_requested:
                self._stop(run, Reason.CANCELLED)
            if assignment.deadline_in is not None:
                self._loop.after(max(assignment.deadline_in, 0.0), partial(self._stop, run, Reason.TIMEOUT))

    def heed(self, rows: dict[UUID, Held]) -> None:
        """Do what others asked for in the rows: ends asked for, rows taken away."""
        for run in list(self.runs.values()):
            row = rows.get(run.id)
            if row is None or row.attempt != run.assignment.attempt:
                self._connections.forget(run.id)
            elif row.cancel_requested:
                self._stop(run, Reason.CANCELLED)

    def _stop(self, run: Connection, reason: Reason) -> None:
        self._connections.stop(run, reason)
        self._loop.after(GRACE_SECONDS, partial(self._connections.give_up, run))

    def on_wake(self) -> None:
        """Collect what was said, if anything was: at once, or when many are under way a moment's worth together."""
        if self._connections.has_said and not self._collect_due:
            self._collect_due = True
            is_many = len(self.runs) > MANY_CONNECTIONS
            self._loop.after(COLLECT_SECONDS if is_many else 0.0, self._collect)

    def _collect(self) -> None:
        self._collect_due = False
        lines, ends = self._connections.collect()
        self._scribe.write(lines)
        if ends:
            self._ends.end(ends, of_connections=True)
            self._scribe.flush_soon()

    def break_off(self) -> None:
        """Hand on, as this host stops, what is still under way: to another host if it may be repeated."""
        self._collect()
        left = list(self.runs.values())
        for run in left:
            self._connections.forget(run.id)
        hosting.put_down(self._scribe.host_id, [run.id for run in left if run.may_repeat])
        words = "interrupted: its worker was stopped while it was under way"
        outcome = Outcome(Status.ENDED_ERROR, Reason.INTERRUPTED, words)
        ends = [(run.id, run.assignment.attempt, outcome) for run in left if not run.may_repeat]
        if ends:
            self._ends.end(ends, of_connections=True)
