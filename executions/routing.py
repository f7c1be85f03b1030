"""The live door of executions, for `engine_site.asgi`."""

from typing import Any

from channels.routing import URLRouter
from django.urls import path

from executions.consumers import LiveConsumer

_routes: list[Any] = [path("ws/live", LiveConsumer.as_asgi())]
websocket_routes = URLRouter(_routes)
