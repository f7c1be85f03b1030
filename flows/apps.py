"""App declaration of flows."""

from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "flows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from flows import kinds  # noqa: F401  (offers its record types)
