"""A short, seeded part of chaos. The whole of it is `make chaos`."""

from collections.abc import Iterator

import pytest

from tests.chaos import schedules, statements, upgrade
from tests.chaos.kills import Lottery
from tests.chaos.world import World
from tests.executions.cluster import Fleet
from tests.executions.stage import Stage

SEED = 20261123
PLACES = 8  # of some 450 at which a statement can fail


@pytest.fixture
def world(stage: Stage, fleet: Fleet) -> Iterator[World]:
    yield World(stage, fleet, SEED)
    fleet.stop()


def test_statements_fail(stage: Stage) -> None:
    words = statements.list_statements(stage.cast, "undisturbed")
    places = [1 + (number * len(words)) // PLACES for number in range(PLACES)]
    # Django's validation swallows a failure of this one, and takes the constraint for broken.
    places += [number for number, each in enumerate(words, 1) if 'AS "_check"' in each][:2]
    for number, place in enumerate(places):
        when = (statements.BEFORE, statements.AFTER)[number % 2]
        statements.fail_at(stage.cast, f"{when} {place}", place, when)


@pytest.mark.process
def test_the_kill_lottery(world: World) -> None:
    lottery = Lottery(world, busy=6)
    lottery.run(seconds=8)
    assert sum(world.blows.values()) >= 4, "it has struck"
    assert len(world.kinds) > 10


@pytest.mark.process
def test_schedules_fire_once(world: World) -> None:
    schedules.fire_and_kill(world, count=60, workers=2, every=1, times=6, pause=1.0)
    assert sum(world.blows.values()) >= 2, "it has struck"


@pytest.mark.process
def test_an_upgrade_in_flight(world: World) -> None:
    try:
        upgrade.upgrade_in_flight(world, 24, sleep=4.0)
    finally:
        upgrade.take_back_the_migration()
