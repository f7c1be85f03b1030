"""App declaration of connectors."""

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from connectors import kinds, options  # noqa: F401  (they offer record types and options)
        from connectors.operations import reseal
        from connectors.sealing import keep_sealed

        keep_sealed(reseal)
