"""How log lines of the site's own processes look: text for people, JSON for collectors.

`settings.py` asks for the logging settings. The logs of executions are records of their own, kept elsewhere.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

PLAIN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Writes one JSON object a line, with whatever the caller passed as `extra`."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "role": self.role,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in PLAIN_FIELDS}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Writes the time, the level where it is not plain news, who speaks, and the message."""

    default_time_format = "%H:%M:%S"
    default_msec_format = "%s.%03d"

    def formatMessage(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        return f"{record.asctime} {level}{record.name}: {record.message}"

    def usesTime(self) -> bool:
        return True


def set_level(level: str) -> None:
    """Let this process log from this level on."""
    for name in ("", "django"):
        logging.getLogger(name).setLevel(level)


def logging_settings(log_format: str, level: str, role: str) -> dict[str, Any]:
    """Return the `LOGGING` setting: everything to standard error, in the asked format."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"()": TextFormatter},
            "json": {"()": JsonFormatter, "role": role},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": log_format}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Replaces Django's default, which mails errors and says nothing without DEBUG.
            "django": {"handlers": [], "level": level, "propagate": True},
            # One line a request is noise; refusals and errors stay.
            "django.channels.server": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
            # Its comings and goings are told by the supervisor and the host.
            "django-q": {"level": "WARNING"},
        },
    }
