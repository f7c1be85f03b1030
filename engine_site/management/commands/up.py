"""`manage.py up`: everything that Engine needs, in one terminal; what `make run` calls.

`manage.py` calls `launch` itself, before it loads Django; this is for whoever calls the command otherwise.
"""

from typing import Any

from django.core.management.base import BaseCommand

from engine_site.environment import read_environment
from engine_site.launch import launch


class Command(BaseCommand):
    help = "Starts the database, the web process and the workers, and keeps them running until Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Stay until everything has stopped again."""
        launch(read_environment())
