"""What can be configured about executions."""

from django.conf import settings

from projects.retention import MOST_DAYS
from records.configuration import Option, number, offer_options, short_text, whole_number

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
    Option(
        "RETENTION_SUCCESS_DAYS",
        "Retention",
        "Days for which executions that succeeded are kept; 0 for ever. Projects and flows may say otherwise.",
        "30",
        number(0, MOST_DAYS),
    ),
    Option(
        "RETENTION_ERROR_DAYS",
        "Retention",
        "Days for which executions that failed are kept; 0 for ever.",
        "90",
        number(0, MOST_DAYS),
    ),
    Option(
        "RETENTION_CANCELLED_DAYS",
        "Retention",
        "Days for which executions that were cancelled are kept; 0 for ever.",
        "30",
        number(0, MOST_DAYS),
    ),
    Option(
        "TRASH_DAYS",
        "Retention",
        "Days after which what lies in the trash is deleted for good; 0 for never.",
        "30",
        number(0, MOST_DAYS),
    ),
)
