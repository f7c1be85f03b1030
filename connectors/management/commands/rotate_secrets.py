"""`manage.py rotate_secrets`: changes the key with which secrets are sealed, and seals all of them anew."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connectors import sealing


class Command(BaseCommand):
    help = "Seals all secrets anew: with a new key in the file, or with the first key of SECRETS_KEY."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = sealing.rotate()
        except InvalidToken:
            raise CommandError(
                "A secret cannot be opened with any key that is here; nothing was changed. Put the former key behind"
                " the present one in SECRETS_KEY, or on a line of its own in the file."
            ) from None
        self.stdout.write(f"Sealed {count} secrets anew.")
        if settings.ENGINE_SECRETS_KEY:
            self.stdout.write("The keys behind the first one in SECRETS_KEY are not needed any more.")
