"""`manage.py create_api_key USER --name N`: prints the new key and nothing else, for scripts."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.api_keys import create_api_key
from access.models import User


class Command(BaseCommand):
    help = "Makes an API key for a user and prints it. It cannot be read again later."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name")
        parser.add_argument("--name", default="command line", help="what the key is for")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        _, text = create_api_key(user, options["name"])
        self.stdout.write(text)
