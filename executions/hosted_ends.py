"""How the executions of a host end: their processes are gone, or their connections have an outcome.

Ends are written down together, with the last log lines before them and what the freed slots go to, in one
transaction. Who goes on after that is answered at once.
"""

import logging
import time
from collections.abc import Callable, Iterable
from uuid import UUID

from django.db import transaction

from executions import hosting
from executions.hosted_calls import HostedCalls, Outcomes, retried
from executions.hosted_run import HostedRun
from executions.hosted_runs import HostedRuns
from executions.log import write_lines
from executions.moves import Outcome
from executions.outcome import decide_outcome, last_words
from executions.scribe import Scribe

logger = logging.getLogger("engine.host")

MOST_LINGER_SECONDS = 0.005

End = tuple[UUID, int, Outcome]  # of this execution in this attempt


class HostedEnds:
    """Ends what one host ran. `begin` takes on what was claimed for the freed slots."""

    def __init__(
        self, runs: HostedRuns, calls: HostedCalls, scribe: Scribe, begin: Callable[[list[UUID]], None]
    ) -> None:
        self._runs, self._calls, self._scribe, self._begin = runs, calls, scribe, begin
        self.dead: list[HostedRun] = []  # not buried yet
        self._died_at = 0.0  # the first of them

    def on_zygote(self) -> None:
        """Hear whose processes are gone."""
        if not self.dead:
            self._died_at = time.monotonic()
        self.dead += self._runs.reaped()

    def may_linger(self) -> bool:
        """Tell whether the dead can wait a moment for more of their kind: their ends share one commit."""
        if time.monotonic() > self._died_at + MOST_LINGER_SECONDS or self._runs.is_stopping:
            return False
        held = self._runs.held
        parents = (held.get(run.assignment.parent_id) for run in self.dead if run.assignment.parent_id)
        if any(parent is not None and parent.parked_by is not None for parent in parents):
            return False
        return any(run.parked_by is None and run.death is None for run in held.values())

    def bury(self) -> None:
        """End the executions whose processes are gone, together in one transaction."""
        dead, self.dead = self.dead, []
        had_room = self._runs.has_slot()
        rings = True
        ends: list[End] = []
        for run in dead:
            self._calls.drain(run)
            if run.is_let_go:
                continue
            self._runs.forget(run)
            self._scribe.write([line for line in [run.counter.closing_line()] if line])
            assert run.death is not None
            if run.report is None and run.stopped_for is None:
                self._runs.crashed(run, last_words(run.death))
                continue
            limit = run.assignment.max_runtime_minutes
            outcome = decide_outcome(
                stopped_for=run.stopped_for, report=run.report, death=run.death, limit_minutes=limit
            )
            ends.append((run.id, run.assignment.attempt, outcome))
        if ends:
            slots_left = self.end(ends, dead)
            # Where there was room before, the claimer has taken what was queued since the queue was found empty.
            rings = slots_left > 0 and not had_room
        self._scribe.flush_soon()
        self._runs.slot_is_free(rings)

    def end(self, ends: list[End], dead: Iterable[HostedRun] = (), *, of_connections: bool = False) -> int:
        """Write these ends down and give their slots away; returns how many are left over."""
        runs = self._runs
        lines = self._scribe.take_lines()
        forgetful = [run.id for run in dead if not run.assignment.keeps_savepoints]
        are_parents = any(run.caller.may_have_children for run in dead)
        hold_locks = any(run.caller.may_hold_locks for run in dead)
        takes_next = not runs.is_stopping and not runs.ready

        def work() -> tuple[hosting.Ended, Outcomes]:
            with transaction.atomic():
                write_lines(lines, runs.host_id)
                done = hosting.end(
                    runs.host_id,
                    ends,
                    forgetful,
                    takes_next=takes_next,
                    of_connections=of_connections,
                    are_parents=are_parents,
                    hold_locks=hold_locks,
                )
                return done, self._calls.go_on(done.resumed)

        parked = [run for run in runs.held.values() if run.parked_by is not None]
        done, outcomes = retried(work, parked)
        for execution_id, attempt, _ in ends:
            if execution_id not in done.ended:
                logger.warning(
                    "late result refused: execution %s is no longer in attempt %s here", execution_id, attempt
                )
        self._calls.answer_parked(outcomes)
        for key in done.ready:
            runs.mark_ready(key)
        if done.claimed:
            self._begin(done.claimed)
        return done.slots_left
