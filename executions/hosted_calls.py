"""What the flow processes of a host say, and its answers: calls are answered, parked, and gone on with when their
wait is over. What a call does is `flow_calls`' to know; the runs themselves are `hosted_runs`'.
"""

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction

from executions import flow_calls, hosting
from executions.assignments import Assignment, assignment_of_child, assignments
from executions.database import TRIES, was_deadlock
from executions.flow_calls import CallRefused, Parked, PutDown, Started
from executions.hosted_run import ChannelBroken, HostedRun
from executions.hosted_runs import HostedRuns
from executions.hosting import LateWrite
from executions.identities import Identities
from executions.log import Line
from executions.loop import Loop
from executions.savepoints import SOFT_LIMIT, Request
from executions.scribe import Scribe
from records import configuration

logger = logging.getLogger("engine.host")

_MAY_LEAVE = {"execution.pause", "savepoint.load"}  # calls that may put their own execution down

Outcomes = dict[UUID, dict[str, Any]]  # of calls, by execution


class HostedCalls:
    """Hears and answers the flow processes of one host. `begin` takes on what their calls started here."""

    def __init__(
        self, runs: HostedRuns, loop: Loop, scribe: Scribe, begin: Callable[[list[Assignment]], None]
    ) -> None:
        self._runs, self._loop, self._scribe, self._begin = runs, loop, scribe, begin
        self._identities = Identities()

    # -- The far side speaks ------------------------------------------------------------------------------

    def brief(self, run: HostedRun) -> None:
        """Tell this run what it is to do, which is asked by starting it, and hear it from now on."""
        self._loop.watch(run.channel, partial(self._on_channel, run))
        self._loop.watch(run.output, partial(self._on_output, run))
        self._reply(run, 0, {"value": run.beginning(configuration.value("ENGINE_ENV_NAME"))})

    def drain(self, run: HostedRun) -> None:
        """Hear the last of a run that is over."""
        self._loop.forget(run.channel)
        self._loop.forget(run.output)
        try:
            for piece in run.drain():
                if run.is_let_go:
                    continue
                if isinstance(piece, Line):
                    self._scribe.write([piece])
                elif "call" not in piece:  # nobody is left to be answered
                    self._on_frame(run, piece)
        except ChannelBroken as error:
            self._note_broken(run, error)
        run.close()

    def _on_channel(self, run: HostedRun) -> None:
        try:
            for frame in run.read_frames():
                self._on_frame(run, frame)
        except ChannelBroken as error:
            self._note_broken(run, error)
            self._runs.kill(run)
            self._loop.forget(run.channel)
        if run.at_end:  # a closed channel would be readable for ever
            self._loop.forget(run.channel)

    def _note_broken(self, run: HostedRun, error: ChannelBroken) -> None:
        self._scribe.log(run, f"the flow process broke its channel: {error}", "error")

    def _on_output(self, run: HostedRun) -> None:
        lines = run.read_output()
        if not run.is_let_go:
            self._scribe.write(lines)
        if run.output_at_end:
            self._loop.forget(run.output)

    def _on_frame(self, run: HostedRun, frame: dict[str, Any]) -> None:
        if run.is_let_go or run.report is not None:
            return
        if "log" in frame:
            self._scribe.write(run.lines_of(frame["log"]))
        elif "end" in frame:
            self._runs.reported(run, run.report_of(frame["end"]))
        elif "call" in frame:
            self._on_call(run, run.request_of(frame))

    # -- Answers ------------------------------------------------------------------------------------------

    def _on_call(self, run: HostedRun, request: Request) -> None:
        runs = self._runs
        if run.parked_by is not None:
            raise ChannelBroken("a call while another one waits for its answer")
        if run.cancel_at_next_call:
            error = {"type": "ExecutionCancel", "message": "the execution was cancelled", "data": {}}
            self._reply(run, request.number, {"error": error})
            return
        if runs.is_stopping:
            runs.leave([run], hosting.put_down)
            return
        if run.pause_requested and runs.leave([run], hosting.pause):
            return
        if request.call in _MAY_LEAVE:
            runs.write_before_leaving(run)
        if request.number == SOFT_LIMIT:
            words = f"this execution has made {SOFT_LIMIT:,} calls, which makes its restarts slower: start children"
            self._scribe.log(run, words, "warning")
        run.caller.user = self._identities.of(run.assignment)
        run.caller.has_room = not runs.ready and runs.has_slot()
        outcome = self._attempt(run, request)
        if outcome:
            self._act_on(run, request, outcome)

    def _attempt(self, run: HostedRun, request: Request) -> dict[str, Any]:
        """Do the work of a call; returns {"value": …}, {"error": …}, or {} when the run is no longer ours."""
        try:
            return {"value": retried(partial(flow_calls.answer, run.caller, request), [run])}
        except CallRefused as refused:
            return {"error": refused.as_error()}
        except LateWrite:
            attempt = run.assignment.attempt
            logger.warning("late call refused: execution %s is no longer in attempt %s here", run.id, attempt)
            self._runs.let_go(run, [run.id])
            # Should the row be ours after all, it must not wait for ever for a process that is gone.
            self._runs.requeue(run, "one of its calls was refused as late")
            return {}
        except OperationalError:
            raise  # the database is away: the worker ends
        except Exception:
            logger.exception("a call of execution %s failed", run.id)
            self._runs.crashed(run, "the engine failed to answer a call; its log says why")
            self._runs.let_go(run, [run.id])
            return {}

    def _act_on(self, run: HostedRun, request: Request, outcome: dict[str, Any]) -> None:
        value = outcome.get("value")
        if isinstance(value, Parked):
            self._park(run, request, value)
        elif isinstance(value, PutDown):
            self._runs.let_go(run, [run.id])
        elif isinstance(value, Started):
            self._reply(run, request.number, {"value": value.value})
            self._begin_child(run, value.child)
        else:
            self._reply(run, request.number, outcome)

    def _reply(self, run: HostedRun, number: int, outcome: dict[str, Any]) -> None:
        run.send({"n": number, **outcome})
        if run.has_unsent and not run.at_end:
            self._loop.watch_writable(run.channel, partial(self._on_writable, run))

    def _on_writable(self, run: HostedRun) -> None:
        if run.flush():
            self._loop.watch_readable(run.channel, partial(self._on_channel, run))
        self._on_channel(run)

    def _begin_child(self, parent: HostedRun, columns: dict[str, Any]) -> None:
        known = assignment_of_child(parent.assignment, columns)
        self._begin(assignments(self._runs.host_id, [columns["id"]]) if known is None else [known])

    # -- Parking and resuming -----------------------------------------------------------------------------

    def _park(self, run: HostedRun, request: Request, parked: Parked) -> None:
        runs, turn = self._runs, run.park(request)
        if parked.wake_in is not None:
            self._loop.after(
                parked.wake_in, lambda: runs.mark_ready(run.id) if run.is_parked_in(turn) else None
            )
        if run.pause_requested:
            runs.leave([run], hosting.pause)
        is_crowded = len(runs.held) > configuration.value("MAX_RESIDENT")
        stay = 0 if is_crowded else configuration.value("SLEEP_MAX_SECONDS")
        # The process of a run that waits for long ends; its row waits on, and any worker takes it up again.
        self._loop.after(stay, lambda: runs.leave([run], hosting.unload) if run.is_parked_in(turn) else None)
        if parked.child:
            self._begin_child(run, parked.child)
        if not parked.child or parked.child["id"] not in runs.held:  # unless its child took the slot
            runs.slot_is_free()

    def resume(self) -> None:
        """Go on with the runs whose wait is over, as far as there are slots."""
        runs = self._runs
        ids = [key for key in runs.ready if key in runs.held]
        runs.ready = dict.fromkeys(ids)
        if not ids:
            return

        def work() -> Outcomes:
            with transaction.atomic():
                return self.go_on(hosting.resume(runs.host_id, ids))

        self.answer_parked(retried(work, [runs.held[key] for key in ids]))
        # Those left wait for a slot: whoever frees one calls for them; a second is the net under that.
        runs.resume_at = time.monotonic() + 1.0

    def go_on(self, ids: list[UUID]) -> Outcomes:
        """Return the outcomes of the calls for which these resumed runs were parked, in the caller's transaction."""
        outcomes: Outcomes = {}
        for key in ids:
            run = self._runs.held.get(key)
            if run is None or run.parked_by is None:
                continue
            try:
                outcomes[key] = {"value": flow_calls.go_on(run.caller, run.parked_by)}
            except CallRefused as refused:
                outcomes[key] = {"error": refused.as_error()}
        return outcomes

    def answer_parked(self, outcomes: Outcomes) -> None:
        """Answer the calls that `go_on` went on with, after its transaction."""
        for key, outcome in outcomes.items():
            self._runs.ready.pop(key, None)
            run = self._runs.held[key]
            request, run.parked_by = run.parked_by, None
            assert request is not None
            self._act_on(run, request, outcome)


def retried(work: Callable[[], Any], runs: Iterable[HostedRun]) -> Any:
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
