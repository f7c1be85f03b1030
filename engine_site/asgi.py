"""The web process' entrance: daphne loads `application`, which routes HTTP to Django."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engine_site.settings")

application = ProtocolTypeRouter({"http": get_asgi_application()})
