"""A whole Engine for measuring: started with `manage.py up` on its own data folder and port, asked over REST."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

CLONE = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Engine:
    """Runs from `with` to `with`; everything it made is removed afterwards."""

    def __init__(self, **variables: str) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="engine-bench-"))
        self.port = free_port()
        self.log = self.data.with_suffix(".log")
        self._variables = {
            **os.environ,
            "ENGINE_DATA": str(self.data / "data"),
            "PORT": str(self.port),
            "ENGINE_ADMIN_PASSWORD": "bench-password-1",
            "LOG_LEVEL": "WARNING",
            **variables,
        }
        self._variables.pop("DATABASE_URL", None)

    def __enter__(self) -> Self:
        self.data.chmod(0o755)
        begun = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"], cwd=CLONE, env=self._variables, stdout=log, stderr=log
            )
        url = f"http://127.0.0.1:{self.port}"
        while True:
            try:
                if httpx.get(f"{url}/ready", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            if self.process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                raise RuntimeError(f"the engine did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)
        self.seconds_to_ready = time.monotonic() - begun
        key = self.manage("create_api_key", "admin", "--name", "bench").strip()
        self.http = httpx.Client(
            base_url=f"{url}/api/latest", headers={"Authorization": f"Bearer {key}"}, timeout=120
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.data, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which other processes find this engine's database."""
        return self._variables

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=CLONE, env=self._variables, check=True, capture_output=True, text=True
        ).stdout

    def run(self, script: str, *, wait: float = 120, **fields: Any) -> dict[str, Any]:
        """Run a script and return its execution when it has ended."""
        answer = self.http.post(f"/execution?wait={wait}", json={"script": script, **fields})
        answer.raise_for_status()
        execution: dict[str, Any] = answer.json()
        if execution["status"] != "ENDED_SUCCESS":
            raise RuntimeError(f"{execution['status']}: {execution['message']}")
        return execution
