"""`manage.py up`: everything that Engine needs, in one terminal; what `make run` calls."""

import sys
import time
from typing import Any

from django.core.management import get_commands
from django.core.management.base import BaseCommand
from django.db import OperationalError, connections

from engine_site import preparation
from engine_site.console import Console
from engine_site.environment import Environment, read_environment
from engine_site.postgres_files import DatabaseNotStarted
from engine_site.supervisor import StopAsked, Supervisor, listen


class Command(BaseCommand):
    help = "Starts the database, the web process and the workers, and keeps them running until Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Start everything, say where it is, and watch over it; leaves with nothing running."""
        environment = read_environment()
        console = Console(environment.log_format, sys.stdout)
        began = time.monotonic()
        supervisor = Supervisor(environment, console)
        web = listen(environment.host, environment.port)
        supervisor.watch_signals()
        try:
            password = prepare(supervisor, environment, console)
            supervisor.start_parts(web, has_worker="worker" in get_commands())
            if supervisor.await_ready():
                console.say(f"Ready after {time.monotonic() - began:.1f} s.")
            if not supervisor.stops_asked:
                console.show_block(what_to_know(environment, password))
            supervisor.run()
        except StopAsked:
            pass
        except OperationalError as error:
            said = " ".join(str(error).split())
            raise DatabaseNotStarted(f"The database does not answer: {said}") from error
        finally:
            supervisor.stop()
            web.close()


def prepare(supervisor: Supervisor, environment: Environment, console: Console) -> str | None:
    """Make the database and the files ready; return the first user's password if it was just invented."""
    supervisor.start_database()
    steps_began = time.monotonic()
    applied = preparation.apply_migrations()
    if applied:
        console.say(f"{applied} migrations applied ({time.monotonic() - steps_began:.1f} s).")
    password = preparation.create_first_user(environment.admin_password)
    preparation.load_demo()
    if preparation.collect_static_files():
        console.say("Static files collected.")
    connections.close_all()
    if supervisor.stops_asked:
        raise StopAsked
    return password


def what_to_know(environment: Environment, password: str | None) -> list[tuple[str, str]]:
    """Return the rows of the block that a newcomer reads."""
    shown = {"0.0.0.0": "localhost", "127.0.0.1": "localhost", "::": "localhost"}
    host = shown.get(environment.host, environment.host)
    rows = [("Open", f"http://{host}:{environment.port}/"), ("User", preparation.FIRST_USER)]
    if password:
        rows.append(("Password", f"{password}   (shown this once; change it with manage.py changepassword)"))
    rows.append(("Stop", "Ctrl-C"))
    return rows
