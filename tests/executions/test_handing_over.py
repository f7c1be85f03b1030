"""What was claimed is begun as it was claimed, unless the host has looked at its rows in between: then as they are."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from executions import hosting
from executions.assignments import Assignment, assignments
from executions.host import Host
from executions.operations import cancel_executions
from tests.executions.hosts import StandIn
from tests.executions.stage import Stage


class Idle(Host):
    """A host without a loop and a zygote, which notes what it would begin."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(slots=4)
        self._lease = stand_in.lease
        nothing: Any = SimpleNamespace(heed=lambda rows: None, on_wake=lambda: None)
        self._runs = self._connections = nothing
        self.begun: list[Assignment] = []

    def _begin(self, given: list[Assignment]) -> None:
        self.begun += given

    def handed(self, given: list[Assignment], as_of: float) -> list[Assignment]:
        self.take(given, as_of)
        self._on_wake()
        return self.begun


@pytest.fixture
def idle(host: StandIn) -> Iterator[Idle]:
    made = Idle(host)
    with made._wake_read, made._wake_write:
        yield made


def claimed(host: StandIn) -> tuple[list[Assignment], float]:
    as_of = time.monotonic()
    return hosting.claim(host.id), as_of


def test_a_claim_tells_all_that_is_needed(stage: Stage, host: StandIn, idle: Idle) -> None:
    execution = stage.start("", inputs={"a": [1, None]}, max_runtime_minutes=5)
    given, as_of = claimed(host)
    (known,) = given
    (read,) = assignments(host.id, [execution.pk])
    assert known.deadline_in == pytest.approx(read.deadline_in, abs=2.0)
    assert vars(known) | {"deadline_in": 0} == vars(read) | {"deadline_in": 0}
    assert (known.status, known.attempt, known.inputs) == ("RUNNING", 1, {"a": [1, None]})
    assert idle.handed(given, as_of)[0] is known


def test_a_cancel_that_was_heard_too_early_counts(stage: Stage, host: StandIn, idle: Idle) -> None:
    execution = stage.start("")
    given, as_of = claimed(host)
    cancel_executions([execution.pk])
    idle._look_around()
    (begun,) = idle.handed(given, as_of)
    assert begun.cancel_requested and not given[0].cancel_requested


def test_what_has_ended_meanwhile_is_not_begun_again(stage: Stage, host: StandIn, idle: Idle) -> None:
    """The host took it up by its row, since it was handed over too late."""
    execution = stage.start("")
    given, as_of = claimed(host)
    idle._look_around()
    assert host.end(execution.pk) == [execution.pk]
    assert idle.handed(given, as_of) == []


def test_a_look_before_the_claim_changes_nothing(stage: Stage, host: StandIn, idle: Idle) -> None:
    stage.start("")
    idle._look_around()
    given, as_of = claimed(host)
    assert idle.handed(given, as_of)[0] is given[0]
