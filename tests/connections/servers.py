"""Real servers on loopback that connections speak to. Each test package starts its own and ends them."""

import asyncio
import json
import secrets
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest

from engine_site import postgres_files as files
from engine_site.embedded_postgres import EmbeddedPostgres
from engine_site.environment import stored_secret
from tests.connections.certificates import Authority


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

    def __init__(self, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0) -> None:
        self.tls, self._socket = tls, socket.create_server((address, port), backlog=1000)
        self.port: int = self._socket.getsockname()[1]
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
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self._socket, backlog=1000, ssl=self.tls)
        )
        self._ready.set()
        self._loop.run_forever()
        server.close()
        _end_tasks(self._loop)

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


class Postgres(EmbeddedPostgres):
    """A PostgreSQL that is reached by TCP, on a loopback address of its own."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, durable=False)
        self.address = ".".join(["127", *(str(secrets.choice(range(1, 255))) for _ in range(3))])

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs with which a connection reaches it."""
        login = {"username": files.ROLE, "password": stored_secret(self.data / "database_password")}
        return {"host": self.address, "database": files.ROLE, **login}

    def session(self) -> psycopg.Connection[Any]:
        """Return a session of the test's own, without going through a connection."""
        return psycopg.connect(self.database_url, autocommit=True)

    def _run(self, programs: Path, account: files.Account) -> None:
        hba = self.folder / "pg_hba.conf"
        hba.write_text(
            f"local all {files.ROLE} scram-sha-256\nhost all {files.ROLE} 127.0.0.0/8 scram-sha-256\n"
        )
        account.owns(hba)
        super()._run(programs, account)

    def _settings(self) -> dict[str, str]:
        return {**super()._settings(), "listen_addresses": self.address, "timezone": "Europe/Vienna"}


_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


class TlsDoor:
    """Speaks TLS with clients of PostgreSQL, as a server that was built for it would, and passes on the rest."""

    def __init__(self, server: Postgres, context: ssl.SSLContext) -> None:
        self._server, self._context = server, context
        self.encrypted: list[bool] = []  # of each session that came through
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tls-door", daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def inputs(self) -> dict[str, Any]:
        return {**self._server.inputs, "host": "127.0.0.1", "port": self.port}

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        _end_tasks(self._loop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(8)
            is_encrypted = first == _SSL_REQUEST
            if is_encrypted:
                writer.write(b"S")
                await writer.start_tls(self._context)
                first = b""
            inner, outer = await asyncio.open_connection(self._server.address, 5432)
            outer.write(first)
            self.encrypted.append(is_encrypted)
            await asyncio.gather(_pass_on(reader, outer), _pass_on(inner, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """End what clients left behind, and the loop."""
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
    loop.close()


@pytest.fixture(scope="package")
def web() -> Iterator[Web]:
    """A web server for the tests of this package."""
    made = Web()
    yield made
    made.stop()


@pytest.fixture(scope="package")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="package")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL of its own for the tests of this package."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server
