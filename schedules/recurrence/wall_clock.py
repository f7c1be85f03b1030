"""From what a clock on the wall shows to moments: time zones, and what happens when clocks are set.

The rule: a time that a clock skips, because it is set forward, is taken at the end of the gap. A time that it shows
twice, because it is set back, is taken the first time. Times that go on through every hour (cron with `*` for the
hour, hourly calendar rules) just go on: nothing is moved out of a gap, and both of the repeated hours have theirs.
"""

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.core.exceptions import ValidationError


class Recurrence(Protocol):
    """Moments in time, in order and without end or with one."""

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first one behind `moment`, in UTC; None when there is none."""


def next_moments(
    recurrence: Recurrence, after: datetime, count: int, until: datetime | None = None
) -> list[datetime]:
    """Return up to `count` moments behind `after`, none of them behind `until`."""
    found: list[datetime] = []
    moment = recurrence.next_after(after)
    while moment is not None and len(found) < count and (until is None or moment <= until):
        found.append(moment)
        moment = recurrence.next_after(moment)
    return found


@cache
def zones() -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset(available_timezones())


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of this name. Raises ValidationError."""
    try:
        if name in zones():
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ValidationError(
        {"time_zone": f"There is no time zone {name!r}. Give one such as Europe/Vienna, or UTC."}
    )


def shown_at(moment: datetime, zone: tzinfo) -> datetime:
    """Return what a clock on the wall shows at this moment."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def first_moment(shown: datetime, zone: tzinfo) -> datetime:
    """Return the moment when a clock shows this for the first time, or the end of the gap in which it never does."""
    local = shown.replace(tzinfo=zone, fold=0)
    moment = local.astimezone(UTC)
    if shown_at(moment, zone) == shown:
        return moment
    return _change_between(local.replace(fold=1).astimezone(UTC), moment, zone)


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the moment at which the clock was set away from what it was `before`, which it is not `after`."""
    offset = before.astimezone(zone).utcoffset()
    early, late = int(before.timestamp()), int(after.timestamp())  # clocks are set at whole seconds
    while late - early > 1:
        middle = (early + late) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return datetime.fromtimestamp(late, UTC)


class WallClock(ABC):
    """Moments at which a clock on the wall shows certain times. `goes_on`: through every hour, see above."""

    goes_on = False

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone

    @abstractmethod
    def next_shown(self, shown: datetime) -> datetime | None:
        """Return the first time behind `shown`, both as the clock shows them; None when there is none."""

    def next_after(self, moment: datetime) -> datetime | None:
        return self._next_through(moment) if self.goes_on else self._next_once(moment)

    def _next_once(self, moment: datetime) -> datetime | None:
        shown = self.next_shown(shown_at(moment, self.zone))
        while shown is not None:
            # In the second of two repeated hours the clock shows again what was taken in the first.
            if (first := first_moment(shown, self.zone)) > moment:
                return first
            shown = self.next_shown(shown)
        return None

    def _next_through(self, moment: datetime) -> datetime | None:
        start, shown = moment, shown_at(moment, self.zone)
        while (following := self.next_shown(shown)) is not None:
            offset = start.astimezone(self.zone).utcoffset() or timedelta()
            found = (following - offset).replace(tzinfo=UTC)
            if found.astimezone(self.zone).utcoffset() == offset:
                return found
            # The clock is set before that: look again from there, with that very moment.
            start = _change_between(start, found, self.zone)
            shown = shown_at(start, self.zone) - timedelta(microseconds=1)
        return None
