"""The connections that a host carries out: all in one thread with one asyncio loop, as they mostly wait.

The host calls `Connections` from its own thread and hears of lines and ends through `collect`. The other thread
uses no database; it is given everything a connection needs.
"""

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

import jsonschema

from connectors.types import MODULES, type_of
from connectors.types.base import ConnectionFailed, ConnectionTimedOut, ConnectionType, Context, InputRefused
from executions.hosting import Assignment
from executions.lifecycle import Reason, Status
from executions.log import Line, LogCounter
from executions.moves import Outcome
from executions.outcome import Death, decide_outcome

logger = logging.getLogger("engine.host")


class Connection:
    """One connection in the hands of its host."""

    def __init__(self, assignment: Assignment, log_number: int) -> None:
        self.assignment = assignment
        self.id: UUID = assignment.id
        self.counter = LogCounter(assignment.id, last=log_number)
        self.stopped_for: Reason | None = None
        self.task: asyncio.Task[None] | None = None  # the other thread's

    @property
    def inputs(self) -> dict[str, Any]:
        return self.assignment.inputs or {}

    @property
    def may_repeat(self) -> bool:
        """Tell whether it may be carried out again when nobody knows how far it came."""
        name = self.assignment.connector_type
        return name in MODULES and type_of(name).is_idempotent(self.inputs)


Said = tuple[Connection, tuple[str, str] | Outcome | None]  # a line (text, level), or the end


class Connections:
    """Carries connections out. Every method is called by the host's thread; `wake` is called by the other."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self.runs: dict[UUID, Connection] = {}
        self._wake = wake
        self._said: deque[Said] = deque()
        self._is_told = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def has(self, execution_id: UUID, attempt: int) -> bool:
        run = self.runs.get(execution_id)
        return run is not None and run.assignment.attempt == attempt

    def begin(self, assignment: Assignment, log_number: int = 0) -> Connection:
        """Carry this connection out."""
        self.forget(assignment.id)  # an earlier attempt, taken from us and given back before we heard of it
        run = self.runs[assignment.id] = Connection(assignment, log_number)
        if assignment.losses and not run.may_repeat:
            words = (
                "interrupted: its worker was lost while it was under way. It may have come to its end or not."
            )
            self._say(run, Outcome(Status.ENDED_ERROR, Reason.INTERRUPTED, words))
        else:
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

        try:
            kind = _type(run.assignment.connector_type)
            _check(kind, run.inputs)
            result = await kind.run(run.inputs, Context(log))
            outcome = Outcome(Status.ENDED_SUCCESS, "", result.message, result.output, True)
        except ConnectionFailed as failed:
            has_output = failed.output is not None
            outcome = Outcome(Status.ENDED_ERROR, _reason(failed), failed.message, failed.output, has_output)
        except asyncio.CancelledError:
            self._say(run, None)
            return
        except Exception as error:
            logger.exception("connection %s failed in the engine", run.id)
            words = (
                f"the engine failed to carry this connection out: {type(error).__name__}; its log says why"
            )
            outcome = Outcome(Status.ENDED_ERROR, Reason.FAILED, words)
        self._say(run, outcome)

    def _say(self, run: Connection, said: tuple[str, str] | Outcome | None) -> None:
        self._said.append((run, said))
        if not self._is_told:
            self._is_told = True
            self._wake()


def _type(name: str) -> ConnectionType:
    try:
        return type_of(name)
    except LookupError:
        raise InputRefused(
            f"connector_type: there is no {name!r}; there are: {', '.join(MODULES)}."
        ) from None


def _check(kind: ConnectionType, inputs: dict[str, Any]) -> None:
    errors = sorted(jsonschema.Draft7Validator(kind.SCHEMA).iter_errors(inputs), key=lambda e: list(e.path))
    if errors:
        words = [f"{'.'.join(map(str, e.absolute_path)) or 'inputs'}: {e.message}" for e in errors[:10]]
        raise InputRefused("\n".join(words))


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
