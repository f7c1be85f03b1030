"""Runs Django's middleware and views of a request in one thread, entered once.

Under ASGI Django enters a thread for almost every middleware's coming and going: some sixteen switches a
request, most of the time of a short one. `engine_site.asgi` sends here whatever is not answered on the loop.
"""

from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler


class OneHopHandler(ASGIHandler):
    """Django's handler with its synchronous middleware chain, for views that are synchronous."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)
        chain: Any = self._middleware_chain  # type: ignore[has-type]
        self._middleware_chain = sync_to_async(chain, thread_sensitive=True)
