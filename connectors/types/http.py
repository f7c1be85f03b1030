"""Sends the request of a REST connection: redirects, limits, retries, and whether the answer was expected.

`rest.run` calls `exchange`. Every host, also one that it is sent on to, is checked (see `http_wire`).
"""

import asyncio
import os
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from connectors.outgoing import OutgoingDenied
from connectors.types.base import ConnectionFailed, ConnectionTimedOut, Context, InputRefused, Inputs, Result
from connectors.types.http_body import cookies_of, output_of, request_of
from connectors.types.http_login import forget_token, login
from connectors.types.http_wire import CheckedTransport
from connectors.types.rest import is_idempotent
from connectors.types.tls import tls_context

EXPECTED = (200, 201, 202, 204)
MAX_BYTES = 10_000_000
BACKOFF = {"initial": 1.0, "multiplier": 2.0, "maximum": 60.0, "deadline": 600.0}
_BUSY = {429, 502, 503, 504}
_REDIRECTS = 10
_SECONDS = 30
_EXCERPT = 300  # characters of an unexpected answer
# What another host than the one that was asked for may see of the headers.
_HARMLESS = {
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-type",
    "host",
    "user-agent",
}


class NotSent(ConnectionFailed):
    """The other side was not reached: it has seen nothing of the request."""


class Unexpected(ConnectionFailed):
    """The answer has a status that was not expected."""

    def __init__(self, message: str, output: dict[str, Any], status: int, retry_after: float) -> None:
        super().__init__(message, output)
        self.status, self.retry_after = status, retry_after


async def exchange(inputs: Inputs, context: Context) -> Result:
    """Send the request, again where that was asked for, and return the answer. Raises ConnectionFailed."""
    backoff = BACKOFF | (inputs.get("retry_backoff") or {})
    deadline, pause = time.monotonic() + backoff["deadline"], backoff["initial"]
    while True:
        try:
            return await _attempt(inputs, context)
        except ConnectionFailed as failed:
            if inputs.get("retry_backoff") is None or not _may_help(inputs, failed):
                raise
            wait = max(pause, failed.retry_after if isinstance(failed, Unexpected) else 0.0)
            if time.monotonic() + wait > deadline:
                raise
            context.log(f"{failed.message.splitlines()[0]} Sent again in {wait:g} s.", "warning")
        await asyncio.sleep(wait)
        pause = min(pause * backoff["multiplier"], backoff["maximum"])


def _may_help(inputs: Inputs, failed: ConnectionFailed) -> bool:
    """Tell whether sending it again may bring an answer, and does no harm."""
    if isinstance(failed, InputRefused | OutgoingDenied):
        return False
    if isinstance(failed, NotSent):
        return True
    is_harmless = inputs.get("idempotent", is_idempotent(inputs))
    return is_harmless and (not isinstance(failed, Unexpected) or failed.status in _BUSY)


async def _attempt(inputs: Inputs, context: Context) -> Result:
    total = inputs.get("total_timeout", _SECONDS)
    began = time.monotonic()
    client = _client(inputs, context)
    try:
        request = request_of(client, inputs)
    except (httpx.InvalidURL, ValueError) as error:
        raise InputRefused(f"url: {error}") from error
    what = f"{request.method} {_place(request.url)}"
    try:
        async with asyncio.timeout(total), client:
            answer, content = await _send(client, request, inputs, context)
    except TimeoutError as error:
        raise ConnectionTimedOut(f"{what} took longer than {total:g} seconds (total_timeout).") from error
    except httpx.ConnectTimeout as error:
        raise NotSent(f"{what}: no connection came about in time (connect_timeout).") from error
    except httpx.TimeoutException as error:
        raise ConnectionTimedOut(f"{what}: nothing was heard in time (read_timeout).") from error
    except httpx.ConnectError as error:
        raise NotSent(f"{what}: {_why(error)}.") from error
    except httpx.HTTPError as error:
        raise ConnectionFailed(f"{what}: {_why(error)}.") from error
    said = f"{answer.status_code} {answer.reason_phrase}".strip()
    milliseconds = (time.monotonic() - began) * 1000
    context.log(
        f"{answer.request.method} {_place(answer.url)}: {said}, {len(content):,} bytes in {milliseconds:,.0f} ms"
    )
    output = output_of(answer, content)
    expected = inputs.get("expected_status_code", EXPECTED)
    if not any(_is_among(answer.status_code, each) for each in expected):
        words = f"{answer.request.method} {_place(answer.url)} was answered with {said},"
        words += f" not with {', '.join(map(str, expected))}."
        excerpt = content[: 4 * _EXCERPT].decode("utf-8", "replace").strip()[:_EXCERPT]
        raise Unexpected(f"{words}\n{excerpt}".strip(), output, answer.status_code, _retry_after(answer))
    return Result(output, said)


def _client(inputs: Inputs, context: Context) -> httpx.AsyncClient:
    connect, read = (inputs.get(f"{what}_timeout", _SECONDS) for what in ("connect", "read"))
    return httpx.AsyncClient(
        transport=CheckedTransport(tls_context(inputs.get("tls", {})), context),
        timeout=httpx.Timeout(read, connect=connect),
        trust_env=False,  # proxies and passwords of this machine are not the flow's
    )


async def _send(
    client: httpx.AsyncClient, request: httpx.Request, inputs: Inputs, context: Context
) -> tuple[httpx.Response, bytes]:
    """Send the request and follow where it is sent on to; returns the last answer and its content."""
    authentication = inputs.get("authentication", {})
    auth = await login(client, authentication, context.is_secret)
    left = inputs.get("max_redirects", _REDIRECTS) if inputs.get("allow_redirects", True) else 0
    history: list[httpx.Response] = []
    while True:
        answer = await client.send(request, stream=True, auth=auth)
        try:
            answer.history = list(history)
            if answer.status_code == 401 and not history and forget_token(authentication):
                context.log("The token that was kept is refused; another one is got.")
                auth = await login(client, authentication, context.is_secret)
                continue
            if not answer.next_request or not inputs.get("allow_redirects", True):
                return answer, await _read(answer, inputs.get("max_bytes", MAX_BYTES))
            if left == 0:
                raise ConnectionFailed(
                    f"{_place(request.url)}: sent on more than {len(history)} times (max_redirects)."
                )
            left -= 1
            history.append(answer)
            request, auth = _sent_on(request, answer.next_request, inputs, auth)
            context.log(f"{answer.status_code}: sent on to {_place(request.url)}")
        finally:
            await answer.aclose()


def _sent_on(
    before: httpx.Request, after: httpx.Request, inputs: Inputs, auth: httpx.Auth | None
) -> tuple[httpx.Request, httpx.Auth | None]:
    """Return the request that follows a redirect. Another host gets nothing that was meant for the first one."""
    old, new = before.url, after.url
    if (old.host, old.scheme, old.port) == (new.host, new.scheme, new.port):
        if cookies := cookies_of(inputs):
            after.headers["Cookie"] = "; ".join(filter(None, (cookies, after.headers.get("Cookie"))))
        return after, auth
    for name in list(after.headers):
        if name not in _HARMLESS and not name.startswith(("content-", "transfer-")):
            del after.headers[name]
    return after, None


async def _read(answer: httpx.Response, most: int) -> bytes:
    pieces, size = [], 0
    async for piece in answer.aiter_bytes():
        size += len(piece)
        if size > most:
            raise ConnectionFailed(
                f"{_place(answer.url)}: the answer is larger than {most:,} bytes (max_bytes)."
            )
        pieces.append(piece)
    return b"".join(pieces)


def _why(error: BaseException) -> str:
    """Return the words of the system where it has some, such as `Connection refused`."""
    cause: BaseException | None = error
    words = str(error) or type(error).__name__
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            words = str(cause).partition(" (_ssl.c")[0]
            break
        if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
            words = os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    return words.rstrip(".")


def _place(url: httpx.URL) -> str:
    """Return an address without the parts in which secrets are put: user, query and fragment."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))


def _is_among(status: int, expected: int | str) -> bool:
    low, _, high = str(expected).partition("-")
    if low.endswith("xx"):
        return status // 100 == int(low[0])
    return int(low) <= status <= int(high or low)


def _retry_after(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
