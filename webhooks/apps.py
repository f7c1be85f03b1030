"""App declaration of webhooks. Offers its record type, and checks the answers that flows give to callers."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from connectors.sealing import keep_sealed
        from executions.calls.control import offer_output_check
        from executions.topics import offer_topic
        from webhooks import flow_calls, jobs, kinds, news  # noqa: F401  (offer a job and a record type)
        from webhooks.operations import reseal
        from webhooks.shaping import OUTPUT_NAME

        keep_sealed(reseal)
        offer_topic(news.TOPIC, news.read_hints)
        offer_output_check(OUTPUT_NAME, flow_calls.check_answer)
