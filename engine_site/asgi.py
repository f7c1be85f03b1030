"""What the web server runs: HTTP by Django, sockets by Channels, and the ear that feeds them.

The first request starts the ear, so importing this module starts nothing.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engine_site.settings")
on_the_loop = get_asgi_application()

# Only now: these modules read models, and the apps have just been set up.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import get_resolver  # noqa: E402

from engine_site.one_hop import OneHopHandler  # noqa: E402
from executions.live import ear  # noqa: E402
from executions.routing import websocket_routes  # noqa: E402
from webhooks.door import door, is_call  # noqa: E402

# Every page and door is loaded now: the first visitor need not wait, and a broken one stops the start.
assert get_resolver().url_patterns

Application = Callable[[Any, Any, Any], Awaitable[Any]]
in_one_thread = OneHopHandler()


async def http_application(scope: Any, receive: Any, send: Any) -> Any:
    """Answer probes, files and calls of webhooks on the loop, pages and REST in a thread of their own."""
    if is_call(scope["path"]):
        return await door(scope, receive, send)
    handler = on_the_loop if scope["path"].startswith(("/alive", settings.STATIC_URL)) else in_one_thread
    return await handler(scope, receive, send)


def hearing(inner: Application) -> Application:
    """Return the application, starting the ear with its first request."""

    async def application(scope: Any, receive: Any, send: Any) -> Any:
        ear.start()
        return await inner(scope, receive, send)

    return application


application = ProtocolTypeRouter(
    {
        "http": hearing(http_application),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(websocket_routes)),
    }
)
