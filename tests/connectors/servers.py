"""Real servers on loopback that connections speak to. Each test package starts its own and ends them."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import pytest


@dataclass
class Asked:
    """One request as the server got it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass
class Answer:
    """What the server says."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def as_json(value: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode())


Page = Callable[[Asked], Awaitable[Answer]]


class Web:
    """A web server with pages that tests add. It keeps what it was asked, per path."""

    def __init__(self) -> None:
        self.asked: dict[str, list[Asked]] = {}
        self.pages: dict[str, Page] = {}
        self.most_at_once = self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def page(self, path: str, page: Page | Answer) -> str:
        """Add a page; returns its address."""
        if isinstance(page, Answer):
            fixed = page

            async def answer(asked: Asked) -> Answer:
                return fixed

            page = answer
        self.pages[path] = page
        self.asked[path] = []
        return self.url + path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        )
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):  # clients that still wait for an answer
            task.cancel()
            self._loop.run_until_complete(asyncio.wait([task]))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.setdefault(asked.path, []).append(asked)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    page = self.pages.get(asked.path)
                    answer = await page(asked) if page else Answer(404, body=b"nothing here")
                finally:
                    self._at_once -= 1
                writer.write(_written(answer, asked.method == "HEAD"))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    line = (await reader.readline()).decode()
    if not line.strip():
        return None
    method, target, _ = line.split(" ", 2)
    headers = []
    while (line := (await reader.readline()).decode()).strip():
        name, _, value = line.partition(":")
        headers.append((name.strip(), value.strip()))
    asked = Asked(method, target, headers, b"")
    if length := asked.header("Content-Length"):
        asked.body = await reader.readexactly(int(length))
    elif asked.header("Transfer-Encoding"):
        while size := int((await reader.readline()).split(b";")[0], 16):
            asked.body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    return asked


def _written(answer: Answer, without_body: bool) -> bytes:
    headers = {"Content-Length": str(len(answer.body)), **answer.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Said\r\n{head}\r\n".encode() + (b"" if without_body else answer.body)


@pytest.fixture(scope="package")
def web() -> Iterator[Web]:
    """A web server for the tests of this package."""
    made = Web()
    yield made
    made.stop()
