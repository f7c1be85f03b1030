"""The cast, a flow, a maker of webhooks, and callers that come through the door itself, without a network.

The door's database work is done in the test's own thread and transaction, unless a test asks for `threads`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from executions.models import Execution
from flows.models import Flow
from flows.operations import create_flow
from tests.cast import Cast, make_cast
from webhooks import door
from webhooks.models import Webhook
from webhooks.operations import create_webhook

SCRIPT = "def handler(system, this, inputs):\n    return this.success('done')\n"
KEY = "a key that is long enough"
Maker = Callable[..., Webhook]


@pytest.fixture
def cast(request: pytest.FixtureRequest) -> Cast:
    return make_cast()


@pytest.fixture
def threads(transactional_db: None) -> None:
    """Lets the door work in threads of its own; the tests' rows are committed then."""


@pytest.fixture(autouse=True)
def _without_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "threads" not in request.fixturenames:

        async def here(work: Callable[..., Any], *given: Any) -> Any:
            # A running loop would make Django take another connection, which does not see the test's rows.
            loop = asyncio.get_running_loop()
            asyncio._set_running_loop(None)
            try:
                return work(*given)
            finally:
                asyncio._set_running_loop(loop)

        monkeypatch.setattr(door, "_in_thread", here)


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.root, project=cast.workshop, name="Take an order", script=SCRIPT)


@pytest.fixture
def make(cast: Cast, flow: Flow) -> Maker:
    """Returns a maker of enabled webhooks of the flow, made by Alice."""

    def made(name: str = "orders", **fields: Any) -> Webhook:
        return create_webhook(**{"by": cast.alice, "name": name, "flow": flow, "is_enabled": True} | fields)

    return made


@asynccontextmanager
async def calling(name: str = "orders") -> Any:
    """Yield a caller: `await call(method, sub path, …)`."""
    transport = httpx.ASGITransport(app=door.door, client=("192.0.2.1", 4711))  # type: ignore[arg-type]
    base = f"http://localhost/api/latest/webhook/{name}/call"
    async with httpx.AsyncClient(transport=transport, timeout=20) as client:

        async def call(method: str = "POST", sub: str = "", **options: Any) -> httpx.Response:
            return await client.request(method, base + sub, **options)

        yield call


def call(method: str = "POST", sub: str = "", *, name: str = "orders", **options: Any) -> httpx.Response:
    """Call a webhook and return its answer."""

    async def once() -> httpx.Response:
        async with calling(name) as caller:
            return await caller(method, sub, **options)

    return asyncio.run(once())


async def in_thread(work: Callable[[], Any]) -> Any:
    return await door._in_thread(work)


async def started(number: int = 1) -> list[Execution]:
    """Wait until calls have started this many executions, and return them."""
    for _ in range(500):
        found = await in_thread(lambda: list(Execution.objects.order_by("id")))
        if len(found) >= number:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(found)} executions were started")


def call_and(do: Callable[[Execution], Awaitable[Any]], **options: Any) -> httpx.Response:
    """Call a webhook, do something with the execution that it starts, and return the answer."""

    async def both() -> httpx.Response:
        async with calling() as caller:
            answering = asyncio.create_task(caller(**options))
            await do((await started())[0])
            answer: httpx.Response = await answering
            return answer

    return asyncio.run(both())
