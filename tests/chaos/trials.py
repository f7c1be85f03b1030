"""The table of trials, by the names that the command line takes."""

from collections.abc import Callable

from engine_site.embedded_postgres import EmbeddedPostgres
from tests.chaos import database, kills
from tests.chaos.world import World


def _kills(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    lottery = kills.Lottery(world)
    lottery.run(seconds)
    return lottery.words()


def _restarts(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    return database.restart_the_server(world, server, seconds)


def _sessions(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    return database.end_sessions(world, seconds)


TRIALS: dict[str, Callable[[World, EmbeddedPostgres, float], str]] = {
    "kills": _kills,
    "restarts": _restarts,
    "sessions": _sessions,
}
