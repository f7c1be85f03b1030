"""A web process that is killed like the others, and a client that repeats a request until it is answered."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import httpx
from django.conf import settings

from access.api_keys import create_api_key
from executions.models import Execution
from tests.chaos.flows import KINDS
from tests.chaos.world import World


class Web:
    """One daphne, and clients that start mixed flows through it, each `every` so many seconds."""

    def __init__(self, world: World, every: float = 0.5, clients: int = 1) -> None:
        self.world, self.every = world, every
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        _, self.key = create_api_key(world.stage.cast.root, f"chaos {uuid4()}")
        self.keys: dict[str, UUID] = {}  # what was accepted, by its idempotency key
        self.repeated = 0
        self._leave = threading.Event()
        self._clients = [threading.Thread(target=self._send) for _ in range(clients)]

    def __enter__(self) -> "Web":
        self._start()
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._leave.set()
        for client in self._clients:
            client.join(60)
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()

    def _start(self) -> None:
        command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), "-v", "0"]
        with self.world.fleet.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "engine_site.asgi:application"],
                cwd=Path(settings.BASE_DIR),
                env={
                    **os.environ,
                    "DATABASE_URL": self.world.fleet.url,
                    "ENGINE_ROLE": "web",
                    "DJANGO_SETTINGS_MODULE": "engine_site.settings",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """Kill it and start another, as its supervisor does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self._start()

    def _send(self) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10) as client:
            while not self._leave.wait(self.every):
                self._submit(client)

    def _submit(self, client: httpx.Client) -> None:
        kind = self.world.chance.choice(KINDS)
        key = f"chaos over REST {uuid4()}"
        body = {
            "script": kind.script,
            "input_value": kind.inputs(self.world.chance),
            "name": kind.name,
            "project_name": self.world.stage.cast.workshop.name,
        }
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key}
        for _ in range(300):
            try:
                answer = client.post("/api/latest/execution", json=body, headers=headers)
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code < 500:
                assert answer.status_code in (200, 201), answer.text
                made = UUID(answer.json()["id"])
                self.keys[key] = made
                self.world.kinds[made] = kind
                self.world.stage.ids.append(made)
                return
            self.repeated += 1
            time.sleep(0.1)

    def check(self) -> None:
        """Each request was accepted in the end, and made one execution."""
        assert not any(client.is_alive() for client in self._clients)
        for key, made in self.keys.items():
            assert list(Execution.objects.filter(idempotency_key=key).values_list("pk", flat=True)) == [made]
