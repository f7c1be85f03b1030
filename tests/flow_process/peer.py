"""A small host for tests: it starts real flow processes through the real zygote and answers their calls from a table.

The tests of this folder use it. It keeps no state of executions and has nothing to do with the database.
"""

from __future__ import annotations

import os
import select
import signal
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executions.zygote import Exited, Spawned, Zygote
from flow_api.channel import Decoder, encode
from flow_api.preloading import named_in

LIMITS: dict[str, int | None] = {
    "memory_bytes": 512 * 1024 * 1024,
    "cpu_seconds": None,
    "processes": 64,
    "file_bytes": 16 * 1024 * 1024,
    "open_files": 256,
}

NAME = f"t{os.getpid()}"  # by which the processes of these tests are told from others on the machine
NO_ANSWER = object()
_running: dict[str, Process] = {}  # one zygote speaks for all of them

OWN_ID = "0190a000-0000-7000-8000-000000000001"

Answer = Callable[[dict[str, Any]], Any]


class Refusal(Exception):
    """What a table raises to answer with an error."""

    def __init__(self, type_name: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.type_name, self.message, self.data = type_name, message, data


@dataclass
class Told:
    """All that one flow process said, and how it ended."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] | None = None
    raw: bytes = b""
    exited: Exited | None = None
    seconds: float = 0.0

    def lines(self, stream: str) -> list[str | None]:
        """The texts of a stream."""
        return [log["text"] for log in self.logs if log["stream"] == stream]

    def arguments(self, call: str) -> list[dict[str, Any]]:
        """The arguments of every call of that name."""
        return [request["args"] for request in self.calls if request["call"] == call]


class Process:
    """One running flow process, driven by hand."""

    def __init__(
        self, zygote: Zygote, script: str, answers: dict[str, Answer], begin: dict[str, Any]
    ) -> None:
        self.zygote = zygote
        self.told = Told()
        self.key = f"run-{time.monotonic_ns()}"
        self.pid = 0
        self._answers = answers
        self._begin = {
            "script": textwrap.dedent(script),
            "filename": "test-flow.py",
            "inputs": None,
            "execution": {"id": OWN_ID, "name": "test-flow"},
            "user": {"id": "u-1", "name": "alice"},
            "env_name": "test",
        } | begin
        self._decoder = Decoder()
        self._started = time.monotonic()

    def spawn(self, **limits: int | None) -> Process:
        """Start it."""
        _running[self.key] = self
        modules = named_in(self._begin["script"])
        self._channel, self._output = self.zygote.spawn(self.key, LIMITS | limits, NAME, modules)
        self._send({"n": 0, "value": self._begin})
        return self

    def turn(self, seconds: float) -> None:
        """Take in whatever comes within this time, until something has come."""
        watched: list[Any] = [self.zygote] + ([self._channel] if self._channel.fileno() >= 0 else [])
        readable, _, _ = select.select([*watched, self._output], [], [], seconds)
        if self._channel in readable:
            self._read_channel()
        if self._output in readable:
            self._read_output()
        if self.zygote in readable:
            for event in self.zygote.read_events():
                if isinstance(event, Spawned):
                    _running[event.key].pid = event.pid
                if isinstance(event, Exited):
                    _running.pop(event.key).told.exited = event

    def until(self, happened: Callable[[], object], seconds: float = 20.0) -> None:
        """Take in what comes until something has happened."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"not within {seconds} s: {self.told}"
            self.turn(0.5)

    def finish(self, seconds: float = 20.0) -> Told:
        """Take in all until the process is gone."""
        self.until(lambda: self.told.exited is not None, seconds)
        self.told.seconds = time.monotonic() - self._started
        while self._channel.fileno() >= 0 and select.select([self._channel], [], [], 0)[0]:
            self._read_channel()
        while select.select([self._output], [], [], 0)[0] and self._read_output():
            pass
        self._channel.close()
        os.close(self._output)
        return self.told

    def signal(self, signum: int = signal.SIGTERM) -> None:
        """Signal its process group."""
        self.zygote.signal(self.key, signum)

    def answer_late(self, value: Any) -> None:
        """Answer the last call, which was left without an answer."""
        self._send({"n": self.told.calls[-1]["n"], "value": value})

    def close_channel(self) -> None:
        """Be a host that has gone."""
        self._channel.close()

    def _read_channel(self) -> None:
        try:
            data = self._channel.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self._channel.close()
        for message in self._decoder.feed(data):
            if "n" in message:
                self._answer(message)
            elif "log" in message:
                self.told.logs.append(message["log"])
            else:
                self.told.end = message["end"]

    def _answer(self, request: dict[str, Any]) -> None:
        self.told.calls.append(request)
        try:
            value = self._answers[request["call"]](request["args"])
        except Refusal as refusal:
            error = {"type": refusal.type_name, "message": refusal.message, "data": refusal.data}
            self._send({"n": request["n"], "error": error})
            return
        if value is not NO_ANSWER:
            self._send({"n": request["n"], "value": value})

    def _send(self, message: dict[str, Any]) -> None:
        self._channel.setblocking(True)
        self._channel.sendall(encode(message))
        self._channel.setblocking(False)

    def _read_output(self) -> bool:
        try:
            data = os.read(self._output, 1 << 20)
        except BlockingIOError:
            return False
        if data:
            self.told.raw += data
        else:
            time.sleep(0.001)  # its end is readable for ever
        return bool(data)


def processes_of_flows() -> list[str]:
    """The processes of runs of these tests that are still there: none must be, once they have exited."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and (folder / "comm").read_text().strip() == f"flow:{NAME}":
                found.append((folder / "status").read_text())
    return [status for status in found if "State:\tZ" not in status]
