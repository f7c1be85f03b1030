"""The database goes away: immediate stops of the server, and sessions that are ended at random."""

import threading
import time
from contextlib import suppress

import psycopg
from django.db import Error, connection

from engine_site.embedded_postgres import EmbeddedPostgres
from executions.database import fetch
from tests.chaos.world import World, in_words
from tests.executions.stage import wait_until


def restart_the_server(world: World, server: EmbeddedPostgres, seconds: float) -> str:
    """Stop the server at once and start it again, again and again, while flows run; returns the figures."""
    _have_workers(world)
    until = time.monotonic() + seconds
    away: list[float] = []
    work_again: list[float] = []
    while time.monotonic() < until:
        _keep_busy(world, world.chance.uniform(2.0, 5.0))
        stopped_at = time.monotonic()
        # The server is started from this thread: it dies with the thread that started it.
        client = threading.Thread(target=_submit_meanwhile, args=(world,))
        client.start()
        server.stop(at_once=True)
        world.blows["immediate stop"] += 1
        time.sleep(world.chance.uniform(0.0, 1.5))
        server.start()
        client.join()
        connection.close()
        back_at = time.monotonic()
        away.append(back_at - stopped_at)
        done = _ended(world)
        world.keep_busy(10)
        wait_until(lambda: _ended(world) > done, "executions end again", 60)  # noqa: B023  waited for at once
        work_again.append(time.monotonic() - back_at)
    _have_workers(world)
    world.settle()
    return (
        f"{world.blows['immediate stop']} immediate stops, away {in_words(away)}; {len(world.kinds)} executions,"
        f" {world.refused} submissions refused and repeated; first end after the server is back: {in_words(work_again)}"
    )


def end_sessions(world: World, seconds: float) -> str:
    """End random sessions of ours while flows run; returns the figures."""
    _have_workers(world)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        _keep_busy(world, world.chance.uniform(0.2, 1.0))
        with suppress(Error, psycopg.Error):
            pids = fetch(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend' ORDER BY pid"
            )
            if pids:
                fetch("SELECT pg_terminate_backend(%s)", (world.chance.choice(pids)[0],))
                world.blows["session ended"] += 1
    _have_workers(world)
    world.settle()
    return f"{world.blows['session ended']} sessions ended; {len(world.kinds)} executions"


def _have_workers(world: World) -> None:
    world.fleet.have(workers=2, slots=4, SLEEP_MAX_SECONDS="1")


def _keep_busy(world: World, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            world.keep_busy(10)
        except Error:
            connection.close()
        time.sleep(0.05)


def _submit_meanwhile(world: World) -> None:
    for _ in range(3):
        world.submit()
        time.sleep(0.1)
    connection.close()


def _ended(world: World) -> int:
    return len(world.kinds) - world.alive()
