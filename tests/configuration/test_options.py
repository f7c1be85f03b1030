"""What is in force: manual before environment before default; wrong values are refused; changes reach all processes."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils import timezone

from records import configuration
from records.configuration import Choice, Option, number, offer_options, several, whole_number
from records.models import ManualValue
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db

PERCENT = whole_number(0, 100)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test offers and sets is gone with it."""
    known = dict(configuration._options)
    yield
    configuration._options = known
    configuration._read_at = float("-inf")


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def offer() -> Callable[..., str]:
    def make(parse: Any = PERCENT, default: str = "5", **more: Any) -> str:
        offer_options(Option("TRIAL", "Trial", "For a test.", default, parse, **more))
        return "TRIAL"

    return make


def test_manual_wins_over_environment_and_that_over_the_default(
    cast: Cast, offer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = offer()
    assert configuration.value(name) == 5
    monkeypatch.setenv(name, "7")
    assert (configuration.value(name), configuration.configured(name).source) == (7, "environment")
    found = configuration.store(name, "9", by=cast.root)
    assert (found.value, found.source, found.manual and found.manual.modified_by) == (9, "manual", cast.root)
    assert configuration.value(name) == 9
    assert configuration.reset(name, by=cast.root).value == 7
    monkeypatch.setenv(name, "")
    assert configuration.value(name) == 5


@pytest.mark.parametrize(
    ("parse", "given", "found"),
    [
        (whole_number(1, 9), 3, 3),
        (number(0, 9), 0.5, 0.5),
        (Choice(("true", "false")), False, "false"),
        (Choice(("a", "b")), "b", "b"),
        (several(), ["a", "b"], ["a", "b"]),
        (several(), " a,b\nc ", ["a", "b", "c"]),
        (several(), "", []),
    ],
)
def test_values_of_every_sort(cast: Cast, offer: Any, parse: Any, given: Any, found: Any) -> None:
    name = offer(parse, default=parse.values[0] if isinstance(parse, Choice) else "1")
    configuration.store(name, given, by=cast.root)
    assert configuration.value(name) == found


@pytest.mark.parametrize(
    ("parse", "given", "words"),
    [
        (whole_number(1, 9), "10", "whole number from 1 to 9"),
        (whole_number(1, 9), "1.5", "whole number"),
        (number(0, 9), "nan", "number from 0 to 9"),
        (Choice(("1", "b")), "c", "one of 1, b"),
        (whole_number(1, 9), {"a": 1}, "Give text, a number"),
        (several(int), "1,x", "x"),
    ],
)
def test_wrong_values_are_refused(cast: Cast, offer: Any, parse: Any, given: Any, words: str) -> None:
    name = offer(parse, default="1")
    with pytest.raises(ValidationError, match=words):
        configuration.store(name, given, by=cast.root)
    assert not ManualValue.objects.exists()


def test_a_wrong_environment_is_named(offer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAL", "many")
    with pytest.raises(ImproperlyConfigured, match="TRIAL=many: Give a whole number"):
        offer()


def test_a_stored_value_that_does_not_fit_any_more_is_passed_over(offer: Any) -> None:
    ManualValue.objects.create(name=offer(), value="1000")
    configuration.refresh()
    assert configuration.value("TRIAL") == 5


def test_reading_costs_nothing_between_two_looks(offer: Any, django_assert_num_queries: Any) -> None:
    name = offer()
    configuration.refresh()
    with django_assert_num_queries(0):
        for _ in range(100):
            configuration.value(name)


def test_those_who_react_hear_of_each_change_once(cast: Cast, offer: Any) -> None:
    heard: list[int] = []
    name = offer(react=heard.append)
    configuration.refresh()
    configuration.refresh()
    configuration.store(name, 8, by=cast.root)
    configuration.reset(name, by=cast.root)
    assert heard == [5, 8, 5]


def test_the_log_level_changes_and_debug_lapses(cast: Cast) -> None:
    try:
        configuration.store("LOG_LEVEL", "DEBUG", by=cast.root)
        assert logging.getLogger().level == logging.DEBUG
        lapses_at = configuration.configured("LOG_LEVEL").lapses_at
        assert lapses_at and timedelta(minutes=59) < lapses_at - timezone.now() < timedelta(minutes=60)
        ManualValue.objects.update(modified_at=timezone.now() - timedelta(minutes=61))
        assert configuration.configured("LOG_LEVEL").source == "default"
        assert logging.getLogger().level == logging.INFO
        configuration.store("RESET_DEBUG_LOGLEVEL_MINUTES", 0, by=cast.root)
        assert configuration.configured("LOG_LEVEL").value == "DEBUG"
    finally:
        configuration.reset("LOG_LEVEL", by=cast.root)
    assert logging.getLogger("django").level == logging.INFO
