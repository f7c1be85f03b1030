"""App declaration of projects. Sees to it that the Default project and the default roles exist."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ProjectsConfig(AppConfig):
    name = "projects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from projects import kinds, removal  # noqa: F401  (offer record types, and how projects go)

        post_migrate.connect(_make_what_is_always_there, sender=self)


def _make_what_is_always_there(using: str, apps: Any = None, **options: Any) -> None:
    from projects.default_roles import keep_default_roles
    from projects.models import Project

    if using != "default":
        return
    Project.default()
    # After a migration to an earlier state their columns are not there. Whoever only empties the tables gives no state.
    role = None if apps is None else apps.all_models["access"].get("role")
    if apps is None or (role and any(field.name == "bundle" for field in role._meta.fields)):
        keep_default_roles()
