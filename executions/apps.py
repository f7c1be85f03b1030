"""App declaration of executions."""

from django.apps import AppConfig


class ExecutionsConfig(AppConfig):
    name = "executions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from connectors.sealing import keep_sealed
        from executions import (  # noqa: F401  (offer record types, options and jobs)
            jobs,
            kinds,
            options,
        )
        from executions.sealed_inputs import reseal_inputs

        keep_sealed(reseal_inputs)
