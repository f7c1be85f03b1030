"""One engine for all walks, and servers on loopback for it to speak to."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.engine import Engine, Rest
from tests.connections.servers import Web, as_json, postgres, web

__all__ = ["postgres", "web"]


@pytest.fixture(scope="package")
def engine() -> Iterator[Engine]:
    folder = Path(tempfile.mkdtemp(prefix="engine-walk-"))
    folder.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    running = Engine(folder / "data", port)
    running.start()
    yield running
    running.leave()
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
def admin(engine: Engine) -> Rest:
    return engine.admin()


@pytest.fixture(scope="package")
def site(web: Web) -> str:
    """A web site on loopback, in place of the one that the examples name."""
    return web.page("/", as_json({"hello": "world"}))
