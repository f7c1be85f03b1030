"""App declaration of schedules. Offers its record types, its housekeeping, and what workers do when they are due."""

from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "schedules"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from executions.timers import offer_timer
        from schedules import jobs, kinds  # noqa: F401  (they offer work and record types)
        from schedules.tasks import run_schedules

        offer_timer(run_schedules)
