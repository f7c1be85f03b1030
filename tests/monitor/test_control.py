"""Pausing, going back and maintenance from the pages: who may, what is said, and how few questions it takes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from access.models import User
from executions import moves, pausing
from executions.database import jsonb
from executions.lifecycle import Reason, Status
from executions.models import Execution, Maintenance, Savepoint
from executions.savepoint_list import SHOWN_WHOLE
from executions.savepoints import Request, record
from executions.waiting import why_it_waits
from tests.cast import Cast
from tests.monitor.conftest import Starter
from tests.rest import runs

BrowserOf = Callable[[User], Client]


def address(execution: Execution, rest: str = "") -> str:
    return f"/executions/{execution.pk}/{rest}"


@pytest.fixture
def running(start: Starter) -> Execution:
    """One that runs and has made three calls."""
    execution = start("night run")
    runs.claim(execution.pk)
    caller = runs.make_calls(execution.pk, {"rows": 1}, None, "x" * (SHOWN_WHOLE + 1))
    record(caller, Request(4, "savepoint.save", line=9), name="half way")
    execution.refresh_from_db()
    return execution


def said(browser: Client, where: str, **given: Any) -> str:
    """Press a button and return the page it leads to."""
    return browser.post(where, given, follow=True).content.decode()


def row_of(html: str, number: int) -> str:
    """Return the row of a savepoint."""
    return html.split(f'id="P{number}"', 1)[1].split("</tr>", 1)[0]


# -- Pause and resume -------------------------------------------------------------------------------------


def test_a_queued_one_pauses_at_once_and_resumes(cast: Cast, browser_of: BrowserOf, start: Starter) -> None:
    bob, execution = browser_of(cast.bob), start("queued")
    html = bob.get(address(execution)).content.decode()
    assert address(execution, "pause") in html
    assert address(execution, "resume") not in html
    html = said(bob, address(execution, "pause"))
    assert "is paused" in html
    assert "It is paused and has not begun. Resume lets it start." in html
    assert address(execution, "pause") not in html
    assert address(execution, "resume") in html
    html = said(bob, address(execution, "resume"))
    assert "goes on" in html
    assert "nothing was resumed" in said(bob, address(execution, "resume"))


def test_the_pause_of_a_running_one_can_be_taken_back(
    cast: Cast, browser_of: BrowserOf, running: Execution
) -> None:
    bob = browser_of(cast.bob)
    html = said(bob, address(running, "pause"))
    assert "It pauses at its next call. The pause was asked for" in html
    assert "Keep running" in html
    row = bob.get("/executions/").content.decode()
    assert "pauses at its next call" in row
    said(bob, address(running, "resume"))
    running.refresh_from_db()
    assert (running.status, running.pause_requested_at) == (Status.RUNNING, None)


def test_what_has_ended_offers_neither(
    cast: Cast, browser_of: BrowserOf, start: Starter, end: Callable[..., Execution]
) -> None:
    bob, execution = browser_of(cast.bob), end(start("over"))
    html = bob.get(address(execution)).content.decode()
    assert address(execution, "pause") not in html
    assert address(execution, "resume") not in html
    assert "nothing was paused" in said(bob, address(execution, "pause"))


def test_many_are_paused_and_resumed_from_the_monitor(
    cast: Cast, browser_of: BrowserOf, start: Starter, end: Callable[..., Execution]
) -> None:
    bob, queued, over = browser_of(cast.bob), start("queued"), end(start("over"))
    ids = f"{queued.pk},{over.pk}"
    answer = bob.post("/executions/bulk", {"action": "pause", "ids": ids}).json()
    assert answer["done"] == [str(queued.pk)]
    assert "has ended" in answer["failed"][0]["message"]
    html = bob.get("/executions/", {"group": "paused"}).content.decode()
    assert str(queued.pk) in html
    assert str(over.pk) not in html
    answer = bob.post("/executions/bulk", {"action": "resume", "ids": ids}).json()
    assert answer["done"] == [str(queued.pk)]
    assert "is not paused" in answer["failed"][0]["message"]
    refused = browser_of(cast.carol).post("/executions/bulk", {"action": "pause", "ids": ids}).json()
    assert refused["done"] == []


def test_a_project_pauses_and_resumes(
    cast: Cast, browser_of: BrowserOf, start: Starter, running: Execution
) -> None:
    bob, queued = browser_of(cast.bob), start("queued")
    project = f"/projects/{cast.workshop.pk}/"
    html = bob.get(project).content.decode()
    assert "Pause all" in html
    assert "Resume all" not in html
    html = said(bob, f"{project}pause")
    assert "Paused 2 executions" in html
    assert "Resume all" in html
    assert "Pause all" not in html
    assert "Resumed 2 executions" in said(bob, f"{project}resume")
    queued.refresh_from_db()
    assert queued.status == Status.QUEUED
    assert "Pause all" not in browser_of(cast.carol).get(project).content.decode()
    assert "Pause all" not in browser_of(cast.alice).get(f"/projects/{cast.attic.pk}/").content.decode()
    for verb in ("pause", "resume"):
        assert browser_of(cast.carol).post(project + verb).status_code == 403
        assert browser_of(cast.mallory).post(project + verb).status_code == 404


@pytest.mark.parametrize("rest", ["pause", "resume", "savepoints/restore", "savepoints/fork"])
def test_who_may_not(cast: Cast, browser_of: BrowserOf, running: Execution, rest: str) -> None:
    before = (running.version, Savepoint.objects.count(), Execution.objects.count())
    assert browser_of(cast.carol).post(address(running, rest), {"savepoint": 1}).status_code == 403
    assert browser_of(cast.mallory).post(address(running, rest), {"savepoint": 1}).status_code == 404
    assert browser_of(cast.bob).get(address(running, rest)).status_code == 405
    assert Client().post(address(running, rest)).status_code == 302
    running.refresh_from_db()
    assert before == (running.version, Savepoint.objects.count(), Execution.objects.count())


# -- The tab ----------------------------------------------------------------------------------------------


def test_the_tab_shows_calls_newest_first(cast: Cast, browser_of: BrowserOf, running: Execution) -> None:
    html = browser_of(cast.bob).get(address(running, "?tab=savepoints")).content.decode()
    assert "4 savepoints" in html
    assert html.index('id="P4"') < html.index('id="P1"')
    assert "?tab=script#S9" in row_of(html, 4)
    assert "half way" in row_of(html, 4)
    assert "{&quot;rows&quot;: 1}" in row_of(html, 1)
    assert "nothing" in row_of(html, 2)
    assert "a long answer" in row_of(html, 3)
    assert "xxxx" not in row_of(html, 3)
    for number in range(1, 5):
        assert address(running, "savepoints/restore") in row_of(html, number)
        assert address(running, "savepoints/fork") in row_of(html, number)
    assert "children that it started, records that it changed and effects outside stay" in html
    assert "data-grows" in html


def test_those_who_look_on_see_no_buttons(cast: Cast, browser_of: BrowserOf, running: Execution) -> None:
    html = browser_of(cast.carol).get(address(running, "?tab=savepoints")).content.decode()
    assert "half way" in html
    assert "savepoints/restore" not in html
    assert "savepoints/fork" not in html


def test_what_waits_failed_or_is_a_record_is_told(
    cast: Cast, browser_of: BrowserOf, running: Execution
) -> None:
    caller = runs.caller_of(running.pk)
    error = {"type": "ResourceNotFoundError", "message": "<b>none</b>", "data": {}}
    record(caller, Request(5, "flow.get"), error=error)
    record(caller, Request(6, "execution.start"), value={"id": "42", "name": "a child", "status": "QUEUED"})
    soon = (timezone.now() + timedelta(minutes=5)).timestamp()
    record(caller, Request(7, "sleep"), pending={"kind": "time", "until": soon})
    html = browser_of(cast.bob).get(address(running, "?tab=savepoints")).content.decode()
    assert "ResourceNotFoundError: &lt;b&gt;none&lt;/b&gt;" in row_of(html, 5)
    assert "“a child”, 42" in row_of(html, 6)
    assert "pending" in row_of(html, 7)
    assert "wakes" in row_of(html, 7)
    assert "in 4 min" in row_of(html, 7)
    assert "savepoints/fork" not in row_of(html, 7), "a call without an answer is no place to go back to"


def test_ten_thousand_are_paged_with_the_same_few_questions(
    cast: Cast, browser_of: BrowserOf, running: Execution, django_assert_max_num_queries: Any
) -> None:
    rows = (
        Savepoint(execution=running, number=number, attempt=1, call="execution.set_output", line=3)
        for number in range(5, 10_001)
    )
    Savepoint.objects.bulk_create(rows, batch_size=1_000)
    carol = browser_of(cast.carol)
    where = address(running, "?tab=savepoints")
    with django_assert_max_num_queries(14):
        html = carol.get(where, headers={"X-Live": "1"}).content.decode()
    assert "10,000 savepoints" in html
    assert 'id="P9951"' in html
    assert 'id="P9950"' not in html
    assert "at=9950" in html
    with django_assert_max_num_queries(14):
        html = carol.get(f"{where}&at=60", headers={"X-Live": "1"}).content.decode()
    assert 'id="P60"' in html
    assert 'id="P61"' not in html
    assert "data-grows" not in html, "older pages do not move"
    assert "at=10" in html
    html = carol.get(f"{where}&at=10").content.decode()
    assert 'id="P1"' in html
    assert "Older" not in html
    named = carol.get(f"{where}&named").content.decode()
    assert 'id="P4"' in named
    assert 'id="P5"' not in named
    for odd in ("at=0", "at=-1", "at=x", f"at={10**30}", "at=²"):
        assert carol.get(f"{where}&{odd}").status_code == 200


def test_one_answer_is_read_whole(cast: Cast, browser_of: BrowserOf, running: Execution) -> None:
    where = address(running, "savepoints/3")
    assert browser_of(cast.carol).get(where).json()["value"] == "x" * (SHOWN_WHOLE + 1)
    assert browser_of(cast.mallory).get(where).status_code == 404
    for number in (0, 99, 10**30):
        assert browser_of(cast.carol).get(address(running, f"savepoints/{number}")).status_code == 404


def test_empty_tabs_teach(
    cast: Cast, browser_of: BrowserOf, start: Starter, end: Callable[..., Execution]
) -> None:
    carol, queued = browser_of(cast.carol), start("queued")
    assert "No savepoint yet" in carol.get(address(queued, "?tab=savepoints")).content.decode()
    assert "None has a name" in carol.get(address(queued, "?tab=savepoints&named")).content.decode()
    over = end(start("over", savepoint_retention="none"))
    assert "Its savepoints are not kept" in carol.get(address(over, "?tab=savepoints")).content.decode()


# -- Restore and fork -------------------------------------------------------------------------------------


def test_restore_goes_back(cast: Cast, browser_of: BrowserOf, running: Execution) -> None:
    bob = browser_of(cast.bob)
    html = said(bob, address(running, "savepoints/restore"), savepoint="2")
    assert "goes on from savepoint 2" in html
    assert "2 savepoints" in html
    running.refresh_from_db()
    assert (running.status, running.reason) == (Status.QUEUED, Reason.RESTORED)
    assert "has no savepoint 3" in said(bob, address(running, "savepoints/restore"), savepoint="3")
    assert "has no savepoint 0" in said(bob, address(running, "savepoints/restore"), savepoint="no")


def test_an_ended_one_is_forked_and_the_new_one_points_back(
    cast: Cast, browser_of: BrowserOf, running: Execution
) -> None:
    Execution.objects.filter(pk=running.pk).update(host=None)
    runs.end(running.pk)
    bob = browser_of(cast.bob)
    html = bob.get(address(running, "?tab=savepoints")).content.decode()
    assert "savepoints/restore" not in html
    assert "savepoints/fork" in html
    assert "Fork a new execution" in said(bob, address(running, "savepoints/restore"), savepoint="2")
    html = said(bob, address(running, "savepoints/fork"), savepoint="4")
    forked = Execution.objects.get(forked_from_id=running.pk)
    assert "Forked from savepoint 4" in html
    assert str(forked.pk) in html
    assert f'forked from&nbsp;<a href="{address(running)}">' in html
    assert Savepoint.objects.filter(execution=forked).count() == 4
    assert "Nothing was forked" in said(bob, address(running, "savepoints/fork"), savepoint="9")


# -- Attempts ---------------------------------------------------------------------------------------------


def test_the_overview_tells_the_last_interruption(
    cast: Cast, browser_of: BrowserOf, running: Execution
) -> None:
    carol = browser_of(cast.carol)
    assert "interrupted" not in carol.get(address(running)).content.decode()
    for reason in (Reason.CRASHED, Reason.HOST_LOST):
        moves.move("e.id = %(id)s", Status.QUEUED, {"id": running.pk}, reason=reason, sets=", host_id = NULL")
        runs.claim(running.pk)
    html = carol.get(address(running)).content.decode()
    assert "attempt 3" in html
    assert "the worker that ran it was lost; it goes on from its last savepoint" in html
    assert "its process died" not in html


# -- Maintenance ------------------------------------------------------------------------------------------


def test_everybody_sees_maintenance_and_staff_switch_it(
    cast: Cast, browser_of: BrowserOf, start: Starter
) -> None:
    root, carol, queued = browser_of(cast.root), browser_of(cast.carol), start("queued")
    assert "maintenance-dialog" in root.get("/executions/").content.decode()
    assert "maintenance" not in carol.get("/executions/").content.decode()
    begun = root.post("/executions/maintenance/start", {"note": "New disks", "next": "/flows/?q=x"})
    assert begun.headers["Location"] == "/flows/?q=x"
    for browser in (root, carol):
        assert "Maintenance is on: New disks" in browser.get("/flows/").content.decode()
    assert "End maintenance" not in carol.get("/flows/").content.decode()
    why = why_it_waits(queued, cast.carol)
    assert why is not None
    assert "maintenance is on (New disks): no worker takes on executions" in why.words
    for verb in ("start", "end"):
        assert carol.post(f"/executions/maintenance/{verb}").status_code == 403
        assert root.get(f"/executions/maintenance/{verb}").status_code == 405
    assert Maintenance.objects.exists()
    ended = root.post("/executions/maintenance/end", {"next": "https://example.org/"})
    assert ended.headers["Location"] == "/", "no way to other sites"
    assert "off already" in said(root, "/executions/maintenance/end")
    assert "Maintenance is on" not in carol.get("/flows/").content.decode()


def test_a_sleep_that_is_over_waits_for_the_end_of_maintenance(cast: Cast, start: Starter) -> None:
    sleeping = start("sleeping")
    past = (timezone.now() - timedelta(minutes=1)).isoformat()
    moves.move("e.id = %(id)s", Status.RUNNING, {"id": sleeping.pk})
    moves.move(
        "e.id = %(id)s",
        Status.SLEEPING,
        {"id": sleeping.pk, "for": jsonb({"kind": "time", "until": past})},
        sets=", waiting_for = %(for)s",
    )
    sleeping.refresh_from_db()
    pausing.start_maintenance(by=cast.root)
    why = why_it_waits(sleeping, cast.root)
    assert why is not None
    assert "it goes on when maintenance ends" in why.words
