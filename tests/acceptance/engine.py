"""A whole Engine as a newcomer has it, started by `manage.py up` on data of its own and asked over HTTP."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from engine_site.environment import CLONE

START_SECONDS = 120.0  # on a busy machine
ENDED = ("ENDED_SUCCESS", "ENDED_ERROR", "ENDED_CANCELLED")


class Rest:
    """The REST API as one person uses it."""

    def __init__(self, base: str, key: str) -> None:
        self.http = httpx.Client(
            base_url=f"{base}/api/latest", headers={"Authorization": f"Bearer {key}"}, timeout=60
        )

    def get(self, path: str, **query: Any) -> Any:
        return self._read(self.http.get(path, params=query))

    def post(self, path: str, **body: Any) -> Any:
        return self._read(self.http.post(path, json=body))

    def patch(self, path: str, **body: Any) -> Any:
        return self._read(self.http.patch(path, json=body))

    def status_of(self, path: str, **body: Any) -> int:
        """Post and return only the status, for what is to be refused."""
        return self.http.post(path, json=body).status_code

    def have_bundle(self, name: str) -> None:
        """Import this bundle unless an earlier test has."""
        assert name in {each["name"] for each in self.get("/bundle/available")["results"]}
        if name not in {each["name"] for each in self.get("/bundle")["results"]}:
            self.post("/bundle", name=name)

    def run(self, wait: float = 60, **body: Any) -> dict[str, Any]:
        """Start an execution and return it as it ended."""
        execution: dict[str, Any] = self._read(self.http.post("/execution", params={"wait": wait}, json=body))
        assert execution["status"] in ENDED, execution
        return execution

    def wait_for(self, execution_id: str, *statuses: str, seconds: float = 60) -> dict[str, Any]:
        """Return the execution as soon as it is in one of these states."""
        until = time.monotonic() + seconds
        while True:
            execution: dict[str, Any] = self.get(f"/execution/{execution_id}")
            if execution["status"] in statuses:
                return execution
            assert time.monotonic() < until, execution
            time.sleep(0.05)

    def log_of(self, execution_id: str) -> str:
        return "\n".join(line["text"] for line in self.get(f"/execution/{execution_id}/log")["results"])

    @staticmethod
    def _read(answer: httpx.Response) -> Any:
        assert answer.status_code < 300, f"{answer.request.method} {answer.url}: {answer.text}"
        return answer.json() if answer.content else None


class Engine:
    """Starts and stops; its data stays in between."""

    def __init__(self, data: Path, port: int) -> None:
        self.data, self.port = data, port
        foreign = {"DATABASE_URL", "DJANGO_SETTINGS_MODULE", "ENGINE_DATA"}
        kept = {name: value for name, value in os.environ.items() if name not in foreign}
        self.variables = kept | {
            "ENGINE_DATA": str(data),
            "PORT": str(port),
            "ENGINE_ADMIN_PASSWORD": "a-good-password-1",
            "LOG_LEVEL": "WARNING",
            "SLEEP_MAX_SECONDS": "2",
        }
        self.log = data.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[Rest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "manage.py", "up"]
            self.process = subprocess.Popen(
                command, cwd=CLONE, env=self.variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None and time.monotonic() < until, self.said()
            time.sleep(0.1)

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(60) == 0, self.said()
        finally:
            self.process.kill()

    def leave(self) -> None:
        """Stop for good."""
        for client in self._clients:
            client.http.close()
        self.stop()

    def said(self) -> str:
        return self.log.read_text()[-6000:]

    def manage(self, *words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(
            command, cwd=CLONE, env=self.variables, check=True, capture_output=True, text=True
        ).stdout.strip()

    def admin(self) -> Rest:
        return self._client(self.manage("create_api_key", "admin", "--name", uuid4().hex))

    def person(self, admin: Rest, name: str, rights: dict[str, str], project: str | None = None) -> Rest:
        """Make a user who may do just this: by record type the operations, as "READ RUN"."""
        rows = [
            {"record_type": kind, "operation": operation}
            for kind, operations in rights.items()
            for operation in operations.split()
        ]
        role = admin.post("/role", name=f"{name}'s", permissions=rows)
        user = admin.post("/user", username=name, email=f"{name}@example.org")
        place = {"project_name": project} if project else {}
        holder = {"identity_kind": "user", "identity_id": str(user["id"])}
        admin.post("/identity_role", role_id=role["id"], **holder, **place)
        return self._client(admin.post("/api_key", name="walk", user_id=user["id"])["key"])

    def _client(self, key: str) -> Rest:
        self._clients.append(Rest(self.url, key))
        return self._clients[-1]

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False
