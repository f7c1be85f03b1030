"""App declaration of access. Sees to it that the default roles exist."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from access import audit, kinds, options, signing  # noqa: F401  (offer record types and options)
        from records.changes import listen

        listen(audit.note)
        signing.connect()
        post_migrate.connect(_load_default_roles, sender=self)


def _load_default_roles(using: str, apps: Any = None, **options: Any) -> None:
    from access.default_roles import load_default_roles

    # After a migration to an earlier state their tables are not there. Whoever only empties the tables gives no state.
    if using == "default" and (apps is None or "rolepermission" in apps.all_models["access"]):
        load_default_roles()
