"""What the tests of savepoints share: the engine tests' database, cast, stage and workers, and `Strikes` that kill.

All tests with real workers use one fleet: two workers, whose waiting executions leave memory after a second.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.executions.cluster import Fleet
from tests.executions.conftest import cast, db, fleet, stage  # noqa: F401  fixtures are found by their names here
from tests.executions.stage import Stage
from tests.invariants import check_invariants
from tests.savepoints.actors import Actor, clear_away
from tests.savepoints.strikes import Strikes


@pytest.fixture
def strikes(stage: Stage, fleet: Fleet) -> Iterator[Strikes]:  # noqa: F811
    """Two real workers, and the means to kill what runs an execution. Everything must have ended afterwards."""
    fleet.have(workers=2, slots=4, SLEEP_MAX_SECONDS="1")
    yield Strikes(fleet)
    check_invariants(stage.ids)


@pytest.fixture
def actors(stage: Stage) -> Iterator[Callable[..., Actor]]:  # noqa: F811
    """Returns a maker of hosts without processes; they are gone and their queue is empty when the test is over."""
    made: list[Actor] = []

    def make(slots: int = 4) -> Actor:
        made.append(Actor(slots))
        return made[-1]

    yield make
    check_invariants(stage.ids, settled=False)
    clear_away(stage.ids, made)


@pytest.fixture
def actor(actors: Callable[..., Actor]) -> Actor:
    return actors()
