"""Connections that mostly wait: two hundred at once to a slow server, and one after the other to a quick one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.engine import Engine
from benchmarks.figures import Figure

PARALLEL = 200
SECONDS = 1.0  # until the slow server answers
IN_SEQUENCE = 40

_PARALLEL = f"""
from time import perf_counter
def handler(system, this, inputs):
    begun = perf_counter()
    calls = [this.connect(connector_type='REST', url=inputs['slow'], wait=False) for _ in range({PARALLEL})]
    started = perf_counter() - begun
    this.wait_for(calls)
    return {{'all': perf_counter() - begun, 'started': started}}
"""
_IN_SEQUENCE = f"""
from time import perf_counter
def handler(system, this, inputs):
    begun = perf_counter()
    for _ in range({IN_SEQUENCE}):
        this.connect(connector_type='REST', url=inputs['quick'])
    return {{'all': perf_counter() - begun}}
"""


def connections(engine: Engine) -> list[Figure]:
    """A flow's REST calls, from its first call to the answer of the last."""
    with _server() as port:
        inputs = {"slow": f"http://127.0.0.1:{port}/slow", "quick": f"http://127.0.0.1:{port}/quick"}
        engine.run(_IN_SEQUENCE, inputs=inputs)  # the worker loads what it needs for HTTP
        parallel = engine.run(_PARALLEL, inputs=inputs)["output_value"]
        sequence = engine.run(_IN_SEQUENCE, inputs=inputs)["output_value"]
    name = f"{PARALLEL} parallel REST calls to a server that answers after {SECONDS:g} s"
    return [
        Figure(name, parallel["all"], "s", "< 3"),
        Figure("… until the last of them was started", parallel["started"], "s"),
        Figure(f"{IN_SEQUENCE} synchronous REST calls in sequence", sequence["all"], "s"),
    ]


@contextmanager
def _server() -> Iterator[int]:
    """Answer requests on loopback, those for /slow after a while."""
    loop = asyncio.new_event_loop()
    ports: list[int] = []
    ready = threading.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b" /slow " in head:
                await asyncio.sleep(SECONDS)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def run() -> None:
        server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024))
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        loop.run_forever()
        server.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
