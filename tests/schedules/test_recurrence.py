"""The built-in schedulers: which times their configurations mean, and what is said of wrong ones."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.recurrence import BUILT_IN, next_moments, recurrence_of
from schedules.recurrence.built_in import check_configuration

NOW = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)  # a Friday


def times(built_in: str, configuration: dict, count: int = 4, *, after: datetime = NOW) -> list[str]:
    recurrence = recurrence_of(built_in, configuration, "UTC", NOW)
    return [f"{moment:%y-%m-%d %H:%M}" for moment in next_moments(recurrence, after, count)]


@pytest.mark.parametrize(
    ("built_in", "configuration", "expected"),
    [
        (
            "interval",
            {"seconds": 90},
            ["26-01-30 12:01", "26-01-30 12:03", "26-01-30 12:04", "26-01-30 12:06"],
        ),
        (
            "interval",
            {"seconds": 86400, "start": "2026-03-01T06:00+01:00"},
            ["26-03-01 05:00", "26-03-02 05:00", "26-03-03 05:00", "26-03-04 05:00"],
        ),
        (
            "interval",
            {"seconds": 3600, "start": "2020-01-01T00:30"},
            ["26-01-30 12:30", "26-01-30 13:30", "26-01-30 14:30", "26-01-30 15:30"],
        ),
        (
            "cron",
            {"expression": "0 9 * * MON"},
            ["26-02-02 09:00", "26-02-09 09:00", "26-02-16 09:00", "26-02-23 09:00"],
        ),
        (
            "daily",
            {"time": "12:00"},
            ["26-01-31 12:00", "26-02-01 12:00", "26-02-02 12:00", "26-02-03 12:00"],
        ),
        (
            "weekly",
            {"days": ["friday", "sunday"], "time": "13:00"},
            ["26-01-30 13:00", "26-02-01 13:00", "26-02-06 13:00", "26-02-08 13:00"],
        ),
        (
            "monthly",
            {"day": 31, "time": "07:00"},
            ["26-01-31 07:00", "26-02-28 07:00", "26-03-31 07:00", "26-04-30 07:00"],
        ),
        (
            "monthly",
            {"day": 30, "time": "07:00"},
            ["26-02-28 07:00", "26-03-30 07:00", "26-04-30 07:00", "26-05-30 07:00"],
        ),
        (
            "monthly",
            {"on": "last day", "time": "07:00"},
            ["26-01-31 07:00", "26-02-28 07:00", "26-03-31 07:00", "26-04-30 07:00"],
        ),
        (
            "monthly",
            {"on": "second", "weekday": "tuesday", "time": "07:00"},
            ["26-02-10 07:00", "26-03-10 07:00", "26-04-14 07:00", "26-05-12 07:00"],
        ),
        (
            "monthly",
            {"on": "last", "weekday": "friday", "time": "13:00"},
            ["26-01-30 13:00", "26-02-27 13:00", "26-03-27 13:00", "26-04-24 13:00"],
        ),
        (
            "calendar",
            {"rule": "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "start": "2026-01-01T17:00"},
            ["26-01-30 17:00", "26-02-27 17:00", "26-03-31 17:00", "26-04-30 17:00"],
        ),
        (
            "calendar",
            {
                "rule": "FREQ=DAILY",
                "start": "2026-01-01T08:30",
                "exclude": ["2026-01-31", "2026-02-02T08:30"],
            },
            ["26-02-01 08:30", "26-02-03 08:30", "26-02-04 08:30", "26-02-05 08:30"],
        ),
        (
            "calendar",
            {"rule": "FREQ=DAILY;COUNT=31", "start": "2026-01-01T13:00"},
            ["26-01-30 13:00", "26-01-31 13:00"],
        ),
        (
            "calendar",
            {"rule": "FREQ=DAILY;UNTIL=20260131T130000Z", "start": "2026-01-01T13:00"},
            ["26-01-30 13:00", "26-01-31 13:00"],
        ),
        ("once", {"at": "2026-02-01T00:00"}, ["26-02-01 00:00"]),
        ("once", {"at": "2026-01-30T12:00"}, []),
    ],
)
def test_a_configuration_means_these_times(built_in, configuration, expected) -> None:
    assert times(built_in, configuration) == expected


@pytest.mark.parametrize("built_in", BUILT_IN)
def test_the_examples_are_good(built_in) -> None:
    kind = BUILT_IN[built_in]
    assert times(built_in, kind.example, 1)
    for name, shape in kind.input_schema["properties"].items():
        for example in shape.get("examples", []):
            check_configuration({**kind.example, name: example}, kind.input_schema)


@pytest.mark.parametrize(
    ("built_in", "configuration", "words"),
    [
        ("interval", {"seconds": 0}, "configuration.seconds: must be 1 or more, not 0"),
        ("interval", {}, "configuration.seconds: is required"),
        ("interval", [], "Give an object"),
        ("interval", {"seconds": 5, "minutes": 1}, "configuration.minutes: is not known here"),
        ("interval", {"seconds": 5, "start": "soon"}, "configuration.start: 'soon' is no time"),
        ("cron", {"expression": "99 * * * *"}, "bad minute"),
        ("daily", {"time": "24:00"}, "configuration.time: '24:00' is no time of day"),
        ("weekly", {"days": ["someday"], "time": "08:30"}, "configuration.days[0]: must be one of"),
        ("weekly", {"days": [], "time": "08:30"}, "days"),
        ("monthly", {"time": "08:30"}, "day: Give the day of the month"),
        ("monthly", {"on": "first", "time": "08:30"}, "weekday: Say which day"),
        ("calendar", {"rule": "FREQ=NEVER", "start": "2026-01-01T13:00"}, "no recurrence rule"),
        ("calendar", {"rule": "FREQ=MINUTELY", "start": "2026-01-01T13:00"}, "hourly at most"),
        (
            "calendar",
            {"rule": "FREQ=DAILY;COUNT=1000000", "start": "2026-01-01T13:00"},
            "COUNT may be 10,000",
        ),
        ("calendar", {"rule": "FREQ=DAILY;INTERVAL=0", "start": "2026-01-01T13:00"}, "INTERVAL"),
        ("calendar", {"rule": "FREQ=DAILY", "start": "2026-01-01T13:00", "exclude": ["x"]}, "exclude: 'x'"),
    ],
)
def test_what_is_wrong_is_named(built_in, configuration, words) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)) as caught:
        recurrence_of(built_in, configuration, "UTC", NOW)
    assert list(caught.value.message_dict) == ["configuration"]


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe/vienna "])
def test_an_unknown_time_zone_is_named(name) -> None:
    with pytest.raises(ValidationError) as caught:
        recurrence_of("daily", {"time": "08:30"}, name, NOW)
    assert list(caught.value.message_dict) == ["time_zone"]


def test_looking_for_what_never_comes_ends() -> None:
    for rule in ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"):
        assert times("calendar", {"rule": rule, "start": "1999-01-01T08:30"}) == []


def test_a_rule_from_long_ago_keeps_its_step() -> None:
    rule = {"rule": "FREQ=DAILY;INTERVAL=7;BYHOUR=8,9", "start": "1970-01-02T08:30"}
    assert times("calendar", rule, 3) == ["26-02-06 08:30", "26-02-06 09:30", "26-02-13 08:30"]


part = st.one_of(
    st.builds("INTERVAL={}".format, st.integers(1, 40)),
    st.builds("BYMONTH={}".format, st.integers(1, 12)),
    st.builds("BYMONTHDAY={}".format, st.integers(-31, 31).filter(bool)),
    st.builds("BYDAY={}".format, st.sampled_from(["MO", "TU,SA", "SU"])),
    st.builds("BYHOUR={}".format, st.integers(0, 23)),
    st.builds("WKST={}".format, st.sampled_from(["MO", "SU"])),
)


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.lists(part, max_size=2, unique_by=lambda text: text.split("=")[0]),
    st.datetimes(datetime(2019, 1, 1), datetime(2024, 1, 1)),
)
def test_a_rule_means_the_same_looked_at_from_afar(frequency, parts, start) -> None:
    """The times found from now on are those that the library finds from the rule's own start."""
    from dateutil.rrule import rrulestr

    text = ";".join([f"FREQ={frequency}", *parts])
    start = start.replace(microsecond=0)
    try:
        plain = rrulestr(text + ";UNTIL=20260501T000000", dtstart=start)
        expected = [each.replace(tzinfo=UTC) for each in plain if each.replace(tzinfo=UTC) > NOW]
    except ValueError:
        return
    recurrence = recurrence_of("calendar", {"rule": text, "start": start.isoformat()}, "UTC", NOW)
    until = datetime(2026, 5, 1, tzinfo=UTC)
    assert next_moments(recurrence, NOW, 10_000, until) == expected


def test_the_end_bounds_what_is_listed() -> None:
    recurrence = recurrence_of("daily", {"time": "12:00"}, "UTC", NOW)
    assert len(next_moments(recurrence, NOW, 10, NOW + timedelta(days=3))) == 3
