"""The public door: `/api/latest/webhook/<name>/call` and what is below it, as an ASGI application of its own.

It knows HTTP and the order of things. Whoever waits for an execution costs no thread and no connection: database work
is done in a few threads, and the waiting on the event loop. Outside of Django's middleware: no session, no cookie.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connections
from django.http.request import split_domain_port, validate_host

from executions.hub import hub
from executions.live import ear
from webhooks import answering, call_log, receiving
from webhooks.incoming import Incoming, Unreadable
from webhooks.models import Webhook
from webhooks.receiving import Accepted, Refused
from webhooks.shaping import Answer

logger = logging.getLogger("engine.webhooks")

ADDRESS = re.compile(r"/api/(?:latest|1)/webhook/([^/]+)/call(?:/(.*))?", re.DOTALL)
THREADS = 8
_FIRST_LOOK = 0.005  # seconds after which it is looked for the end
_LAST_STEP, _LAST_STEP_WHEN_DEAF = 5.0, 0.5  # seconds between looks, at most

T = TypeVar("T")
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook")


class CallerGone(Exception):
    """The caller has closed the connection: nobody is there to hear the answer."""


def is_call(path: str) -> bool:
    """Tell whether this path is one of the door's."""
    return ADDRESS.fullmatch(path) is not None


async def door(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one call of a webhook."""
    began = time.monotonic()
    webhook: Webhook | None = None
    incoming: Incoming | None = None
    call: Accepted | None = None
    answer: Answer | None = None  # none is sent to a caller who is gone
    request: dict[str, Any] | None = None
    try:
        name, incoming = _read_head(scope)
        webhook = await _in_thread(receiving.find_webhook, name)
        receiving.check_head(webhook, incoming)
        if incoming.method == receiving.OPTIONS:
            answer = receiving.answer_options(webhook)
            webhook = None  # nothing is written down
        else:
            incoming.body = await _read_body(receive, webhook)
            call = await _in_thread(receiving.accept, webhook, incoming)
            answer = await _answer(call, webhook, began, receive)
    except Refused as refused:
        answer, request = refused.answer, refused.request
    except CallerGone:
        pass
    except Exception:
        logger.exception("a call of %s failed", scope["path"])
        answer = Refused(
            500, "internal_error", "Something went wrong here. The server's log has the details."
        ).answer
    if answer is not None:
        await _send(send, answer, scope["method"])
    # The log is written behind the answer: nobody waits for it.
    took = round((time.monotonic() - began) * 1000)
    try:
        if call is not None and webhook is not None:
            await _in_thread(call_log.note_answered, webhook, call.call_id, answer, took)
        elif webhook is not None and incoming is not None and answer is not None:
            await _in_thread(call_log.note_refused, webhook, incoming, answer, request, took)
    except DatabaseError:
        logger.exception("a call of %s is not in the log", scope["path"])


def _read_head(scope: dict[str, Any]) -> tuple[str, Incoming]:
    """Return the name in the address and the request without its body. Raises Refused."""
    found = ADDRESS.fullmatch(scope["path"])
    assert found is not None
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if not validate_host(split_domain_port(headers.get("host", ""))[0], settings.ALLOWED_HOSTS):
        raise Refused(400, "input_invalid", "This site does not answer to this host name.")
    client = scope.get("client") or ("",)
    try:
        incoming = Incoming(
            method=scope["method"],
            path=found[2] or "",
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            remote_address=str(client[0])[:64],
        )
    except Unreadable as error:
        raise Refused(400, "input_invalid", str(error)) from error
    return found[1], incoming


async def _read_body(receive: Receive, webhook: Webhook) -> bytes:
    """Return the body; raises Refused as soon as it is longer than the webhook takes, and CallerGone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        body += message.get("body", b"")
        if len(body) > webhook.body_limit_bytes:
            raise receiving.too_large(webhook)
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(call: Accepted, webhook: Webhook, began: float, receive: Receive) -> Answer:
    if call.is_async:
        return answering.answer_at_once(call)
    await _wait(call.execution_id, began + webhook.time_limit_seconds, receive)
    return await _in_thread(answering.answer_at_end, call, webhook.time_limit_seconds)


class _Bell:
    """Rung from any thread; waited for on the loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.wait, self.clear = self._event.wait, self._event.clear

    def set(self) -> None:
        self._loop.call_soon_threadsafe(self._event.set)


async def _wait(execution_id: UUID, until: float, receive: Receive) -> None:
    """Wait until the caller can be answered, or until this moment. Raises CallerGone."""
    began, bell = time.monotonic(), _Bell()
    gone = asyncio.ensure_future(receive())  # the body is read: what comes now is the end of the connection
    hub.wait_for(execution_id, bell)
    try:
        while not await _in_thread(_is_over, execution_id):
            now = time.monotonic()
            if now >= until:
                return
            # Hosts announce some 50 ms late, all together: a short run is found by looking, a long one by the news.
            waited = now - began
            step = max(_FIRST_LOOK, waited / 4 if waited < 1 else waited)
            step = min(step, until - now, _LAST_STEP if ear.is_hearing else _LAST_STEP_WHEN_DEAF)
            rung = asyncio.ensure_future(bell.wait())
            await asyncio.wait({rung, gone}, timeout=step, return_when=asyncio.FIRST_COMPLETED)
            rung.cancel()
            bell.clear()
            if gone.done():
                raise CallerGone
    finally:
        hub.wait_no_more(execution_id, bell)
        gone.cancel()


def _is_over(execution_id: UUID) -> bool:
    try:
        return answering.is_over(execution_id)
    except DatabaseError:  # it may be back before the time is up
        return False


async def _send(send: Send, answer: Answer, method: str) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"Content-Length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})


async def _in_thread(work: Callable[..., T], *given: Any) -> T:
    """Do database work in one of the door's threads and give its connection back."""

    def run() -> T:
        try:
            return work(*given)
        finally:
            connections.close_all()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)
