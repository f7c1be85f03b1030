"""A browser tab as the live socket sees it: signs in, connects, subscribes, acknowledges what it reads."""

import asyncio
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from access.models import User
from engine_site.asgi import application

PATIENCE = 20.0


def session_of(user: User | None) -> str:
    """Return the cookie header of a browser that this person signed in with."""
    client = Client()
    if user is None:
        return ""
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


class Tab:
    """One socket. `acknowledges=False` makes it a client that never says how far it has read."""

    def __init__(
        self,
        cookie: str,
        *,
        origin: str = "http://localhost",
        host: str = "localhost",
        acknowledges: bool = True,
    ) -> None:
        headers = [(b"host", host.encode()), (b"cookie", cookie.encode())]
        if origin:
            headers.append((b"origin", origin.encode()))
        self.socket = WebsocketCommunicator(application, "/ws/live", headers=headers)
        self.acknowledges, self.read = acknowledges, 0

    async def connect(self) -> bool:
        is_open, _ = await self.socket.connect(timeout=PATIENCE)
        return is_open

    async def ask(self, **wish: Any) -> None:
        await self.socket.send_json_to(wish)

    async def message(self) -> dict[str, Any]:
        found = await self.socket.receive_json_from(timeout=PATIENCE)
        self.read += 1
        if self.acknowledges:
            await self.ask(ack=self.read)
        return found

    async def hear(self, *kinds: str) -> dict[str, Any]:
        """Return the next message of one of these kinds."""
        while True:
            found = await asyncio.wait_for(self.message(), PATIENCE)
            if found["type"] in kinds:
                return found

    async def hear_row(self, execution_id: Any, status: str | None = None) -> dict[str, Any]:
        """Return the next row of this execution, in this status if one is given."""
        while True:
            for row in (await self.hear("snapshot", "changes"))["rows"]:
                if row["id"] == str(execution_id) and status in (None, row["status"]):
                    return row

    async def monitor(self, **more: Any) -> dict[str, Any]:
        """Subscribe to the monitor and return the snapshot."""
        await self.ask(subscribe="monitor", **more)
        return await self.hear("snapshot")

    async def close(self) -> None:
        await self.socket.disconnect(timeout=PATIENCE)
