"""`make run` from the first line to the last: everything that Engine needs, started side by side.

`manage.py up` calls it before Django is loaded, for loading takes longest: the parts load while the supervisor does,
and wait at a gate until the tables are there. Watching over them afterwards is `supervisor.py`.
"""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from engine_site import prepared
from engine_site.children import GATE, Part, die_with
from engine_site.console import Console
from engine_site.environment import CLONE, Environment
from engine_site.postgres_files import DatabaseNotStarted
from engine_site.supervisor import Supervisor, listen

PLACEHOLDERS = {"0.0.0.0": "localhost", "127.0.0.1": "localhost", "::": "localhost"}


def launch(environment: Environment) -> None:
    """Start everything, say where it is, and watch over it until asked to stop; leaves nothing running."""
    began = time.monotonic()
    console = Console(environment.log_format, sys.stdout)
    supervisor = Supervisor(environment, console)
    web = listen(environment.host, environment.port)
    supervisor.watch_signals()
    waiting, gate = os.pipe()
    try:
        is_new = supervisor.claim_database()
        password = None
        if is_new or not prepared.is_prepared(environment):
            prepared.forget(environment)
            with process_aside() as aside:
                # Loading takes as long as setting up a database does.
                loading = aside.submit(load, environment, is_new)
                supervisor.start_database()
                supervisor.start_parts(parts(environment, web, waiting))
                password = aside.submit(prepare, environment, loading.result()).result()
            prepared.remember(environment)
        else:
            supervisor.start_database()
            supervisor.start_parts(parts(environment, web, waiting))
        # Only the first start waits: whoever starts again finds the tables there.
        for part in supervisor.parts:
            del part.variables[GATE]
        os.close(gate)
        if supervisor.await_ready():
            console.say(f"Ready after {time.monotonic() - began:.1f} s.")
        if not supervisor.stops_asked:
            console.show_block(what_to_know(environment, password))
        supervisor.run()
    finally:
        supervisor.stop()
        web.close()
        os.close(waiting)


def parts(environment: Environment, web: socket.socket, gate: int) -> list[Part]:
    """Return the web process and the workers, not yet started."""
    variables = {"ENGINE_DATA": str(environment.data), GATE: str(gate)}
    daphne = [sys.executable, "-m", "daphne", "--fd", str(web.fileno()), "-v", "0", "--no-server-name"]
    daphne += ["--application-close-timeout", "2"]
    if environment.behind_tls:
        daphne.append("--proxy-headers")
    daphne.append("engine_site.asgi:application")
    worker = [sys.executable, str(CLONE / "manage.py"), "worker"]
    return [
        Part("web", daphne, variables | {"ENGINE_ROLE": "web"}, (web.fileno(), gate)),
        *(
            Part(f"worker {number}", worker, variables | {"ENGINE_ROLE": "worker"}, (gate,))
            for number in range(1, environment.workers + 1)
        ),
    ]


def process_aside() -> ProcessPoolExecutor:
    """Return one process that dies with us: the supervisor never loads Django, and stays small."""
    ending = die_with(os.getpid(), signal.SIGKILL)
    return ProcessPoolExecutor(1, multiprocessing.get_context("fork"), initializer=ending)


def load(environment: Environment, is_new: bool) -> tuple[str, str] | None:
    """Do what needs no database; return the password that a new site's first user will have, and its hash."""
    import django

    django.setup()
    gc.disable()  # this process ends before its garbage could matter
    from engine_site import preparation

    if preparation.collect_static_files():
        Console(environment.log_format, sys.stdout).say("Static files collected.")
    return preparation.first_password(environment.admin_password) if is_new else None


def prepare(environment: Environment, ready: tuple[str, str] | None) -> str | None:
    """Make the database ready; return the first user's password if it was just invented."""
    from django.db import OperationalError, connections

    from engine_site import preparation

    console = Console(environment.log_format, sys.stdout)
    try:
        began = time.monotonic()
        applied = preparation.apply_migrations()
        if applied:
            console.say(f"{applied} migrations applied ({time.monotonic() - began:.1f} s).")
        password = preparation.create_first_user(environment.admin_password, ready)
        preparation.load_demo()
    except OperationalError as error:
        said = " ".join(str(error).split())
        raise DatabaseNotStarted(f"The database does not answer: {said}") from error
    finally:
        connections.close_all()
    return password


def what_to_know(environment: Environment, password: str | None) -> list[tuple[str, str]]:
    """Return the rows of the block that a newcomer reads."""
    host = PLACEHOLDERS.get(environment.host, environment.host)
    rows = [("Open", f"http://{host}:{environment.port}/"), ("User", "admin")]
    if password:
        rows.append(("Password", f"{password}   (shown this once; change it with manage.py changepassword)"))
    rows.append(("Stop", "Ctrl-C"))
    return rows
