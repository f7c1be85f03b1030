"""The written rule of time zones, found the slow way: every minute is looked at. Independent of the code it checks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, available_timezones

MINUTE = timedelta(minutes=1)
BEFORE, AFTER = timedelta(hours=4), timedelta(hours=5)
Fits = Callable[[datetime], bool]  # of what a clock shows


@dataclass(frozen=True)
class Change:
    """A clock that is set, and the hours around that."""

    moment: datetime
    minutes_before: int
    minutes_after: int

    @property
    def start(self) -> datetime:
        return self.moment - BEFORE

    @property
    def end(self) -> datetime:
        return self.moment + AFTER

    @cached_property
    def shown(self) -> list[tuple[datetime, datetime]]:
        """Return each minute with what the clock shows, from a day before on."""
        return [
            (moment, moment.replace(tzinfo=None) + timedelta(minutes=self._offset(moment)))
            for moment in minutes(self.start - timedelta(days=1), self.end)
        ]

    def _offset(self, moment: datetime) -> int:
        return self.minutes_before if moment < self.moment else self.minutes_after


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += MINUTE


def once_each(change: Change, fits: Fits) -> list[datetime]:
    """Return the moments around the change: each fitting time the first time it is shown, or at the end of its gap."""
    found, shown_before = set(), set()
    last = change.shown[0][1] - MINUTE
    for moment, shown in change.shown:
        if any(map(fits, minutes(last + MINUTE, shown))) or (fits(shown) and shown not in shown_before):
            found.add(moment)
        shown_before.add(shown)
        last = shown
    return sorted(moment for moment in found if moment > change.start)


def going_on(change: Change, fits: Fits) -> list[datetime]:
    """Return the moments around the change at which the clock shows a fitting time, however often it does."""
    return [moment for moment, shown in change.shown if fits(shown) and moment > change.start]


def changes(first_year: int, last_year: int) -> dict[Change, list[str]]:
    """Return all changes of clocks in these years, each with the zones that have it."""
    found: dict[Change, list[str]] = {}
    for name in sorted(available_timezones()):
        for change in _changes_of(ZoneInfo(name), first_year, last_year):
            found.setdefault(change, []).append(name)
    return found


def _changes_of(zone: ZoneInfo, first_year: int, last_year: int) -> Iterator[Change]:
    day, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    offset = _offset(day, zone)
    while day < end:
        following = day + timedelta(days=1)
        if (then := _offset(following, zone)) != offset:
            moment = next(each for each in minutes(day, following + MINUTE) if _offset(each, zone) == then)
            yield Change(moment, offset, then)
            offset = then
        day = following


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    found = moment.astimezone(zone).utcoffset()
    assert found is not None and found.total_seconds() % 60 == 0
    return int(found.total_seconds()) // 60
