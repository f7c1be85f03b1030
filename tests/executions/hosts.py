"""Stand-ins that claim, call and end like an execution host, without processes: for races on the real database.

Tests of the tables' rules use them; the tests with real workers are in files of their own.
"""

from typing import Any
from uuid import UUID

from access.models import User
from executions import end_writing, hosting, recovery
from executions.database import transacted
from executions.flow_calls import Caller, Parked, answer
from executions.lease import LOCK_CLASS, Lease
from executions.lifecycle import Status
from executions.models import FROZEN_AFTER_SECONDS, Execution, Process
from executions.moves import Outcome
from executions.savepoints import Request

CANCELLED = Outcome(Status.ENDED_CANCELLED, "cancelled")
SUCCESS = Outcome(Status.ENDED_SUCCESS, "", "done")
FAILURE = Outcome(Status.ENDED_ERROR, "raised", "it failed")


class StandIn:
    """A host with a real lease. Executions are known by id; attempts are read where they are needed."""

    def __init__(self, slots: int = 4, connections: int = 0) -> None:
        self.lease = Lease(Process.Role.HOST, slots=slots, connections=connections)
        self.id = self.lease.id
        self._calls = 0

    def claim(self) -> list[UUID]:
        return [moved.id for moved in hosting.claim(self.id)]

    def caller(self, execution_id: UUID) -> Caller:
        row = Execution.objects.get(pk=execution_id)
        user = User.objects.get(pk=row.created_by_id)
        return Caller(
            id=row.pk,
            host_id=self.id,
            attempt=row.attempt,
            project_id=row.project_id,
            root_id=row.root_id,
            is_productive=row.is_productive,
            user=user,
        )

    def call(self, execution_id: UUID, name: str, **arguments: Any) -> Any:
        """Answer a call of this execution's flow: a value, or what it parked for."""
        self._calls += 1
        return answer(self.caller(execution_id), Request(self._calls, name, arguments))

    def start_child(self, execution_id: UUID, *, wait: str | None = None, **fields: Any) -> UUID:
        """Start a child as a flow does; with `wait` the parent is parked and the child runs in its place."""
        got = self.call(
            execution_id,
            "execution.start",
            type="SCRIPT",
            script="def handler(system, this): pass",
            inputs=None,
            fields=fields,
            run=True,
            wait=wait,
        )
        return got.child["id"] if isinstance(got, Parked) else got["id"]

    def wait_for(self, execution_id: UUID, *ids: UUID, return_when: str = "ALL_SUCCEEDED") -> Any:
        return self.call(execution_id, "execution.wait", ids=list(ids), return_when=return_when, timeout=None)

    def end(self, *ids: UUID, outcome: Outcome = SUCCESS, attempt: int | None = None) -> list[UUID]:
        """End these, in their present attempt or the one given; returns those that it was allowed to end."""
        attempts = dict(Execution.objects.filter(pk__in=ids).values_list("pk", "attempt"))
        return self.end_and_resume([(key, attempt or attempts[key], outcome) for key in ids])[0]

    def end_and_resume(self, ends: list[tuple[UUID, int, Outcome]]) -> tuple[list[UUID], list[UUID]]:
        """End these and let waiters take their slots; returns those that ended and those that go on."""
        done = transacted(end_writing.end)(self.id, ends, forgetful=[])
        return done.ended, done.resumed

    def ready(self) -> set[UUID]:
        """Return those of its waiting executions whose wait is over."""
        return {key for key, held in hosting.held_by(self.id).items() if held.is_ready}

    def told_to_stop(self) -> set[UUID]:
        """Return those of its executions whose end was asked for."""
        return {key for key, held in hosting.held_by(self.id).items() if held.cancel_requested}

    def running(self) -> int:
        return Execution.objects.filter(host_id=self.id, status=Status.RUNNING).count()

    def die(self) -> None:
        """Lose the lock without a word, as a killed process does."""
        self.lease.connection.close()

    def leave(self) -> None:
        if not self.lease.connection.closed:
            self.lease.release()


def sweep() -> list[UUID]:
    """Sweep as every host does every other second."""
    return recovery.sweep(LOCK_CLASS, FROZEN_AFTER_SECONDS)


def clear_queue() -> None:
    """End what is still queued: one that began and was cancelled is resumed once more by a host, to hear of it."""
    broom = StandIn(slots=10_000, connections=10_000)
    while held := broom.claim():
        broom.end(*held, outcome=CANCELLED)
    broom.leave()
