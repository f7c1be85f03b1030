"""The configuration of the workspace: named options, and the value of each that is in force.

A value set by hand wins over the environment's, and that over the default. Apps offer their options when they are
ready and ask `value`; processes look at the table every few seconds, so that a change needs no restart.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils import timezone

from records.models import ManualValue

logger = logging.getLogger("engine.configuration")

FRESH_SECONDS = 5.0  # what was read from the table is used for this long

Parse = Callable[[str], Any]  # the text of a value -> the value. Raises ValueError saying what to give.


def whole_number(lowest: int, highest: int) -> Parse:
    """Return the reader of a whole number between these."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and lowest <= int(text) <= highest):
            raise ValueError(f"Give a whole number from {lowest:,} to {highest:,}.")
        return int(text)

    return parse


def number(lowest: float, highest: float) -> Parse:
    """Return the reader of a number between these, which may have a fraction."""

    def parse(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = float("nan")
        if not lowest <= found <= highest:
            raise ValueError(f"Give a number from {lowest:g} to {highest:,g}.")
        return found

    return parse


@dataclass(frozen=True)
class Choice:
    """The reader of one of these texts."""

    values: tuple[str, ...]

    def __call__(self, text: str) -> str:
        if text not in self.values:
            raise ValueError(f"Choose one of {', '.join(self.values)}.")
        return text


def short_text(given: str) -> str:
    """Read a text of up to 200 characters."""
    if not 0 < len(given) <= 200:
        raise ValueError("Give 1 to 200 characters.")
    return given


def several(check: Callable[[str], object] = str) -> Parse:
    """Return the reader of a list with commas between its parts, each of which `check` accepts or raises ValueError."""

    def parse(text: str) -> list[str]:
        parts = [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
        for part in parts:
            check(part)
        return parts

    return parse


@dataclass(frozen=True)
class Option:
    """One thing that can be configured, under the name of its environment variable. Values are texts.

    `react` is told the value in each process, at first and when it changes. A manual value lapses after the time
    that `lapses` gives for it.
    """

    name: str
    group: str
    description: str
    default: str
    parse: Parse
    react: Callable[[Any], None] | None = None
    lapses: Callable[[Any], timedelta | None] | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts to choose from; empty when there are too many to name."""
        return self.parse.values if isinstance(self.parse, Choice) else ()

    @property
    def environment(self) -> str | None:
        """The value of the environment variable; None when it is not set or empty."""
        return os.environ.get(self.name, "").strip() or None


@dataclass(frozen=True)
class Configured:
    """An option with what is set for it."""

    option: Option
    manual: ManualValue | None = None

    @property
    def lapses_at(self) -> datetime | None:
        if self.manual is None or self.option.lapses is None:
            return None
        after = self.option.lapses(self.option.parse(self.manual.value))
        return None if after is None else self.manual.modified_at + after

    @property
    def effective(self) -> str:
        given = self.manual.value if self.manual else self.option.environment
        return self.option.default if given is None else given

    @property
    def source(self) -> str:
        if self.manual:
            return "manual"
        return "default" if self.option.environment is None else "environment"

    @property
    def value(self) -> Any:
        return self.option.parse(self.effective)


_options: dict[str, Option] = {}
_lock = threading.Lock()
_manual: dict[str, ManualValue] = {}
_read_at = float("-inf")
_told: dict[str, Any] = {}  # the values that `react` functions know


def offer_options(*options: Option) -> None:
    """Make options known. Raises ImproperlyConfigured when the environment gives one of them a wrong value."""
    for option in options:
        try:
            option.parse(option.environment or option.default)
        except ValueError as error:
            raise ImproperlyConfigured(f"{option.name}={option.environment}: {error}") from error
        _options[option.name] = option


def value(name: str) -> Any:
    """Return the value in force. Costs a small statement every few seconds, else nothing."""
    if time.monotonic() > _read_at + FRESH_SECONDS:
        refresh()
    return _look_up(_options[name]).value


def all_configured() -> list[Configured]:
    """Return every option with what is set for it, by group and name."""
    refresh()
    return [
        _look_up(option) for option in sorted(_options.values(), key=lambda each: (each.group, each.name))
    ]


def configured(name: str) -> Configured:
    """Return one option with what is set for it. Raises LookupError."""
    refresh()
    return _look_up(_options[name])


def refresh() -> None:
    """Read the manual values now, and tell those who react to changes. Long-lived processes call it on their beat."""
    global _manual, _read_at
    with _lock:
        _manual = {row.name: row for row in ManualValue.objects.select_related("modified_by")}
        _read_at = time.monotonic()
    for option in list(_options.values()):
        if option.react is not None:
            now = _look_up(option).value
            if _told.get(option.name) != now:
                _told[option.name] = now
                option.react(now)


def store(name: str, given: Any, *, by: Any) -> Configured:
    """Set an option by hand. Raises LookupError for an unknown one and ValidationError for a wrong value.

    Asks for no permission: that is for its callers.
    """
    option = _options[name]
    text = _as_text(given)
    try:
        option.parse(text)
    except ValueError as error:
        raise ValidationError({"value": f"{name}: {error}"}) from error
    ManualValue.objects.update_or_create(
        name=name, defaults={"value": text, "modified_at": timezone.now(), "modified_by": by}
    )
    logger.info("%s was set to %r by %s", name, text, by)
    return configured(name)


def reset(name: str, *, by: Any) -> Configured:
    """Take the manual value of an option away. Raises LookupError."""
    option = _options[name]
    if ManualValue.objects.filter(name=option.name).delete()[0]:
        logger.info("%s was reset by %s", name, by)
    return configured(name)


def _look_up(option: Option) -> Configured:
    manual = _manual.get(option.name)
    if manual is None:
        return Configured(option)
    try:
        option.parse(manual.value)
    except ValueError:  # stored by a version that knew other values
        logger.warning("the manual value %r of %s is not used: it does not fit", manual.value, option.name)
        return Configured(option)
    found = Configured(option, manual)
    lapses_at = found.lapses_at
    return Configured(option) if lapses_at is not None and lapses_at <= timezone.now() else found


def _as_text(given: Any) -> str:
    """Return a value as it is written in an environment variable."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, list | tuple):
        return ",".join(str(part) for part in given)
    if not isinstance(given, str | int | float):
        raise ValidationError({"value": "Give text, a number, true, false or a list of texts."})
    return str(given).strip()
