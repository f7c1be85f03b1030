"""The dashboard and the search: right numbers, only what the person may see, a bounded number of queries."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from engine_site import chart
from engine_site.figures import Day, executions_by_day, success_ratio
from executions.lifecycle import Status
from executions.models import Execution
from flows.operations import create_flow
from records.identifiers import first_id_at

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget_figures():
    cache.clear()
    yield
    cache.clear()


def put(flow, cast, status, days_ago=0, number=0):
    """Write an execution that was created some days ago; the engine's own operations know no past."""
    at = timezone.now() - timedelta(days=days_ago)
    ended = at if status in (Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED) else None
    return Execution.objects.create(
        id=UUID(int=first_id_at(at).int + number),
        name=flow.name,
        type="FLOW",
        project=flow.project,
        flow=flow,
        script_id=flow.pinned_id,
        status=status,
        created_by=cast.root,
        created_at=at,
        ended_at=ended,
    )


def test_a_new_workspace_is_shown_the_first_steps(cast, browser_of, flow):
    text = browser_of(cast.alice).get("/").text
    assert "First steps" in text and "curl -X POST http://testserver/api/latest/execution" in text
    assert flow.name in text


def test_the_first_steps_go_when_something_ran(cast, browser_of, flow, start):
    execution = start(flow)
    text = browser_of(cast.alice).get("/").text
    assert "First steps" not in text and str(execution.pk) in text


def test_days_count_outcomes_of_the_last_week(cast, flow):
    for number, (status, days_ago) in enumerate(
        [
            (Status.ENDED_SUCCESS, 0),
            (Status.ENDED_SUCCESS, 0),
            (Status.ENDED_ERROR, 0),
            (Status.SLEEPING, 0),
            (Status.ENDED_CANCELLED, 3),
            (Status.ENDED_SUCCESS, 6),
            (Status.ENDED_SUCCESS, 8),
        ]
    ):
        put(flow, cast, status, days_ago, number)
    days = executions_by_day(cast.root)
    assert len(days) == 7
    assert (days[6].success, days[6].error, days[6].alive, days[6].total) == (2, 1, 1, 4)
    assert (days[3].cancelled, days[0].success) == (1, 1)
    assert sum(day.total for day in days) == 6


def test_numbers_are_of_what_the_person_may_see(cast, flow):
    put(flow, cast, Status.ENDED_SUCCESS)
    assert sum(day.total for day in executions_by_day(cast.carol)) == 1
    assert sum(day.total for day in executions_by_day(cast.mallory)) == 0
    assert sum(day.total for day in executions_by_day(cast.root, project_id=cast.attic.pk)) == 0


def test_the_ratio_never_hides_an_error():
    today = timezone.now().date()
    assert success_ratio([Day(today, 0, 0, 5, 5)]) == "–"
    assert success_ratio([Day(today, 3, 0, 1, 0)]) == "100 %"
    assert success_ratio([Day(today, 100_000, 1, 0, 0)]) == "99.9 %"


def test_columns_scale_to_the_tallest_day_and_keep_failures_visible():
    today = timezone.now().date()
    few, many = chart.columns([Day(today, 0, 0, 0, 0), Day(today, 9_999, 1, 0, 0)])
    assert few.segments == []
    assert [segment.group for segment in many.segments] == ["ok", "err"]
    assert min(segment.height for segment in many.segments) >= 2
    assert "1 error" in many.words


def test_columns_lead_to_the_monitor_of_their_day(cast, browser_of, flow):
    put(flow, cast, Status.ENDED_SUCCESS)
    today = f"{timezone.now():%Y-%m-%d}"
    assert (
        f"{reverse('execution-monitor')}?from={today}&amp;to={today}" in browser_of(cast.root).get("/").text
    )


def test_the_dashboard_costs_the_same_for_many_executions(
    cast, browser_of, flow, start, django_assert_max_num_queries
):
    client = browser_of(cast.alice)
    for _ in range(15):
        start(flow)
    with django_assert_max_num_queries(17):
        client.get("/")
    with django_assert_max_num_queries(10):  # the days are remembered
        client.get("/")


def test_search_finds_flows_projects_and_executions(cast, browser_of, flow, start):
    execution = start(flow)
    client = browser_of(cast.root)

    def found(text):
        groups = client.get(reverse("search"), {"q": text}).context["groups"]
        return {group["word"]: [hit.pk for hit in group["hits"]] for group in groups}

    assert found("ail") == {"Flows": [flow.pk]}
    assert found("daily") == {"Flows": [flow.pk], "Executions": [execution.pk]}
    assert found("workSHOP") == {"Projects": [cast.workshop.pk]}
    assert found(str(execution.pk)) == {"Executions": [execution.pk]}
    assert found("%") == found("") == {}


def test_search_keeps_to_what_the_person_may_see(cast, browser_of, flow, start):
    start(flow)
    create_flow(by=cast.root, project=cast.attic, name="daily in the attic")
    hits = browser_of(cast.carol).get(reverse("search"), {"q": "daily"}).text
    assert flow.name in hits and "attic" not in hits
    assert "Nothing named" in browser_of(cast.mallory).get(reverse("search"), {"q": "daily"}).text


def test_typing_a_search_gets_hits_without_the_shell(cast, browser_of, flow):
    response = browser_of(cast.root).get(reverse("search"), {"q": "daily"}, headers={"HX-Request": "true"})
    assert flow.name in response.text and 'role="option"' in response.text and "<html" not in response.text


def test_a_page_that_is_not_there_says_so_in_our_look(cast, browser_of):
    response = browser_of(cast.root).get("/nothing/here/")
    assert response.status_code == 404 and "This page is not here" in response.text
