"""Daylight saving: every time zone, every change of its clocks from 2024 to 2030, against the written rule."""

import calendar
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.recurrence import next_moments, recurrence_of, zones
from tests.schedules import oracle

ALL = oracle.changes(2024, 2030)
ANCHOR = datetime(2024, 1, 1, tzinfo=UTC)


def at_0230(shown: datetime) -> bool:
    return (shown.hour, shown.minute) == (2, 30)


def every_quarter_of_two(shown: datetime) -> bool:
    return shown.hour == 2 and shown.minute % 15 == 0


def at_midnight(shown: datetime) -> bool:
    return (shown.hour, shown.minute) == (0, 0)


def every_hour(shown: datetime) -> bool:
    return shown.minute == 30


def every_quarter(shown: datetime) -> bool:
    return shown.minute % 15 == 0


def at_0115_on_weekends(shown: datetime) -> bool:
    return (shown.hour, shown.minute) == (1, 15) and shown.weekday() >= 5


def at_0200_at_the_end_of_the_month(shown: datetime) -> bool:
    last = calendar.monthrange(shown.year, shown.month)[1]
    return (shown.day, shown.hour, shown.minute) == (last, 2, 0)


def on_the_last_sunday(shown: datetime) -> bool:
    is_last = shown.day + 7 > calendar.monthrange(shown.year, shown.month)[1]
    return shown.weekday() == 6 and is_last and (shown.hour, shown.minute) == (2, 45)


RULE = {"rule": "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=30", "start": "2024-01-01T00:30"}
CASES = [
    ("daily", {"time": "02:30"}, at_0230, oracle.once_each),
    ("daily", {"time": "00:00"}, at_midnight, oracle.once_each),
    ("cron", {"expression": "30 2 * * *"}, at_0230, oracle.once_each),
    ("cron", {"expression": "*/15 2 * * *"}, every_quarter_of_two, oracle.once_each),
    ("cron", {"expression": "30 * * * *"}, every_hour, oracle.going_on),
    ("cron", {"expression": "*/15 * * * *"}, every_quarter, oracle.going_on),
    ("weekly", {"days": ["saturday", "sunday"], "time": "01:15"}, at_0115_on_weekends, oracle.once_each),
    ("monthly", {"on": "last day", "time": "02:00"}, at_0200_at_the_end_of_the_month, oracle.once_each),
    ("monthly", {"on": "last", "weekday": "sunday", "time": "02:45"}, on_the_last_sunday, oracle.once_each),
    ("calendar", RULE, lambda shown: shown.hour in (1, 2, 3) and shown.minute == 30, oracle.once_each),
    ("calendar", {"rule": "FREQ=HOURLY", "start": "2024-01-01T00:30"}, every_hour, oracle.going_on),
]


def test_the_changes_are_many() -> None:
    assert len(zones()) > 500
    assert len(ALL) > 100 and len({name for names in ALL.values() for name in names}) > 200


@pytest.mark.parametrize(
    ("built_in", "configuration", "fits", "rule"),
    CASES,
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_every_change_of_every_zone(built_in, configuration, fits, rule) -> None:
    for change, (zone, *_same) in ALL.items():
        recurrence = recurrence_of(built_in, configuration, zone, ANCHOR)
        found = next_moments(recurrence, change.start, 1000, change.end - oracle.MINUTE)
        assert found == rule(change, fits), (zone, change)


def test_an_interval_goes_by_elapsed_time() -> None:
    recurrence = recurrence_of("interval", {"seconds": 900}, "Europe/Vienna", ANCHOR)
    for change in ALL:
        found = next_moments(recurrence, change.start, 20)
        steps = {after - before for before, after in pairwise(found)}
        assert steps == {timedelta(minutes=15)}


def moments_of(built_in: str, configuration: dict, zone: str, after: datetime, count: int = 4) -> list[str]:
    found = next_moments(recurrence_of(built_in, configuration, zone, ANCHOR), after, count)
    return [f"{moment.astimezone(ZoneInfo(zone)):%d %H:%M%z}" for moment in found]


def test_a_skipped_time_is_taken_at_the_end_of_the_gap() -> None:
    after = datetime(2026, 3, 28, 3, tzinfo=UTC)  # on the 29th clocks go from 02:00 to 03:00
    assert moments_of("daily", {"time": "02:30"}, "Europe/Vienna", after, 2) == [
        "29 03:00+0200",
        "30 02:30+0200",
    ]
    assert moments_of("cron", {"expression": "*/20 2,3 * * *"}, "Europe/Vienna", after)[:2] == [
        "29 03:00+0200",
        "29 03:20+0200",
    ]


def test_a_repeated_time_is_taken_once() -> None:
    after = datetime(2026, 10, 24, 3, tzinfo=UTC)  # on the 25th clocks go from 03:00 to 02:00
    assert moments_of("daily", {"time": "02:30"}, "Europe/Vienna", after, 2) == [
        "25 02:30+0200",
        "26 02:30+0100",
    ]


def test_what_goes_through_every_hour_goes_on() -> None:
    after = datetime(2026, 10, 24, 23, 45, tzinfo=UTC)
    assert moments_of("cron", {"expression": "30 * * * *"}, "Europe/Vienna", after) == [
        "25 02:30+0200",
        "25 02:30+0100",
        "25 03:30+0100",
        "25 04:30+0100",
    ]


def test_a_skipped_day_is_taken_at_its_end() -> None:
    after = datetime(2011, 12, 29, 18, tzinfo=UTC)  # Samoa had no 30 December
    assert moments_of("daily", {"time": "08:30"}, "Pacific/Apia", after, 3) == [
        "29 08:30-1000",
        "31 00:00+1400",
        "31 08:30+1400",
    ]


any_moment = st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))
any_zone = st.sampled_from(sorted(zones()))
any_time = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
any_cron = st.builds(
    "{} {} {} {} {}".format,
    st.sampled_from(["0", "30", "*/7", "*", "5,50"]),
    st.sampled_from(["*", "2", "*/2", "1-3", "23"]),
    st.sampled_from(["*", "1", "29-31", "L"]),
    st.sampled_from(["*", "3", "3,10,11"]),
    st.sampled_from(["*", "SUN", "MON-FRI", "0#2"]),
)
any_configuration = st.one_of(
    st.tuples(st.just("daily"), st.fixed_dictionaries({"time": any_time})),
    st.tuples(st.just("cron"), st.fixed_dictionaries({"expression": any_cron})),
    st.tuples(st.just("interval"), st.fixed_dictionaries({"seconds": st.integers(1, 10_000_000)})),
    st.tuples(st.just("monthly"), st.fixed_dictionaries({"day": st.integers(1, 31), "time": any_time})),
)


@settings(deadline=None, max_examples=150)
@given(any_configuration, any_zone, any_moment, st.data())
def test_times_ascend_and_do_not_depend_on_where_one_looks_from(configured, zone, moment, data) -> None:
    recurrence = recurrence_of(*configured, zone, ANCHOR)
    found = next_moments(recurrence, moment, 6)
    assert found == sorted(set(found)) and all(each > moment for each in found)
    if len(found) > 1:
        between = data.draw(st.datetimes(found[0].replace(tzinfo=None), found[1].replace(tzinfo=None)))
        between = between.replace(tzinfo=UTC)
        if found[0] <= between < found[1]:
            assert recurrence.next_after(between) == found[1]
