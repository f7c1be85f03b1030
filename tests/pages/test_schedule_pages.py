"""The pages of schedules and schedulers, as the server draws them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from executions.models import Execution
from flows.models import Flow
from flows.operations import create_flow
from projects.bundles import import_bundle
from schedules.helper import BUNDLE, HELPER
from schedules.models import Firing, Schedule, Scheduler
from schedules.operations import create_schedule, run_now
from schedules.scheduler_operations import create_scheduler
from tests.cast import Cast

pytestmark = pytest.mark.django_db
Browsers = Callable[[Any], Client]
POLICY = {
    "policy.overlap": "0",
    "policy.catch_up": "0",
    "policy.catch_up_seconds": "3600",
    "policy.jitter_seconds": "0",
}
AS_FORM, AS_TEXT = {"configuration.?as": "form"}, {"inputs.?as": "raw", "inputs.?raw": "{}"}


@pytest.fixture
def daily(cast: Cast) -> Scheduler:
    return create_scheduler(by=cast.root, name="Daily", built_in="daily", project=cast.workshop)


@pytest.fixture
def schedule(cast: Cast, flow: Flow, daily: Scheduler) -> Schedule:
    return create_schedule(
        by=cast.alice,
        name="every morning",
        flow=flow,
        scheduler=daily,
        configuration={"time": "08:30"},
        time_zone="Europe/Vienna",
        is_enabled=True,
    )


def posted(flow: Flow, which: Scheduler, **fields: str) -> dict[str, str]:
    given = {"name": "nightly", "flow": str(flow.pk), "scheduler": str(which.pk), "time_zone": "Asia/Tokyo"}
    return {
        **given,
        "configuration.time": "03:00",
        "is_enabled": "on",
        **POLICY,
        **AS_FORM,
        **AS_TEXT,
        **fields,
    }


@pytest.mark.parametrize(
    "name", ["schedule-detail", "schedule-firings", "schedule-settings", "schedule-state"]
)
def test_who_sees_a_schedule(cast: Cast, browser_of: Browsers, schedule: Schedule, name: str) -> None:
    address = reverse(name, args=[schedule.pk])
    for person, status in ((cast.root, 200), (cast.alice, 200), (cast.carol, 200), (cast.mallory, 404)):
        assert browser_of(person).get(address).status_code == status, person


def test_the_list_tells_when_and_what_came_of_it(
    cast: Cast, browser_of: Browsers, schedule: Schedule
) -> None:
    now = timezone.now()
    Firing.objects.create(schedule=schedule, nominal_at=now, outcome="skipped", at=now)
    text = browser_of(cast.carol).get(reverse("schedule-list")).content.decode()
    assert "every morning" in text and "Daily · 08:30 · Europe/Vienna" in text and "Skipped" in text
    assert 'role="switch"' not in text, "a viewer has no switch"
    assert 'role="switch"' in browser_of(cast.alice).get(reverse("schedule-list")).content.decode()
    assert "every morning" not in browser_of(cast.mallory).get(reverse("schedule-list")).content.decode()


@pytest.mark.parametrize(
    ("query", "is_there"),
    [("", True), ("?q=morn", True), ("?q=even", False), ("?show=disabled", False), ("?trash", False)],
)
def test_the_list_filters(
    cast: Cast, browser_of: Browsers, schedule: Schedule, query: str, is_there: bool
) -> None:
    text = browser_of(cast.root).get(reverse("schedule-list") + query).content.decode()
    assert ("every morning" in text) == is_there


def test_the_list_costs_the_same_for_many(
    cast: Cast,
    browser_of: Browsers,
    schedule: Schedule,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(20):
        fields = {"flow": schedule.flow, "scheduler": schedule.scheduler, "configuration": {"time": "08:30"}}
        create_schedule(by=cast.root, name=f"more {number}", **fields)
    client = browser_of(cast.alice)
    with django_assert_max_num_queries(16):
        client.get(reverse("schedule-list"))


def test_the_page_shows_times_in_the_zone_of_the_schedule(
    cast: Cast, browser_of: Browsers, schedule: Schedule
) -> None:
    text = browser_of(cast.alice).get(reverse("schedule-detail", args=[schedule.pk])).content.decode()
    assert text.count(", 08:30</time>") == 10 and "Europe/Vienna" in text


def test_making_one(cast: Cast, browser_of: Browsers, flow: Flow, daily: Scheduler) -> None:
    client = browser_of(cast.alice)
    page = client.get(reverse("schedule-create"), {"flow": flow.pk}).content.decode()
    assert "The next ten runs" in page and 'name="configuration.time"' in page
    response = client.post(
        reverse("schedule-create"), posted(flow, daily, **{"policy.pause_on_failure": "true"})
    )
    made = Schedule.objects.get(name="nightly")
    assert response["Location"] == reverse("schedule-detail", args=[made.pk])
    assert (made.configuration, made.time_zone, made.is_enabled) == ({"time": "03:00"}, "Asia/Tokyo", True)
    assert (made.catch_up_seconds, made.pause_on_failure, made.input_value) == (3600, True, None)
    assert Execution.objects.filter(schedule_id=made.pk, type="SCHEDULE", ended_at=None).count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"configuration.time": "25:00"}, "no time of day"),
        ({"configuration.time": ""}, "Time of day"),
        ({"time_zone": "Mars"}, "no time zone"),
        ({"scheduler": ""}, "Choose a scheduler"),
        ({"inputs.?raw": "[1"}, "JSON"),
        ({"policy.max_iterations": "0"}, "Must be 1 or more"),
        ({"name": " "}, "name"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    cast: Cast,
    browser_of: Browsers,
    flow: Flow,
    daily: Scheduler,
    fields: dict,
    words: str,
) -> None:
    response = browser_of(cast.alice).post(reverse("schedule-create"), posted(flow, daily, **fields))
    text = response.content.decode()
    assert response.status_code == 422 and words in text
    assert "Asia/Tokyo" in text or "Mars" in text
    assert not Schedule.objects.exists()


def test_the_preview(cast: Cast, browser_of: Browsers, flow: Flow, daily: Scheduler) -> None:
    client, address = browser_of(cast.carol), reverse("schedule-preview")
    text = client.post(address, posted(flow, daily)).content.decode()
    assert text.count(", 03:00</time>") == 10
    text = client.post(address, posted(flow, daily, **{"configuration.time": "3"})).content.decode()
    assert "no time of day" in text and "<time" not in text
    script = create_scheduler(by=cast.root, name="own", project=cast.workshop)
    assert "decides when" in client.post(address, posted(flow, script)).content.decode()
    assert not Schedule.objects.exists()


def test_another_scheduler_brings_its_own_fields(cast: Cast, browser_of: Browsers) -> None:
    cron = create_scheduler(by=cast.root, name="Cron", built_in="cron", project=cast.workshop)
    response = browser_of(cast.alice).get(reverse("schedule-configuration"), {"scheduler": cron.pk})
    assert 'name="configuration.expression"' in response.content.decode()


def test_changing_one(cast: Cast, browser_of: Browsers, schedule: Schedule) -> None:
    other = create_flow(by=cast.root, project=cast.workshop, name="other")
    client, address = browser_of(cast.alice), reverse("schedule-settings", args=[schedule.pk])
    assert 'value="08:30"' in client.get(address).content.decode()
    fields = posted(schedule.flow, schedule.scheduler, flow_name="other", name="later")
    assert client.post(address, fields).status_code == 302
    schedule.refresh_from_db()
    assert (schedule.name, schedule.flow, schedule.configuration) == ("later", other, {"time": "03:00"})
    response = client.post(address, {**fields, "flow_name": "nowhere"})
    assert response.status_code == 422 and "There is no flow" in response.content.decode()
    assert browser_of(cast.carol).post(address, fields).status_code == 403


def test_moments_without_a_zone_keep_their_meaning_in_the_form(
    cast: Cast, browser_of: Browsers, flow: Flow
) -> None:
    once = create_scheduler(by=cast.root, name="Once", built_in="once", project=cast.workshop)
    schedule = create_schedule(
        by=cast.root, name="party", flow=flow, scheduler=once, configuration={"at": "2099-07-01T20:00"},
        time_zone="Europe/Vienna",
    )  # fmt: skip
    text = browser_of(cast.root).get(reverse("schedule-settings", args=[schedule.pk])).content.decode()
    assert 'data-value="2099-07-01T18:00:00+00:00"' in text


def test_the_switch(cast: Cast, browser_of: Browsers, schedule: Schedule) -> None:
    client, address = browser_of(cast.alice), reverse("schedule-switch", args=[schedule.pk])
    assert client.post(address, {"is_enabled": "false", "in_list": "1"})["Location"] == reverse(
        "schedule-list"
    )
    schedule.refresh_from_db()
    assert not schedule.is_enabled
    client.post(address, {"is_enabled": "true"})
    schedule.refresh_from_db()
    assert schedule.is_enabled
    assert browser_of(cast.bob).post(address, {"is_enabled": "false"}).status_code == 403


def test_run_now_opens_the_execution(cast: Cast, browser_of: Browsers, schedule: Schedule) -> None:
    address = reverse("schedule-run", args=[schedule.pk])
    response = browser_of(cast.alice).post(address)
    execution = Execution.objects.get(schedule_id=schedule.pk, type="FLOW")
    assert response["Location"] == reverse("execution-detail", args=[execution.pk])
    assert browser_of(cast.carol).post(address).status_code == 403


def test_backfill_tells_before_it_does(cast: Cast, browser_of: Browsers, schedule: Schedule) -> None:
    client, address = browser_of(cast.alice), reverse("schedule-backfill", args=[schedule.pk])
    now = timezone.now()
    start, end = (now - timedelta(days=3)).isoformat()[:16], now.isoformat()[:16]
    fields = {"range.start": start, "range.start?zone": "UTC", "range.end": end, "range.end?zone": "UTC"}
    asked = client.post(address, fields, headers={"HX-Request": "true"}).content.decode()
    assert "<strong>3</strong> of 3 times" in asked and not Firing.objects.exists()
    assert client.post(address, fields).status_code == 302
    assert set(Firing.objects.values_list("outcome", "cause")) == {("queued", "backfill")}
    wrong = client.post(address, {}, headers={"HX-Request": "true"}).content.decode()
    assert "Give both times" in wrong


def test_the_trash_and_the_way_back(cast: Cast, browser_of: Browsers, schedule: Schedule) -> None:
    client = browser_of(cast.alice)
    assert client.post(reverse("schedule-delete", args=[schedule.pk]))["Location"] == reverse("schedule-list")
    assert "every morning" in client.get(reverse("schedule-list") + "?trash").content.decode()
    assert client.get(reverse("schedule-detail", args=[schedule.pk])).status_code == 200
    client.post(reverse("schedule-restore", args=[schedule.pk]))
    schedule.refresh_from_db()
    assert not schedule.is_deleted and not schedule.is_enabled
    copy = client.post(reverse("schedule-duplicate", args=[schedule.pk]))
    assert client.get(copy["Location"]).status_code == 200


def test_schedulers(cast: Cast, browser_of: Browsers, schedule: Schedule) -> None:
    client = browser_of(cast.alice)
    assert "Daily" in client.get(reverse("scheduler-list")).content.decode()
    built_in = client.get(reverse("scheduler-detail", args=[schedule.scheduler_id])).content.decode()
    assert "every morning" in built_in and "Time of day" in built_in
    made = client.post(reverse("scheduler-create"), {"name": "own", "project": cast.workshop.pk})
    own = Scheduler.objects.get(name="own")
    address = reverse("scheduler-detail", args=[own.pk])
    assert made["Location"] == address and client.get(address).status_code == 200
    fields = {"name": "own", "script": "def handler(:", "input_schema": '{"type": "object"}'}
    assert client.post(address, fields).status_code == 302
    assert "line 1" in client.get(address).content.decode()
    wrong = client.post(address, {**fields, "input_schema": "{"})
    assert wrong.status_code == 422 and "not JSON" in wrong.content.decode()
    assert client.post(reverse("scheduler-delete", args=[own.pk]))["Location"] == reverse("scheduler-list")
    client.post(reverse("scheduler-restore", args=[own.pk]))
    assert client.post(reverse("scheduler-duplicate", args=[own.pk])).status_code == 302
    refused = browser_of(cast.root).post(
        reverse("scheduler-delete", args=[schedule.scheduler_id]), follow=True
    )
    assert "These schedules use it" in refused.content.decode()


def test_without_schedulers_the_bundle_is_offered(cast: Cast, browser_of: Browsers, flow: Flow) -> None:
    client = browser_of(cast.root)
    page = client.get(reverse("schedule-create"), {"flow": flow.pk}).content.decode()
    assert "Import the bundle" in page
    response = client.post(reverse("scheduling-import"), {"flow": flow.pk}, follow=True)
    assert 'name="configuration.time"' in response.content.decode()
    assert Scheduler.objects.count() == 7


def test_the_button_on_the_page_of_a_flow(cast: Cast, browser_of: Browsers, flow: Flow) -> None:
    client, address = browser_of(cast.root), reverse("flow-detail", args=[flow.pk])
    assert f"{reverse('schedule-create')}?flow={flow.pk}" in client.get(address).content.decode()
    assert reverse("schedule-helper") not in client.get(address).content.decode()
    assert client.post(reverse("schedule-helper"), {"flow": flow.pk})["Location"].startswith(
        reverse("schedule-create")
    )
    import_bundle(BUNDLE, by=cast.root)
    assert reverse("schedule-helper") in client.get(address).content.decode()
    response = client.post(reverse("schedule-helper"), {"flow": flow.pk})
    execution = Execution.objects.get(flow__name=HELPER)
    assert response["Location"] == reverse("execution-detail", args=[execution.pk])
    assert execution.input_value == {"flow_id": str(flow.pk)} and execution.created_by == cast.root


@pytest.mark.parametrize("tab", ["overview", "inputs", "output", "log", "children", "timeline", "savepoints"])
def test_the_execution_of_a_schedule_has_its_pages(
    cast: Cast, browser_of: Browsers, schedule: Schedule, tab: str
) -> None:
    assert schedule.execution_id is not None
    address = reverse("execution-detail", args=[schedule.execution_id])
    response = browser_of(cast.alice).get(address, {"tab": tab})
    assert response.status_code == 200 and f"{schedule.name}</a>" in response.content.decode()


def test_what_it_started_names_it(cast: Cast, browser_of: Browsers, schedule: Schedule) -> None:
    execution = run_now(schedule, by=cast.alice)
    address = reverse("execution-detail", args=[execution.pk])
    assert (
        reverse("schedule-detail", args=[schedule.pk]) in browser_of(cast.carol).get(address).content.decode()
    )
    monitor = browser_of(cast.alice).get(reverse("execution-monitor")).content.decode()
    assert "By a schedule" in monitor


def test_the_search_finds_it(cast: Cast, browser_of: Browsers, schedule: Schedule) -> None:
    found = browser_of(cast.carol).get(reverse("search"), {"q": schedule.name[1:]}).content.decode()
    assert reverse("schedule-detail", args=[schedule.pk]) in found
    hidden = browser_of(cast.mallory).get(reverse("search"), {"q": schedule.name[1:]}).content.decode()
    assert reverse("schedule-detail", args=[schedule.pk]) not in hidden
