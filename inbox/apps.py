"""App declaration of inbox. It offers its record type, its calls to flows, and its part of the execution's page."""

from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "inbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from executions.calls.table import offer_calls
        from executions.endings import at_end, at_sweep
        from executions.panels import offer_panel
        from executions.topics import offer_topic
        from inbox import asking, flow_calls, kinds, news, panel  # noqa: F401  (kinds offers its record type)

        offer_calls(
            {"message.create": flow_calls.create, "message.wait": flow_calls.wait},
            waits={"message": flow_calls.wait_again},
        )
        at_end(asking.close_messages)
        at_sweep(asking.settle_overdue)
        offer_panel(panel.draw)
        offer_topic(news.TOPIC, news.read_hints)
