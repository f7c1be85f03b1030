"""Times of the day, the week and the month, and calendar rules (RRULE), as a clock on the wall shows them.

Each class finds the next time that its clock shows; `wall_clock` makes moments of them.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import count
from typing import Any

from cronsim import CronSim, CronSimError
from dateutil.rrule import DAILY, HOURLY, WEEKLY, rrule, rrulestr
from django.core.exceptions import ValidationError

from schedules.recurrence.wall_clock import WallClock, shown_at

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ORDINALS = ("first", "second", "third", "fourth", "last")
LAST_YEAR = 9990
MAX_COUNT = 10_000  # of a calendar rule, which is counted anew each time
MAX_INTERVAL = 9_999  # of a calendar rule

_DAY = timedelta(days=1)


class Once(WallClock):
    """One time."""

    def __init__(self, zone: tzinfo, at: datetime) -> None:
        super().__init__(zone)
        self._at = at

    def next_shown(self, shown: datetime) -> datetime | None:
        return self._at if self._at > shown else None


class OnDays(WallClock):
    """A time of the day, on the days that `_days_from` yields."""

    def __init__(self, zone: tzinfo, at: time) -> None:
        super().__init__(zone)
        self._at = at

    def _days_from(self, day: date) -> Iterator[date]:
        """Yield the days from this one on, in order."""
        while day.year < LAST_YEAR:
            yield day
            day += _DAY

    def next_shown(self, shown: datetime) -> datetime | None:
        times = (datetime.combine(day, self._at) for day in self._days_from(shown.date()))
        return next((each for each in times if each > shown), None)


class Weekly(OnDays):
    """Some days of the week."""

    def __init__(self, zone: tzinfo, at: time, weekdays: frozenset[int]) -> None:
        super().__init__(zone, at)
        self._weekdays = weekdays

    def _days_from(self, day: date) -> Iterator[date]:
        return (each for each in super()._days_from(day) if each.weekday() in self._weekdays)


class Monthly(OnDays):
    """One day of the month: by its number, or (`weekday`) the first to fourth or last of its name.

    `day` 31 is the last day of shorter months, too; so it is the last day of every month.
    """

    def __init__(
        self, zone: tzinfo, at: time, *, day: int = 31, weekday: int | None = None, ordinal: str = "first"
    ) -> None:
        super().__init__(zone, at)
        self._day, self._weekday, self._ordinal = day, weekday, ordinal

    def _days_from(self, day: date) -> Iterator[date]:
        for month in count(day.year * 12 + day.month - 1):
            if month >= LAST_YEAR * 12:
                return
            yield self._day_of(month // 12, month % 12 + 1)

    def _day_of(self, year: int, month: int) -> date:
        first, length = monthrange(year, month)
        if self._weekday is None:
            return date(year, month, min(self._day, length))
        found = 1 + (self._weekday - first) % 7
        if self._ordinal == "last":
            return date(year, month, found + (length - found) // 7 * 7)
        return date(year, month, found + 7 * ORDINALS.index(self._ordinal))


class Cron(WallClock):
    """A cron expression of five fields, or of six with the seconds in front."""

    def __init__(self, zone: tzinfo, expression: str) -> None:
        super().__init__(zone)
        self._expression = expression
        try:
            CronSim(expression, datetime(2024, 1, 1))
        except CronSimError as error:
            raise ValidationError(
                f"{expression!r} is no cron expression: {str(error).lower()}. Give five fields: minute, hour, day of"
                " the month, month, day of the week; for example 30 8 * * MON-FRI."
            ) from error
        self.goes_on = expression.split()[-4] == "*"

    def next_shown(self, shown: datetime) -> datetime | None:
        return next(CronSim(self._expression, shown), None)


_STEPS = {WEEKLY: timedelta(weeks=1), DAILY: _DAY, HOURLY: timedelta(hours=1)}
_CYCLE = 400  # years after which the calendar repeats, days of the week included


class CalendarRule(WallClock):
    """A recurrence rule of RFC 5545 from `start` on, without the days and times in `excluded`."""

    def __init__(
        self, zone: tzinfo, rule: str, start: datetime, excluded: frozenset[date | datetime]
    ) -> None:
        super().__init__(zone)
        self._start, self._excluded = start.replace(microsecond=0), excluded
        self._rule = _read_rule(rule, self._start, zone)
        fields: dict[str, Any] = vars(self._rule)
        self._frequency, self._interval = fields["_freq"], fields["_interval"]
        self._count, self._until = fields["_count"], fields["_until"]
        self.goes_on = self._frequency == HOURLY and "BYHOUR" not in rule.upper()

    def next_shown(self, shown: datetime) -> datetime | None:
        start = self._start_near(shown)
        # The library follows a rule that never comes to the last year it knows, and does not stop at UNTIL. So it
        # is asked about a time shortly before that year, which has the same calendar.
        years = (LAST_YEAR - 100 - max(start, shown).year) // _CYCLE * _CYCLE
        until = self._until
        if until is not None:
            until = _later(until, years) if until.year + years < LAST_YEAR else None
        rule = self._rule.replace(dtstart=_later(start, years), until=until)
        found = rule.after(_later(shown, years))
        while found is not None:
            near = _later(found, -years)
            if near not in self._excluded and near.date() not in self._excluded:
                return near
            found = rule.after(found)
        return None

    def _start_near(self, shown: datetime) -> datetime:
        """Return a start of the rule shortly before `shown`, if it comes to the same times from there."""
        if self._count is not None or self._frequency not in _STEPS or shown <= self._start:
            return self._start
        step = _STEPS[self._frequency] * self._interval
        return self._start + (shown - self._start) // step * step


def _later(shown: datetime, years: int) -> datetime:
    return shown.replace(year=shown.year + years)


def _read_rule(text: str, start: datetime, zone: tzinfo) -> rrule:
    """Return the rule in this text. Raises ValidationError."""
    parts = text.strip().removeprefix("RRULE:").strip().upper().rstrip(";").split(";")
    named = dict(part.partition("=")[::2] for part in parts)
    if named.get("FREQ") in ("SECONDLY", "MINUTELY"):
        raise ValidationError(
            "A calendar rule recurs hourly at most. Take the interval or the cron scheduler for shorter times."
        )
    if named.get("UNTIL", "").endswith("Z"):
        named["UNTIL"] = _until_shown(named["UNTIL"], zone)
    if "BYEASTER" in named:
        raise ValidationError(
            "A calendar rule cannot go by Easter. Take single times, or a scheduler of your own."
        )
    try:
        if not 1 <= int(named.get("INTERVAL", 1)) <= MAX_INTERVAL:
            raise ValueError(f"INTERVAL is from 1 to {MAX_INTERVAL}")
        rule = rrulestr(";".join(f"{name}={value}" for name, value in named.items()), dtstart=start)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValidationError(
            f"{text!r} is no recurrence rule: {error}. Give one such as FREQ=WEEKLY;BYDAY=MO,WE."
        ) from error
    if not isinstance(rule, rrule):
        raise ValidationError(f"{text!r} holds more than one rule. Give one RRULE.")
    if (vars(rule)["_count"] or 0) > MAX_COUNT:
        raise ValidationError(
            f"COUNT may be {MAX_COUNT:,} at most; without it, set how often the schedule runs."
        )
    return rule


def _until_shown(until: str, zone: tzinfo) -> str:
    """Return an UNTIL given in UTC as the clock of the zone shows it."""
    try:
        moment = datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return until
    return shown_at(moment, zone).strftime("%Y%m%dT%H%M%S")
