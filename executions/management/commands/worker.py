"""`manage.py worker`: one worker with its execution host. Start as many as the machine should have."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from executions.cluster import run_worker


class Command(BaseCommand):
    help = "Runs a worker: claims executions and hosts their flow processes. Ctrl-C or SIGTERM stops it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(run_worker())
