"""Keeps the parts of a running Engine alive: the embedded PostgreSQL, the web process and the workers.

`launch.py` calls it. One thread, one loop: it passes on what the parts say, restarts what died, and stops
everything in order. It knows no Django, and leaves what the parts need to `preparation.py`.
"""

import http.client
import json
import os
import selectors
import signal
import socket
import time
from typing import IO, Any

from engine_site.children import BackOff, Part, describe_end
from engine_site.console import Console
from engine_site.embedded_postgres import EmbeddedPostgres
from engine_site.environment import CannotStart, Environment
from engine_site.postgres_files import DatabaseNotStarted

WEB_GRACE_SECONDS = 4.0
WORKER_GRACE_SECONDS = 10.0
READY_SECONDS = 60.0


class PortTaken(CannotStart):
    """The address to listen on is not to be had; the message says how to mend it."""


def listen(host: str, port: int) -> socket.socket:
    """Take the web process' address for as long as we live, so that its restart refuses no connection."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host.strip("[]"), port))
        taken.listen(1024)
    except OSError as error:
        taken.close()
        raise PortTaken(
            f"Cannot listen on {host} port {port} ({error.strerror}): "
            "stop what uses it, or choose another with PORT=8001."
        ) from error
    return taken


class Supervisor:
    """Starts the parts, watches them and stops them."""

    def __init__(self, environment: Environment, console: Console) -> None:
        self.environment = environment
        self.console = console
        self.database = EmbeddedPostgres(environment.data) if environment.uses_embedded_database else None
        self.database_back_off = BackOff()
        self.database_start_at: float | None = None
        self.parts: list[Part] = []
        self.selector = selectors.DefaultSelector()
        self.stops_asked = 0
        self._wake_reader, self._wake_writer = socket.socketpair()

    # -- Starting ---------------------------------------------------------------------------------------------

    def watch_signals(self) -> None:
        """Notice the end of a part, and the wish to stop, at once and in the loop only."""
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self.selector.register(self._wake_reader, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note_stop)

    def _note_stop(self, number: int, frame: Any) -> None:
        self.stops_asked += 1
        if self.stops_asked > 1:
            self.kill_all()
            self.console.say("Killed.", warning=True)
            os._exit(1)

    def claim_database(self) -> bool:
        """Make sure that nobody else keeps the embedded PostgreSQL; tell whether it is yet to be set up."""
        if self.database is None:
            return False
        self.database.claim()
        return not self.database.folder.exists()

    def start_database(self) -> None:
        """Start the embedded PostgreSQL, if the settings name no other."""
        if self.database is None:
            return
        began = time.monotonic()
        if not self.database.folder.exists():
            self.console.say(f"Setting up a PostgreSQL in {self.database.folder}.")
        self.database.start()
        self.console.say(f"PostgreSQL started ({time.monotonic() - began:.1f} s).")

    def start_parts(self, parts: list[Part]) -> None:
        """Start the parts, side by side."""
        self.parts = parts
        for part in self.parts:
            self._start(part)

    def _start(self, part: Part) -> None:
        part.start()
        assert part.process is not None and part.process.stdout is not None
        os.set_blocking(part.process.stdout.fileno(), False)
        # The pipe goes with it: what a dead process left behind may write on after the next one has started.
        self.selector.register(part.process.stdout, selectors.EVENT_READ, (part, part.process.stdout))

    def await_ready(self) -> bool:
        """Run the loop until the site says that it is ready; tell whether it did in good time."""
        deadline = time.monotonic() + READY_SECONDS
        ask_at = time.monotonic()
        said: list[str] = []
        while not self.stops_asked and time.monotonic() < deadline:
            self.turn(0.02)
            if time.monotonic() < ask_at:
                continue
            said = self._ask_ready()
            if not said:
                return True
            ask_at = time.monotonic() + 0.05
        if not self.stops_asked:
            self.console.say(f"Still not ready after {READY_SECONDS:.0f} s: {' '.join(said)}", warning=True)
        return False

    def _ask_ready(self) -> list[str]:
        """Ask the web process what is missing; an empty list means nothing."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.environment.host, self.environment.host)
        link = http.client.HTTPConnection(host.strip("[]"), self.environment.port, timeout=0.5)
        try:
            link.request("GET", "/ready", headers={"Host": self.environment.allowed_hosts[0].lstrip(".")})
            answer = link.getresponse()
            body = answer.read()
            if answer.status == 200:
                return []
            reasons: list[str] = json.loads(body).get("reasons", [])
            return reasons or [f"/ready answered {answer.status}."]
        except (OSError, ValueError, http.client.HTTPException):
            return ["The web process does not answer."]
        finally:
            link.close()

    # -- Running ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Watch until somebody asks to stop."""
        while not self.stops_asked:
            self.turn(self._seconds_to_next_start())

    def turn(self, seconds: float | None) -> None:
        """Wait for news for so long, pass on what the parts said, and start again what died."""
        for key, _ in self.selector.select(seconds):
            if key.data is None:
                self._drain_wake_ups()
            else:
                self._pass_on(*key.data)
        if not self.stops_asked:
            self._look_after_database()
            for part in self.parts:
                self._look_after(part)

    def _drain_wake_ups(self) -> None:
        try:
            while self._wake_reader.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _pass_on(self, part: Part, pipe: IO[bytes]) -> None:
        try:
            read = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return
        *lines, part.unfinished_line = (part.unfinished_line + read).split(b"\n")
        if not read or len(part.unfinished_line) > 65536:
            lines, part.unfinished_line = [*lines, part.unfinished_line], b""
        for line in lines:
            if line or read:
                self.console.pass_on(part.name, line.decode(errors="replace").rstrip("\r"))
        if not read:
            self.selector.unregister(pipe)
            pipe.close()

    def _look_after(self, part: Part) -> None:
        if part.start_at is not None:
            if time.monotonic() >= part.start_at and not self._database_is_down():
                self._start(part)
                self.console.say(f"{part.name} started again.")
        elif part.process is not None and not part.is_running():
            wait = part.back_off.next_wait()
            part.start_at = time.monotonic() + wait
            end = describe_end(part.process.returncode)
            self.console.say(f"{part.name} ended ({end}); starting it again in {wait:.1f} s.", warning=True)

    def _database_is_down(self) -> bool:
        return self.database_start_at is not None

    def _look_after_database(self) -> None:
        if self.database is None:
            return
        if self.database_start_at is None and self.database.has_died():
            assert self.database.process is not None
            wait = self.database_back_off.next_wait()
            self.database_start_at = time.monotonic() + wait
            end = describe_end(self.database.process.returncode)
            self.console.say(f"PostgreSQL ended ({end}); starting it again in {wait:.1f} s.", warning=True)
        elif self.database_start_at is not None and time.monotonic() >= self.database_start_at:
            try:
                self.database.start()
                self.database_start_at = None
                self.console.say("PostgreSQL started again.")
            except DatabaseNotStarted as error:
                wait = self.database_back_off.next_wait()
                self.database_start_at = time.monotonic() + wait
                self.console.say(f"{error} Trying again in {wait:.1f} s.", warning=True)

    def _seconds_to_next_start(self) -> float | None:
        planned = [part.start_at for part in self.parts if part.start_at is not None]
        if self.database_start_at is not None:
            planned.append(self.database_start_at)
        return max(0.02, min(planned) - time.monotonic()) if planned else None

    # -- Stopping ---------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop the web process, then the workers, then PostgreSQL; whoever dawdles is killed."""
        self.stops_asked = max(1, self.stops_asked)
        has_started = self.parts or (self.database is not None and self.database.pid is not None)
        if not has_started:
            return
        self.console.say("Stopping; press Ctrl-C again to kill.")
        web = [part for part in self.parts if part.name == "web"]
        self._end(web, WEB_GRACE_SECONDS)
        self._end([part for part in self.parts if part not in web], WORKER_GRACE_SECONDS)
        if self.database is not None:
            self.database.stop()
        self.console.say("Stopped.")

    def _end(self, parts: list[Part], grace: float) -> None:
        for part in parts:
            part.start_at = None
            part.send(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while any(part.is_running() for part in parts) and time.monotonic() < deadline:
            self.turn(0.1)
        for part in parts:
            if part.is_running():
                self.console.say(f"{part.name} did not stop in {grace:.0f} s and is killed.", warning=True)
                part.send(signal.SIGKILL)
        for part in parts:
            if part.process is not None:
                part.process.wait()
        # Their last words are often the ones that matter.
        self.turn(0)

    def close(self) -> None:
        """Let go of what the loop itself holds."""
        for part in self.parts:
            if part.process is not None and part.process.stdout is not None:
                part.process.stdout.close()
        self.selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def kill_all(self) -> None:
        """End everything this instant; the next start tidies up."""
        for part in self.parts:
            part.send(signal.SIGKILL)
        if self.database is not None:
            self.database.stop(at_once=True)
