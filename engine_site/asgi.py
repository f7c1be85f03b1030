"""The web process' entrance: daphne loads `application`, which routes HTTP to Django."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engine_site.settings")

http = get_asgi_application()

from django.urls import get_resolver  # noqa: E402  only once Django is set up

# Every door is loaded now: the first visitor need not wait for it, and a broken one stops the start.
assert get_resolver().url_patterns

application = ProtocolTypeRouter({"http": http})
