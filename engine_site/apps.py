"""The site as a Django app: it has the commands, and the gate at which a part waits for the tables.

Django loads it last of all apps, so everything costly is imported by then.
"""

import os

from django.apps import AppConfig

GATE = "ENGINE_GATE"


class EngineSiteConfig(AppConfig):
    name = "engine_site"

    def ready(self) -> None:
        """Offer options; and wait, in a part that the supervisor started early, until the database is up to date."""
        from engine_site import jobs, options  # noqa: F401  (offer themselves)

        gate = os.environ.pop(GATE, "")
        if gate:
            # Nothing is ever written: the end of the pipe is the word to go on.
            os.read(int(gate), 1)
            os.close(int(gate))
