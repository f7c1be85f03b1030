"""What can be configured about executions."""

from django.conf import settings

from records.configuration import Option, offer_options, short_text, whole_number

offer_options(
    Option(
        "SLEEP_MAX_SECONDS",
        "Performance",
        "An execution that waits for longer than this leaves memory until its wait is over.",
        "60",
        whole_number(0, 86_400),
    ),
    Option(
        "MAX_RESIDENT",
        "Performance",
        "Executions that one worker keeps in memory; beyond it, waiting ones leave at once.",
        "500",
        whole_number(1, 100_000),
    ),
    Option(
        "ENGINE_ENV_NAME",
        "General",
        "What `system.get_env_name()` tells the flows; the value of `ENGINE_ENV` unless set.",
        settings.ENGINE_ENV,
        short_text,
    ),
)
