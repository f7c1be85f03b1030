"""What can be configured about the site itself: how much its processes log."""

from datetime import timedelta

from engine_site.logs import set_level
from records.configuration import Choice, Option, offer_options, value, whole_number

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _lapses(level: str) -> timedelta | None:
    """Debugging writes a lot, and is easily forgotten."""
    minutes = value("RESET_DEBUG_LOGLEVEL_MINUTES")
    return timedelta(minutes=minutes) if level == "DEBUG" and minutes else None


offer_options(
    Option(
        "LOG_LEVEL",
        "Logging",
        "From which level on web processes and workers write to their log.",
        "INFO",
        Choice(LEVELS),
        react=set_level,
        lapses=_lapses,
    ),
    Option(
        "RESET_DEBUG_LOGLEVEL_MINUTES",
        "Logging",
        "A log level of DEBUG that was set by hand lapses after these minutes; 0 lets it stay.",
        "60",
        whole_number(0, 100_000),
    ),
)
