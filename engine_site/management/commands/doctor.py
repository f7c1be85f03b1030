"""`manage.py doctor`: looks at everything that Engine needs and says what to do about what is wrong."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from engine_site.checks import Level, examine


class Command(BaseCommand):
    help = (
        "Checks versions, database, workers, queue, disk and isolation; the exit code is 1 if anything fails."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line per finding, the worst in colour."""
        styles = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        failed = 0
        for finding in examine():
            failed += finding.level is Level.FAIL
            level = styles[finding.level](f"{finding.level:<4}")
            self.stdout.write(f"{level}  {finding.subject}: {finding.words}")
        if failed:
            sys.exit(1)
