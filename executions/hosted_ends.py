"""How the executions of a host end: their processes are over, or their connections have an outcome.

Ends are written down together, with the last log lines before them and what the freed slots go to, in one
transaction. Who goes on after that is answered at once.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from uuid import UUID

from django.db import transaction

from executions import end_writing
from executions.assignments import Assignment
from executions.database import Unexpected
from executions.hosted_calls import HostedCalls, Outcomes, retried
from executions.hosted_run import HostedRun
from executions.hosted_runs import HostedRuns
from executions.log import Line, write_lines
from executions.moves import Ends
from executions.moves_here import SoleWait
from executions.outcome import decide_outcome, last_words
from executions.scribe import Scribe

logger = logging.getLogger("engine.host")

MOST_LINGER_SECONDS = 0.005


class HostedEnds:
    """Ends what one host ran, and takes on what was claimed for the freed slots."""

    def __init__(
        self,
        runs: HostedRuns,
        calls: HostedCalls,
        scribe: Scribe,
        take_on: Callable[[list[Assignment]], None],
    ) -> None:
        self._runs, self._calls, self._scribe, self._take_on = runs, calls, scribe, take_on

    def may_linger(self) -> bool:
        """Tell whether those that are over can wait a moment for more: their ends share one commit."""
        runs = self._runs
        if time.monotonic() > runs.over_since + MOST_LINGER_SECONDS or runs.is_stopping:
            return False
        held = runs.held
        parents = (held.get(run.assignment.parent_id) for run in runs.over if run.assignment.parent_id)
        if any(parent is not None and parent.parked_by is not None for parent in parents):
            return False
        return any(run.parked_by is None and run.death is None for run in held.values())

    def write(self) -> None:
        """Write down the ends of the executions that are over, together in one transaction."""
        over, self._runs.over = self._runs.over, []
        had_room = self._runs.has_slot()
        rings = True
        ends: Ends = []
        for run in over:
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
            slots_left = self.end(ends, over)
            # Where there was room before, the claimer has taken what was queued since the queue was found empty.
            rings = slots_left > 0 and not had_room
        self._scribe.flush_soon()
        self._runs.slot_is_free(rings)

    def end(self, ends: Ends, over: Iterable[HostedRun] = (), *, of_connections: bool = False) -> int:
        """Write these ends down and give their slots away; returns how many are left over."""
        runs = self._runs
        lines = self._scribe.take_lines()
        forgetful = [run.id for run in over if not run.assignment.keeps_savepoints]
        have_ties = any(run.caller.has_ties for run in over)
        takes_next = not runs.is_stopping and not runs.ready
        if not (of_connections or have_ties):
            with suppress(Unexpected):  # the long way finds out what is otherwise
                return self._end_plain(ends, over, forgetful, lines, takes_next)

        def work() -> tuple[end_writing.Ended, Outcomes]:
            with transaction.atomic():
                write_lines(lines, runs.host_id)
                done = end_writing.end(
                    runs.host_id,
                    ends,
                    forgetful,
                    takes_next=takes_next,
                    of_connections=of_connections,
                    have_ties=have_ties,
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
        self._take_on(done.claimed)
        return done.slots_left

    def _end_plain(
        self,
        ends: Ends,
        over: Iterable[HostedRun],
        forgetful: list[UUID],
        lines: list[Line],
        takes_next: bool,
    ) -> int:
        """Do what `end` does for executions without ties, in one round trip. Raises Unexpected when it takes more."""
        waits = self._sole_waits(ends, over)
        work = partial(
            end_writing.end_plain,
            self._runs.host_id,
            ends,
            forgetful,
            waits,
            lines,
            takes_next=takes_next,
        )
        answers, claimed = retried(work, [])
        for key in answers:
            self._runs.held[key].caller.pending = None
        self._calls.answer_parked({key: {"value": value} for key, value in answers.items()})
        self._take_on(claimed)
        return len(ends) - len(waits) - len(claimed)

    def _sole_waits(self, ends: Ends, over: Iterable[HostedRun]) -> list[SoleWait]:
        """Return the waits of parents here for these. Raises Unexpected when one takes more than to be answered."""
        parents = {
            run.id: self._runs.held.get(run.assignment.parent_id) for run in over if run.assignment.parent_id
        }
        waits = []
        for execution_id, _, outcome in ends:
            parent = parents.get(execution_id)
            if parent is not None and parent.parked_by is not None:
                waits.append(end_writing.sole_wait(parent.caller, execution_id, outcome))
        return [wait for wait in waits if wait is not None]
