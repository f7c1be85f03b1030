"""App declaration of access."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from access import audit, kinds, options, signing  # noqa: F401  (offer record types and options)
        from records.changes import listen

        listen(audit.note)
        signing.connect()
