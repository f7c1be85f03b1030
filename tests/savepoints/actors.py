"""Hosts without processes, which run *plans* on the real tables: for failures and interleavings at exact places.

A plan is a list of calls, kept in the inputs of an execution; an `Actor` claims like a host, answers the calls
through the flows' door, parks, resumes from the journal and ends. Only bytes and processes are left out.
"""

import time
from contextlib import suppress
from typing import Any
from uuid import UUID

from access.models import User
from executions import end_writing, flow_calls, hosting, recovery
from executions.assignments import assignments
from executions.database import Unexpected, fetch
from executions.flow_calls import Caller, CallRefused, Parked, PutDown
from executions.hosting import LateWrite
from executions.lease import LOCK_CLASS, Lease
from executions.lifecycle import Reason, Status
from executions.models import FROZEN_AFTER_SECONDS, Execution, Process
from executions.moves import Ends, Outcome
from executions.operations import cancel_executions
from executions.savepoints import Request, load_journals
from executions.starting import Start, start_execution
from tests.invariants import tree_of

Plan = list[list[Any]]  # [call, arguments] each
SCRIPT = "def handler(system, this, inputs): pass"
CANCELLED = Outcome(Status.ENDED_CANCELLED, Reason.CANCELLED)
SUCCESS = Outcome(Status.ENDED_SUCCESS, "", "done")


def child(plan: Plan, wait: str | None = None, **fields: Any) -> list[Any]:
    """Return the call that starts a child with this plan."""
    arguments = {"type": "SCRIPT", "script": SCRIPT, "inputs": {"plan": plan}, "fields": fields, "wait": wait}
    return ["execution.start", arguments]


def start_plan(plan: Plan, *, by: User, **options: Any) -> Execution:
    """Start an execution with this plan."""
    start = Start(script=SCRIPT, inputs={"plan": plan}, **options)
    return start_execution(start, by=by, origin=Execution.Origin.COMMAND)[0]


class Actor:
    """A host with a real lease and no processes."""

    def __init__(self, slots: int = 4) -> None:
        self.lease = Lease(Process.Role.HOST, slots=slots)
        self.id = self.lease.id
        self.callers: dict[UUID, Caller] = {}  # what it has in memory
        self.places: dict[UUID, int] = {}  # the number of the next call of each
        self.parked: dict[UUID, Request] = {}
        self.plans: dict[UUID, Plan] = {}
        self.parents: dict[UUID, UUID | None] = {}
        self.cancelled: set[UUID] = set()  # resumed only to be cancelled

    # taking on

    def claim(self) -> list[UUID]:
        ids = [moved.id for moved in hosting.claim(self.id)]
        self.take(ids)
        return ids

    def take(self, ids: list[UUID]) -> None:
        """Load these executions, which are RUNNING here, with their journals."""
        journals = load_journals(ids)
        for task in assignments(self.id, ids):
            user = User.objects.get(pk=task.created_by_id)
            journal = journals[task.id]
            self.callers[task.id] = Caller(
                id=task.id,
                host_id=self.id,
                attempt=task.attempt,
                project_id=task.project_id,
                root_id=task.root_id,
                is_productive=task.is_productive,
                user=user,
                has_ties=task.has_journal,
                pending=journal.pending,
            )
            # The journal answers up to its first gap; the call after it is live.
            self.places[task.id] = len([entry for entry in journal.entries if entry[5] != "pending"]) + 1
            self.plans[task.id] = (task.inputs or {}).get("plan", [])
            self.parents[task.id] = task.parent_id
            if task.cancel_requested:
                self.cancelled.add(task.id)

    # running

    def runnable(self) -> list[UUID]:
        return [key for key in self.callers if key not in self.parked]

    def step(self, key: UUID) -> None:
        """Do the next call of this execution, or end it after its last."""
        plan, number = self.plans[key], self.places[key]
        if key in self.cancelled:
            self.end(key, CANCELLED)
        elif number > len(plan):
            self.end(key)
        else:
            call, arguments = plan[number - 1]
            self.call(key, call, arguments)

    def call(self, key: UUID, call: str, arguments: dict[str, Any] | None = None) -> Any:
        """Ask one call in the name of this execution, as its process would."""
        request = Request(self.places[key], call, arguments or {})
        try:
            value = flow_calls.answer(self.callers[key], request)
        except LateWrite:
            self.forget(key)
            raise
        except CallRefused as refused:
            value = refused
        self._take_answer(key, request, value)
        return value

    def _take_answer(self, key: UUID, request: Request, value: Any) -> None:
        if isinstance(value, Parked):
            self.parked[key] = request
            if value.child:
                self.take([value.child["id"]])
        elif isinstance(value, PutDown):
            self.forget(key)
        else:
            self.places[key] = request.number + 1

    def go_on(self) -> list[UUID]:
        """Give slots to parked executions whose wait is over and answer them; returns which."""
        ready = [
            key for key, held in hosting.held_by(self.id).items() if held.is_ready and key in self.parked
        ]
        resumed = hosting.resume(self.id, ready) if ready else []
        self._answer_parked(resumed)
        return resumed

    def _answer_parked(self, keys: list[UUID]) -> None:
        for key in keys:
            request = self.parked.pop(key)
            try:
                value = flow_calls.go_on(self.callers[key], request)
            except CallRefused as refused:
                value = refused
            self._take_answer(key, request, value)

    def end(self, key: UUID, outcome: Outcome = SUCCESS) -> bool:
        """End it in the attempt that was given; False when that was refused."""
        attempt = self.callers[key].attempt
        with suppress(Unexpected):
            self._end_plain(key, [(key, attempt, outcome)])
            return True
        done = end_writing.end(self.id, [(key, attempt, outcome)], [])
        self.forget(key)
        self._answer_parked([each for each in done.resumed if each in self.parked])
        return bool(done.ended)

    def _end_plain(self, key: UUID, ends: Ends) -> None:
        """Try the short way of a host first. Raises Unexpected."""
        if self.callers[key].has_ties:
            raise Unexpected
        parent = self.parents[key]
        is_parked = parent in self.parked
        wait = end_writing.sole_wait(self.callers[parent], key, ends[0][2]) if parent and is_parked else None
        answers, _ = end_writing.end_plain(self.id, ends, [], [wait] if wait else [], [], takes_next=False)
        self.forget(key)
        for waiter, answer in answers.items():
            self.callers[waiter].pending = None
            self._take_answer(waiter, self.parked.pop(waiter), answer)

    def look_around(self) -> None:
        """Do what a host does when it hears that others changed its rows."""
        held = hosting.held_by(self.id)
        for key in list(self.callers):
            row = held.get(key)
            if row is None or row.attempt != self.callers[key].attempt:
                self.forget(key)
            elif row.cancel_requested:
                self.end(key, CANCELLED)
            elif row.pause_requested and hosting.pause(self.id, [key]):
                self.forget(key)

    def turn(self) -> bool:
        """Do one round of everything a host does; tells whether anything was done."""
        self.look_around()
        done = bool(self.go_on()) | bool(self.claim())
        for key in self.runnable():
            if key in self.callers and key not in self.parked:
                self.step(key)
                done = True
        return done

    # leaving

    def forget(self, key: UUID) -> None:
        for memory in (self.callers, self.places, self.parked, self.plans, self.parents):
            memory.pop(key, None)
        self.cancelled.discard(key)

    def unload(self, key: UUID) -> bool:
        """Put a waiting one out of memory, as after SLEEP_MAX_SECONDS."""
        gone = bool(hosting.unload(self.id, [key]))
        if gone:
            self.forget(key)
        return gone

    def crash(self, key: UUID, cause: str = "its process was ended by SIGKILL") -> None:
        """Lose the process of one execution."""
        attempt = self.callers[key].attempt
        self.forget(key)
        recovery.crashed(self.id, key, attempt, cause)

    def put_down(self) -> None:
        """Hand everything back, as a host that is stopped does, and go."""
        hosting.put_down(self.id, list(self.callers))
        self.callers.clear()
        self.lease.release()

    def die(self) -> None:
        """Be gone without a word, as after SIGKILL."""
        self.lease.connection.close()
        self.callers.clear()
        while fetch("SELECT 1 FROM pg_locks WHERE classid = %s AND objid = %s", (LOCK_CLASS, self.id)):
            time.sleep(0.001)  # the server hears of the closed connection in its own time

    @property
    def is_dead(self) -> bool:
        return bool(self.lease.connection.closed)


def sweep() -> list[UUID]:
    """Sweep as every host does every other second."""
    return recovery.sweep(LOCK_CLASS, FROZEN_AFTER_SECONDS)


def drive(actor: Actor, ids: list[UUID], seconds: float = 20.0) -> None:
    """Let this host work until all of these have ended."""
    deadline = time.monotonic() + seconds
    while Execution.objects.filter(pk__in=ids, ended_at=None).exists():
        hosting.queue_due()
        if not actor.turn():
            sweep()
            time.sleep(0.002)
        assert time.monotonic() < deadline, list(
            Execution.objects.filter(pk__in=ids, ended_at=None).values_list("status", "host", "ready_at")
        )


def clear_away(ids: list[UUID], actors: list[Actor]) -> None:
    """End what is left of a test: its executions, and the hosts that held them."""
    for actor in actors:
        if not actor.is_dead:
            actor.die()
    sweep()
    cancel_executions(tree_of(ids))
    broom = Actor(slots=10_000)
    while broom.claim():
        for key in broom.runnable():
            broom.end(key, CANCELLED)
    broom.put_down()
