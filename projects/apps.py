"""App declaration of projects. Sees to it that the Default project exists."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ProjectsConfig(AppConfig):
    name = "projects"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from projects import kinds, removal  # noqa: F401  (offer record types, and how projects go)

        post_migrate.connect(_make_default_project, sender=self)


def _make_default_project(using: str, **options: Any) -> None:
    from projects.models import Project

    if using == "default":
        Project.default()
