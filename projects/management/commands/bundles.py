"""`manage.py bundles list|import|update|delete NAME`: the bundle manager for the command line."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.models import User
from projects.bundles import delete_bundle, import_bundle, update_bundle
from projects.models import Bundle
from projects.shipped_bundles import shipped_bundles


class Command(BaseCommand):
    help = "Lists the bundles that ship and what is imported of them; imports, updates or deletes one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("wish", choices=["list", "import", "update", "delete"])
        parser.add_argument("name", nargs="?", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["wish"] == "list":
            return self._list()
        by = User.objects.filter(is_active=True, is_superuser=True).order_by("date_joined").first()
        if by is None:
            raise CommandError("There is no superuser who could do it. Run manage.py createsuperuser.")
        try:
            self.stdout.write(self._do(options["wish"], options["name"], by))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return None

    def _do(self, wish: str, name: str, by: User) -> str:
        if wish == "import":
            return f"Imported {name} {import_bundle(name, by=by).version}."
        bundle = Bundle.objects.filter(name=name).first()
        if bundle is None:
            raise CommandError(f"No bundle {name!r} is imported. See manage.py bundles list.")
        if wish == "update":
            return f"Updated {name}: {update_bundle(bundle, by=by).words}."
        delete_bundle(bundle, by=by)
        return f"Deleted {name}. Its records are in the trash."

    def _list(self) -> None:
        imported = {bundle.name: bundle for bundle in Bundle.objects.order_by("name")}
        for shipped in shipped_bundles().values():
            bundle = imported.pop(shipped.name, None)
            state = "not imported"
            if bundle is not None:
                state = f"imported {bundle.version}{', update available' if bundle.has_update else ''}"
            self.stdout.write(f"{shipped.name} {shipped.version} ({state}): {shipped.description}")
        for bundle in imported.values():
            self.stdout.write(f"{bundle.name} (imported {bundle.version}; does not ship any more)")
