"""The figures of charts: counted once per hour, and right when executions end late or are removed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from engine_site.figures import Day, executions_by_day
from executions import jobs
from executions.housekeeping import all_jobs, run_job
from executions.lifecycle import Status
from executions.models import Execution, HourCount
from executions.retention import remove_executions
from tests.cast import Cast
from tests.retention.conftest import Put

pytestmark = pytest.mark.django_db
FIGURES = next(job for job in all_jobs() if job.work is jobs.count_hours)


@pytest.fixture(autouse=True)
def _forget_figures() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def week(cast: Cast) -> list[Day]:
    cache.clear()
    return executions_by_day(cast.root)


def some(put: Put) -> list[Execution]:
    return [
        put(0),
        put(0, Status.RUNNING),
        put(1),
        put(1, Status.ENDED_ERROR),
        put(3, Status.ENDED_CANCELLED),
        put(3, Status.SLEEPING),
        put(5.5),
    ]


def test_counted_hours_say_the_same_as_the_rows(put: Put, cast: Cast) -> None:
    some(put)
    from_rows = week(cast)
    assert sum(day.total for day in from_rows) == 7
    assert run_job(FIGURES).count > 100
    assert week(cast) == from_rows
    assert run_job(FIGURES).count <= 1, "only the last hour is counted again, while it is new"


def test_days_come_from_the_counted_hours(put: Put, cast: Cast) -> None:
    some(put)
    run_job(FIGURES)
    HourCount.objects.update(counted=7)
    assert max(day.total for day in week(cast)) >= 7


def test_an_hour_is_counted_again_when_one_of_it_ends(put: Put, cast: Cast) -> None:
    sleeper = some(put)[5]
    run_job(FIGURES)
    Execution.objects.filter(pk=sleeper.pk).update(
        status=Status.ENDED_SUCCESS, ended_at=timezone.now(), host=None
    )
    assert run_job(FIGURES).count in (1, 2)
    (day,) = [day for day in week(cast) if day.cancelled]
    assert (day.success, day.alive) == (1, 0)
    assert run_job(FIGURES).count <= 1


@pytest.mark.parametrize("counted", [True, False])
def test_what_is_removed_stays_in_the_figures(put: Put, cast: Cast, counted: bool) -> None:
    made = some(put)
    before = week(cast)
    if counted:
        run_job(FIGURES)
    ended = [each.pk for each in made if each.ended_at]
    assert sum(remove_executions(ended)) == 5
    assert week(cast) == before
    run_job(FIGURES)
    assert week(cast) == before


def test_others_see_the_figures_of_their_projects(put: Put, cast: Cast) -> None:
    put(2)
    run_job(FIGURES)
    assert sum(day.total for day in executions_by_day(cast.carol)) == 1
    assert sum(day.total for day in executions_by_day(cast.mallory)) == 0
    assert sum(day.total for day in executions_by_day(cast.root, cast.attic.pk)) == 0


def test_old_counts_go(put: Put) -> None:
    put(6)
    run_job(FIGURES)
    HourCount.objects.update(hour=timezone.now() - timedelta(days=10))
    run_job(FIGURES)
    assert not HourCount.objects.exists()


def test_a_chart_costs_few_statements(put: Put, cast: Cast) -> None:
    some(put)
    run_job(FIGURES)
    cache.clear()
    with CaptureQueriesContext(connection) as queries:
        executions_by_day(cast.root)
    assert len(queries) <= 3
