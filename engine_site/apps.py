"""The site as a Django app: it has the commands, and the gate at which a part waits for the tables.

Django loads it last of all apps, so everything costly is imported by then.
"""

import gc
import os
from importlib import import_module

from django.apps import AppConfig
from django.conf import settings

from engine_site.children import GATE


class EngineSiteConfig(AppConfig):
    name = "engine_site"

    def ready(self) -> None:
        """Offer options; and wait, in a part that the supervisor started early, until the database is up to date."""
        from engine_site import jobs, options  # noqa: F401  (offer themselves)

        if settings.ENGINE_ROLE == "web":
            import_module(settings.ROOT_URLCONF)  # every page and door, while the tables are made
        # All of it stays: no collection need look at it, and forked processes go on sharing its memory.
        gc.freeze()
        gc.enable()
        gate = os.environ.pop(GATE, "")
        if gate:
            # Nothing is ever written: the end of the pipe is the word to go on.
            os.read(int(gate), 1)
            os.close(int(gate))
