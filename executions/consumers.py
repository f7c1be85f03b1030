"""The live socket: one browser tab that hears of executions. The messages are described in `subscriptions`.

Checks origin, session and permission; reads the database in threads only; passes on what the hub queues.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import ValidationError
from django.db import Error, connection

from access.sessions import SessionStore
from executions import subscriptions
from executions.hub import Subscriber, encode, hub
from executions.live import ear

logger = logging.getLogger("engine.live")

PING_SECONDS = 20.0
PERMISSION_SECONDS = 30.0
HEARING_SECONDS = 5.0
SIGNED_OUT, NOT_THERE = 4401, 4404
_LARGEST_REQUEST = 100_000

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *given: Any) -> T:
    """Run database work in a thread of its own and give its connection back."""

    def run() -> T:
        try:
            return work(*given)
        finally:
            connection.close()

    return await sync_to_async(run, thread_sensitive=False)()


class LiveConsumer(AsyncWebsocketConsumer):
    """One socket."""

    subscriber: Subscriber | None = None
    user: Any = None

    async def connect(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.user = self.scope["user"]
        if not self.user.is_authenticated or not is_same_origin(self.scope):
            await self.close()
            return
        projects = await in_thread(subscriptions.visible_projects, self.user)
        ear.start()
        if not ear.is_hearing:
            await in_thread(ear.await_hearing, HEARING_SECONDS)  # news from here on are not missed
        await self.accept()
        self.subscriber = Subscriber(asyncio.get_running_loop(), projects, self.user.pk)
        hub.join(self.subscriber)
        self.tasks = [asyncio.create_task(work) for work in (self._pass_on(), self._ping(), self._watch())]

    async def disconnect(self, code: int) -> None:
        if self.subscriber is not None:
            hub.leave(self.subscriber)
        for task in self.tasks:
            task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.subscriber is None:
            return
        try:
            wish = json.loads(text_data or "")
            if len(text_data or "") > _LARGEST_REQUEST or not isinstance(wish, dict):
                raise ValueError
        except ValueError:
            await self._say({"type": "error", "message": "Send a JSON object."})
            return
        if isinstance(wish.get("ack"), int):
            self.subscriber.acknowledge(wish["ack"])
        elif "subscribe" in wish:
            await self._subscribe(wish)

    async def _subscribe(self, wish: dict[str, Any]) -> None:
        """Join first, then read the snapshot: so nothing falls between the two."""
        assert self.subscriber is not None
        try:
            interest = await in_thread(subscriptions.read_interest, wish, self.user)
            self.subscriber.hold(interest)
            messages = await in_thread(subscriptions.read_snapshot, self.user, interest, wish)
        except ValidationError as error:
            self.subscriber.begin([encode({"type": "error", "message": " ".join(error.messages)})])
            return
        except subscriptions.NotThere:
            await self.close(NOT_THERE)
            return
        except Error:
            logger.warning("a snapshot could not be read; the client will ask anew", exc_info=True)
            self.subscriber.lose()
            return
        self.subscriber.begin([encode(message) for message in messages])
        if interest.execution is not None and interest.log_after is not None:
            ear.look_at_log(interest.execution)  # lines that came while the snapshot was on its way
        ear.look_at_running()

    async def _say(self, message: dict[str, Any]) -> None:
        if self.subscriber is not None:
            self.subscriber.offer([encode(message)])

    async def _pass_on(self) -> None:
        assert self.subscriber is not None
        while True:
            await self.send(text_data=await self.subscriber.next())

    async def _ping(self) -> None:
        """Let the client know now and then that we are there."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            await self._say({"type": "ping"})

    async def _watch(self) -> None:
        """Look now and then whether this person is still signed in and may still see the same."""
        while True:
            await asyncio.sleep(PERMISSION_SECONDS)
            await self._look_at_permissions()

    async def _look_at_permissions(self) -> None:
        assert self.subscriber is not None
        try:
            user, projects = await in_thread(_present_user, self.scope["session"].session_key)
        except Error:
            return  # the database is away; the ear says so to everyone
        if not user.is_authenticated:
            await self.close(SIGNED_OUT)
            return
        self.user = user  # with the roles of now
        if projects != self.subscriber.projects:
            self.subscriber.projects = projects
            self.subscriber.lose()


def _present_user(session_key: str) -> tuple[Any, Any]:
    user: Any = get_user(SimpleNamespace(session=SessionStore(session_key)))  # type: ignore[arg-type]
    if not user.is_authenticated or not user.is_active:
        return SimpleNamespace(is_authenticated=False), frozenset()
    return user, subscriptions.visible_projects(user)


def is_same_origin(scope: dict[str, Any]) -> bool:
    """Tell whether the page that opened the socket is ours: cookies alone do not, they ignore the port."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin1")
    host = headers.get(b"host", b"").decode("latin1")
    return bool(origin) and (urlsplit(origin).netloc == host or origin in settings.CSRF_TRUSTED_ORIGINS)
