"""`manage.py maintenance on|off|status`: stops the workers from taking on executions, for upgrades and the like."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from access.models import User
from executions.pausing import end_maintenance, maintenance, start_maintenance


class Command(BaseCommand):
    help = "Starts or ends maintenance: while it is on, no worker takes on or resumes executions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("wish", choices=["on", "off", "status"])
        parser.add_argument("--note", default="", help="why, shown to people")

    def handle(self, *args: Any, **options: Any) -> None:
        operator = User(username="command line", is_superuser=True)
        if options["wish"] == "on":
            start_maintenance(by=operator, note=options["note"])
        elif options["wish"] == "off":
            end_maintenance(by=operator)
        found = maintenance()
        self.stdout.write(f"on since {found.started_at:%Y-%m-%d %H:%M} UTC {found.note}" if found else "off")
