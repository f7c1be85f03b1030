"""The table of trials, by the names that the command line takes."""

import time
from collections.abc import Callable
from uuid import uuid4

from engine_site.embedded_postgres import EmbeddedPostgres
from tests.chaos import database, kills, schedules, sleepers, statements, upgrade
from tests.chaos.web import Web
from tests.chaos.world import World


def _kills(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    lottery = kills.Lottery(world, web=Web(world))
    lottery.run(seconds)
    return lottery.words()


def _thousand(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    """A thousand over REST, faster than they can be run, while processes of every kind are killed."""
    world.patience = 600.0
    lottery = kills.Lottery(world, busy=0, web=Web(world, every=0.05, clients=4))
    lottery.run(0, over_rest=1000)
    return lottery.words()


def _restarts(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    return database.restart_the_server(world, server, seconds)


def _sessions(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    return database.end_sessions(world, seconds)


def _statements(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    """Every place would take some ten minutes: as many of them as the time allows, in a random order."""
    cast, until = world.stage.cast, time.monotonic() + seconds
    places = len(statements.list_statements(cast, f"undisturbed {uuid4()}"))
    order = [
        (place, when) for place in range(1, places + 1) for when in (statements.BEFORE, statements.AFTER)
    ]
    world.chance.shuffle(order)
    done = 0
    for place, when in order:
        if time.monotonic() > until:
            break
        statements.fail_at(cast, f"{when} {place} {uuid4()}", place, when)
        done += 1
    return f"{done} of {len(order)} failures ({places} statements and commits, before and after each)"


def _upgrade(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    return upgrade.upgrade_in_flight(world, 200, sleep=20)


def _sleepers(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    return sleepers.sleep_and_wake(world)


def _schedules(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    """Ten times of every minute, in a tenth of the time."""
    return schedules.fire_and_kill(world, count=2000, workers=4, every=6, times=10, pause=3.0)


TRIALS: dict[str, Callable[[World, EmbeddedPostgres, float], str]] = {
    "kills": _kills,
    "thousand": _thousand,
    "restarts": _restarts,
    "sessions": _sessions,
    "statements": _statements,
    "upgrade": _upgrade,
    "sleepers": _sleepers,
    "schedules": _schedules,
}
