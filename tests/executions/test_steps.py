"""Executions without a process: claimed apart from flows, and carried out in steps where a type offers them."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from executions import hosting, moves, steps
from executions.database import transacted
from executions.hosting import Assignment, LateWrite
from executions.lifecycle import Reason, Status
from executions.models import Execution
from executions.moves import Outcome
from executions.operations import cancel_execution
from executions.pausing import pause_execution, resume_execution
from executions.steps import Rest, Step, offer_step, take_step
from records.identifiers import uuid7
from tests.executions.hosts import StandIn
from tests.executions.stage import Stage

KIND = "SCHEDULE"


@pytest.fixture
def offer() -> Iterator[Callable[[Step], None]]:
    """Offer a step for as long as the test runs."""
    before = dict(steps._STEPS)
    yield lambda step: offer_step(KIND, step)
    steps._STEPS.clear()
    steps._STEPS.update(before)


@pytest.fixture
def host(hosts: Callable[..., StandIn]) -> StandIn:
    return hosts(slots=1, connections=2)


def write_down(stage: Stage, name: str = "stepwise") -> Execution:
    """Queue an execution without a script, as an app above would."""
    columns: dict[str, Any] = {
        "id": uuid7(),
        "name": name,
        "description": "",
        "type": KIND,
        "is_productive": True,
    }
    columns |= {"project_id": stage.cast.workshop.pk, "priority": 0, "input_value": {"n": 1}, "message": ""}
    columns |= {"origin": "COMMAND", "created_by_id": stage.cast.root.pk, "reason": "", "attempt": 0}
    columns |= {"orphan": True, "seed": uuid4(), "scheduled_for": None, "max_runtime_minutes": None}
    transacted(moves.create)(Status.QUEUED, columns)
    stage.ids.append(columns["id"])
    return Execution.objects.get(pk=columns["id"])


def taken_on(host: StandIn, key: UUID) -> Assignment:
    return hosting.assignments(host.id, [key])[0]


def test_they_are_claimed_beside_the_slots(stage: Stage, host: StandIn) -> None:
    flows = [stage.start("").pk for _ in range(2)]
    others = [write_down(stage).pk for _ in range(3)]
    assert set(host.claim()) == {flows[0], *others[:2]}
    assert host.claim() == []
    host.end(flows[0])
    assert host.claim() == [flows[1]]
    done = transacted(hosting.end)(
        host.id, [(others[0], 1, Outcome(Status.ENDED_SUCCESS))], [], takes_next=True, of_connections=True
    )
    assert done.claimed == [others[2]]


def test_a_step_ends_it_or_lets_it_rest(stage: Stage, host: StandIn, offer: Callable[[Step], None]) -> None:
    rest, end = Rest(Status.SLEEPING, {"kind": "time"}, 0.0), Outcome(Status.ENDED_SUCCESS)
    offer(lambda task: rest if task.attempt == 1 else end)
    execution = write_down(stage)
    assert host.claim() == [execution.pk]
    assert take_step(host.id, taken_on(host, execution.pk)) is None
    execution.refresh_from_db()
    assert (execution.status, execution.host_id, execution.waiting_for) == (
        Status.SLEEPING,
        None,
        {"kind": "time"},
    )
    hosting.queue_due()
    assert host.claim() == [execution.pk]
    outcome = take_step(host.id, taken_on(host, execution.pk))
    assert outcome == end


def test_a_step_that_raises_ends_it_and_has_done_nothing(
    stage: Stage, host: StandIn, offer: Callable[[Step], None]
) -> None:
    def step(task: Assignment) -> Outcome:
        Execution.objects.filter(pk=task.id).update(message="half done")
        raise ValueError("no such thing")

    offer(step)
    execution = write_down(stage)
    host.claim()
    outcome = take_step(host.id, taken_on(host, execution.pk))
    assert outcome == Outcome(Status.ENDED_ERROR, Reason.RAISED, "ValueError: no such thing")
    execution.refresh_from_db()
    assert execution.message == ""


def test_a_late_step_is_refused(stage: Stage, host: StandIn, offer: Callable[[Step], None]) -> None:
    offer(lambda task: pytest.fail("it is not ours"))
    execution = write_down(stage)
    host.claim()
    task = taken_on(host, execution.pk)
    hosting.put_down(host.id, [execution.pk])
    with pytest.raises(LateWrite):
        take_step(host.id, task)


def test_no_step_is_taken_of_what_is_to_end_or_to_pause(
    stage: Stage, host: StandIn, offer: Callable[[Step], None]
) -> None:
    offer(lambda task: pytest.fail("no step is wanted"))
    execution = write_down(stage)
    host.claim()
    pause_execution(execution, by=stage.cast.root)
    assert take_step(host.id, taken_on(host, execution.pk)) is None
    execution.refresh_from_db()
    assert (execution.status, execution.host_id) == (Status.PAUSED, None)
    resume_execution(execution, by=stage.cast.root)
    host.claim()
    cancel_execution(execution, by=stage.cast.root)
    outcome = take_step(host.id, taken_on(host, execution.pk))
    assert outcome is not None and outcome.status == Status.ENDED_CANCELLED
