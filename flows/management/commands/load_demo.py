"""`manage.py load_demo`: makes the demo flows. `manage.py up` runs it on a site that has no flow yet."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from access.models import User
from flows.demo_content import load_demo, restore_demo
from flows.models import Flow


class Command(BaseCommand):
    help = "Makes the demo flows that are missing. Flows of the same names are left as they are."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="only on a site without any flow")
        parser.add_argument(
            "--restore", action="store_true", help="also give changed demo flows their first scripts back"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["if_empty"] and Flow.objects.exists():
            return
        by = User.objects.filter(is_active=True, is_superuser=True).order_by("date_joined").first()
        if by is None:
            raise CommandError(
                "There is no superuser whose flows these could be. Run manage.py createsuperuser."
            )
        with transaction.atomic():
            made = load_demo(by)
            restored = restore_demo(by) if options["restore"] else []
        if options["verbosity"]:
            for word, names in (("Made", made), ("Restored", restored)):
                if names:
                    self.stdout.write(f"{word}: {', '.join(names)}.")
            if not made and not restored:
                self.stdout.write("Nothing to do: all demo flows are there.")
