"""Starting and watching executions in tests, through the same operations that the doors use.

The fixtures hand out a `Stage`; it keeps the ids of what it started for the invariants.
"""

import re
import textwrap
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection

from executions.lifecycle import ENDED
from executions.models import Execution, LogLine
from executions.starting import Start, start_execution
from flows.models import Flow
from flows.operations import create_flow
from tests.cast import Cast

T = TypeVar("T")
PATIENCE = 30.0  # the machine may be busy; what is right is right within this time


class NeverHappened(AssertionError):
    """What was waited for did not come about in time."""


def wait_until(question: Callable[[], T], what: str = "", seconds: float = PATIENCE) -> T:
    """Return the first true answer; raise NeverHappened when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise NeverHappened(what or getattr(question, "__doc__", None) or "it")
        time.sleep(0.01)


class Stage:
    """Starts executions and waits for what becomes of them."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.ids: list[UUID] = []

    # starting

    def start(self, body: str, *, by: Any = None, **options: Any) -> Execution:
        """Start a script. `body` is the body of its handler, or a whole script."""
        start = Start(script=script(body), **{"project": self.cast.workshop, **options})
        execution, _ = start_execution(start, by=by or self.cast.root, origin=Execution.Origin.COMMAND)
        self.ids.append(execution.pk)
        return execution

    def start_flow(self, flow: Flow, *, by: Any = None, **options: Any) -> Execution:
        execution, _ = start_execution(
            Start(flow=flow, **options), by=by or self.cast.root, origin=Execution.Origin.COMMAND
        )
        self.ids.append(execution.pk)
        return execution

    def flow(self, name: str, body: str, **fields: Any) -> Flow:
        """Return a flow of this name with this script, made or changed as needed."""
        found = Flow.objects.alive().filter(name=name).first()
        if found is not None:
            if found.script != script(body):
                raise AssertionError(f"another test has a flow {name!r} with another script")
            return found
        return create_flow(
            by=self.cast.root, name=name, script=script(body), **{"project": self.cast.workshop, **fields}
        )

    # watching

    def ended(self, *executions: Execution, seconds: float = PATIENCE) -> Execution:
        """Wait until these have ended; returns the first of them as it is then."""
        self.all_ended([each.pk for each in executions], seconds)
        executions[0].refresh_from_db()
        return executions[0]

    def all_ended(self, ids: Iterable[UUID], seconds: float = PATIENCE) -> None:
        keys = list(ids)
        wait_until(
            lambda: not Execution.objects.filter(pk__in=keys).exclude(status__in=ENDED).exists(),
            f"all of {len(keys)} executions ended",
            seconds,
        )

    def run(self, body: str, **options: Any) -> Execution:
        """Start a script and wait for its end."""
        return self.ended(self.start(body, **options))

    def in_status(self, execution: Execution, *statuses: str, seconds: float = PATIENCE) -> Execution:
        """Wait until the execution is in one of these states."""

        def is_there() -> bool:
            execution.refresh_from_db()
            return execution.status in statuses

        wait_until(is_there, f"{execution} was in {statuses}", seconds)
        return execution

    def in_attempt(self, execution: Execution, attempt: int) -> Execution:
        """Wait until the execution is tried for the so-and-so-manieth time."""

        def is_there() -> bool:
            execution.refresh_from_db()
            return execution.attempt >= attempt

        wait_until(is_there, f"{execution} was in attempt {attempt}")
        return execution

    def in_status_after(self, turn: Callable[[], Any], execution: Execution, *statuses: str) -> Execution:
        """Take turns until the execution is in one of these states."""

        def is_there() -> bool:
            turn()
            execution.refresh_from_db()
            return execution.status in statuses

        wait_until(is_there, f"{execution} was in {statuses}")
        return execution

    def says(self, execution: Execution, text: str, seconds: float = PATIENCE) -> LogLine:
        """Wait for a log line with this text."""
        lines = LogLine.objects.filter(execution=execution, text__contains=text)
        return wait_until(lines.first, f"{execution} said {text!r}", seconds)

    def log(self, execution: Execution) -> list[str]:
        return list(
            LogLine.objects.filter(execution=execution).order_by("number").values_list("text", flat=True)
        )

    def statuses(self, ids: Iterable[UUID]) -> set[str]:
        return set(Execution.objects.filter(pk__in=list(ids)).values_list("status", flat=True))

    def children(self, execution: Execution) -> list[Execution]:
        return list(Execution.objects.filter(parent=execution).order_by("id"))


def script(body: str) -> str:
    """Return a whole script: `body` itself if it defines a handler or begins with `#!`, else one with this body."""
    body = textwrap.dedent(body)
    if re.search(r"^(async )?def handler|\A#!", body, re.MULTILINE):
        return body
    return "def handler(system, this, inputs):\n" + textwrap.indent(body or "pass", "    ")


def in_threads(*works: Callable[[], Any]) -> list[Any]:
    """Do these at the same time, each on its own connection; returns what each returned or raised."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def do(place: int, work: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(20)
            results[place] = work()
        except BaseException as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=(place, work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other for ever"
    return results
