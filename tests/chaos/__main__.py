"""Runs the trials of chaos on a PostgreSQL of their own: `python -m tests.chaos --seed 7 --seconds 60 --only kills`.

Prints the seed first and the figures of each trial; ends with 1 at the first broken promise.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    options = _options()
    home = Path(tempfile.mkdtemp(prefix="engine-chaos-"))
    print(f"seed {options.seed}", flush=True)
    try:
        return _run(options, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--seconds", type=float, default=60.0, help="of each trial that goes by time")
    parser.add_argument("--only", default="", help="names of trials, separated by commas")
    return parser.parse_args()


def _run(options: argparse.Namespace, home: Path) -> int:
    from engine_site.embedded_postgres import EmbeddedPostgres

    server = EmbeddedPostgres(home / "database")  # durable: it is stopped at once again and again
    os.environ["DATABASE_URL"] = server.start()
    os.environ["ENGINE_DATA"] = str(home / "data")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["LOG_LEVEL"] = "ERROR"  # of this process; the workers write a log of their own
    try:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from tests.chaos.trials import TRIALS

        wanted = [name for name in options.only.split(",") if name] or list(TRIALS)
        unknown = sorted(set(wanted) - set(TRIALS))
        if unknown:
            print(f"There is no trial {unknown[0]!r}; there are: {', '.join(TRIALS)}.", file=sys.stderr)
            return 2
        return _try_all([(name, TRIALS[name]) for name in wanted], options, server)
    finally:
        server.stop()


def _try_all(trials, options, server) -> int:  # type: ignore[no-untyped-def]  its types need Django
    from django.db import connection

    from tests.cast import make_cast
    from tests.chaos.world import World
    from tests.executions.cluster import Fleet
    from tests.executions.stage import Stage

    for name, trial in trials:
        began = time.monotonic()
        fleet = Fleet(os.environ["DATABASE_URL"])
        world = World(Stage(make_cast()), fleet, options.seed)
        try:
            words = trial(world, server, options.seconds)
        except BaseException:
            print(f"{name}: FAILED with seed {options.seed}; the workers' words: {fleet.output}", flush=True)
            raise
        finally:
            fleet.stop()
            connection.close()
        print(f"{name} ({time.monotonic() - began:.0f} s): {words}", flush=True)
        fleet.output.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
