"""The wire of HTTP connections: each goes to an address that its context allows, and to no other.

The name stays what certificates are checked against. `http` makes a client of it for every request.
"""

import logging
import ssl
from collections.abc import Iterable
from typing import Any, NoReturn

import httpcore
import httpx

from connectors.types.base import Context

# What they write at INFO and DEBUG holds addresses and headers: secrets of connectors among them.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses, one after the other until one answers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (it is so declared)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        for address in await self._context.addresses(host, port):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = failure or error
        assert failure is not None
        raise failure

    async def connect_unix_socket(self, *args: Any, **options: Any) -> NoReturn:
        raise httpcore.ConnectError("connections go to hosts, not to sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class CheckedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport with a pool that connects through the check."""

    def __init__(self, tls: ssl.SSLContext, context: Context) -> None:
        super().__init__(verify=tls)
        # httpx has no parameter for it. A test goes to a denied address, should this ever have no effect.
        self._pool = httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=_CheckedBackend(context))
