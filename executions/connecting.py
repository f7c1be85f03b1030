"""The connections that a host carries out: all in one thread with one asyncio loop, as they mostly wait.

The host calls `Connections` from its own thread and hears of lines and ends through `collect`. The other thread
uses no database; it is given everything a connection needs (`executions.connection_needs`).
"""

import asyncio
import logging
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from connectors.masking import Masker
from connectors.merging import texts_of
from connectors.operations import Ready, make_ready
from connectors.types.base import ConnectionFailed, ConnectionTimedOut, Context, InputRefused
from executions.connection_needs import Needs
from executions.database import dumps, without_nulls
from executions.lifecycle import Reason, Status
from executions.log import Line, LogCounter
from executions.moves import Outcome
from executions.outcome import MAX_MESSAGE, Death, decide_outcome

logger = logging.getLogger("engine.host")

_ENVELOPES = 20  # what an output may be put into, on its way to a flow or a page
_RESOLVERS = 32  # threads that look up names: many of them wait for the same slow server


class Connection:
    """One connection in the hands of its host."""

    def __init__(self, needs: Needs) -> None:
        self.needs, self.assignment = needs, needs.assignment
        self.id: UUID = self.assignment.id
        self.counter = LogCounter(self.id, needs.log_number, needs.masker)
        self.stopped_for: Reason | None = None
        self.ready: Ready | None = None  # set by the other thread, when it has looked at the inputs
        self.task: asyncio.Task[None] | None = None  # the other thread's

    @property
    def may_repeat(self) -> bool:
        """Tell whether it may be carried out again when nobody knows how far it came."""
        return self.ready is None or self.ready.may_repeat


Said = tuple[Connection, tuple[str, str] | Outcome | None]  # a line (text, level), or the end


class Connections:
    """Carries connections out. Every method is called by the host's thread; `wake` is called by the other."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self.runs: dict[UUID, Connection] = {}
        self._wake = wake
        self._said: deque[Said] = deque()
        self._is_told = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def has_said(self) -> bool:
        """Tell whether there is something to collect."""
        return bool(self._said)

    def begin(self, needs: Needs) -> Connection:
        """Carry this connection out."""
        self.forget(
            needs.assignment.id
        )  # an earlier attempt, taken from us and given back before we heard of it
        run = self.runs[needs.assignment.id] = Connection(needs)
        self._thread().call_soon_threadsafe(self._start, run)
        return run

    def stop(self, run: Connection, reason: Reason) -> None:
        """Break a connection off; its end is collected soon."""
        if self.runs.get(run.id) is run and run.stopped_for is None:
            run.stopped_for = reason
            self._thread().call_soon_threadsafe(self._cancel, run)

    def give_up(self, run: Connection) -> None:
        """End a connection that did not stop when it was told to."""
        if self.runs.get(run.id) is run:
            self._say(run, None)

    def forget(self, execution_id: UUID) -> None:
        """Break a connection off that is no longer ours, without a word."""
        run = self.runs.pop(execution_id, None)
        if run is not None:
            self._thread().call_soon_threadsafe(self._cancel, run)

    def collect(self) -> tuple[list[Line], list[tuple[UUID, int, Outcome]]]:
        """Return the log lines and the ends since the last time."""
        self._is_told = False
        lines: list[Line] = []
        ends: list[tuple[UUID, int, Outcome]] = []
        while self._said:
            run, said = self._said.popleft()
            if self.runs.get(run.id) is not run:
                continue
            if isinstance(said, tuple):
                line = run.counter.line(said[0], level=said[1])
            else:
                del self.runs[run.id]
                line = run.counter.closing_line()
                ends.append((run.id, run.assignment.attempt, _outcome(run, said)))
            lines += [line] if line else []
        return lines, ends

    # -- The other thread ---------------------------------------------------------------------------------

    def _thread(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._loop.set_default_executor(ThreadPoolExecutor(_RESOLVERS, "connections-resolver"))
            threading.Thread(
                target=self._guarded_loop, args=(self._loop,), name="connections", daemon=True
            ).start()
        return self._loop

    def _guarded_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
        except BaseException:
            logger.critical("connections cannot go on; their worker ends and starts afresh", exc_info=True)
            os._exit(70)

    def _start(self, run: Connection) -> None:
        run.task = asyncio.get_running_loop().create_task(self._carry_out(run))

    def _cancel(self, run: Connection) -> None:
        if run.task is not None:
            run.task.cancel()

    async def _carry_out(self, run: Connection) -> None:
        def log(text: str, level: str = "info") -> None:
            self._say(run, (text, level))

        masker = run.needs.masker
        context = Context(log, run.needs.policy.addresses, lambda secret: masker.learn([secret]))
        outcome: Outcome | None = None  # it was broken off
        try:
            outcome = _shown(await _tried(run, context), masker)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            # Not as it is: what is in its hands when it fails may be secrets.
            logger.error("connection %s failed:\n%s", run.id, masker.text(traceback.format_exc()))
            words = (
                f"the engine failed to carry this connection out: {type(error).__name__}; its log says why"
            )
            outcome = Outcome(Status.ENDED_ERROR, Reason.CRASHED, words)
        self._say(run, outcome)

    def _say(self, run: Connection, said: tuple[str, str] | Outcome | None) -> None:
        self._said.append((run, said))
        if not self._is_told:
            self._is_told = True
            self._wake()


async def _tried(run: Connection, context: Context) -> Outcome:
    try:
        return await _outcome_of(run, context)
    except ConnectionFailed as failed:
        has_output = failed.output is not None
        return Outcome(Status.ENDED_ERROR, _reason(failed), failed.message, failed.output, has_output)


async def _outcome_of(run: Connection, context: Context) -> Outcome:
    """Carry the connection out, unless it was lost before in a way that forbids that. Raises ConnectionFailed."""
    needs, task = run.needs, run.assignment
    if needs.problem:
        raise ConnectionFailed(needs.problem)
    ready = run.ready = make_ready(task.connector_type, needs.stored, task.inputs or {}, needs.secret_inputs)
    needs.masker.learn(texts_of(ready.secrets))
    if task.losses:
        if not ready.may_repeat:
            words = (
                "interrupted: its worker was lost while it was under way. It may have come to its end or not."
            )
            return Outcome(Status.ENDED_ERROR, Reason.INTERRUPTED, words)
        if task.losses >= ready.inputs.get("max_attempts", task.losses + 1):
            words = f"attempts exhausted: its worker was lost {task.losses} times (max_attempts)"
            return Outcome(Status.ENDED_ERROR, Reason.ATTEMPTS_EXHAUSTED, words)
        pause = ready.inputs.get("backoff", 0)
        context.log(
            f"Its worker was lost: it is carried out again{f' in {pause:g} s' if pause else ''}.", "warning"
        )
        await asyncio.sleep(pause)
    result = await ready.kind.run(ready.inputs, context)
    return Outcome(Status.ENDED_SUCCESS, "", result.message, result.output, has_output=True)


def _shown(outcome: Outcome, masker: Masker) -> Outcome:
    """Return the outcome as it is stored: without secrets, and without what the database cannot hold."""
    probe = outcome.output
    for _ in range(_ENVELOPES):
        probe = [probe]
    try:
        dumps(probe)
    except TypeError as error:  # JSON is written down to some depth only
        return Outcome(Status.ENDED_ERROR, Reason.FAILED, f"The answer cannot be stored: {error}.")
    return Outcome(
        outcome.status,
        outcome.reason,
        masker.text(outcome.message)[:MAX_MESSAGE],
        without_nulls(masker.value(outcome.output)),
        outcome.has_output,
    )


def _reason(failed: ConnectionFailed) -> Reason:
    if isinstance(failed, ConnectionTimedOut):
        return Reason.TIMEOUT
    return Reason.INPUT_INVALID if isinstance(failed, InputRefused) else Reason.FAILED


def _outcome(run: Connection, said: Outcome | None) -> Outcome:
    if said is not None and run.stopped_for is None:
        return said
    limit = run.assignment.max_runtime_minutes
    return decide_outcome(
        stopped_for=run.stopped_for, report=None, death=Death(None, None), limit_minutes=limit
    )
