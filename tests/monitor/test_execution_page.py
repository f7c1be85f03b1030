"""The page of one execution: its tabs, why it waits, where it failed, and its buttons."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from access.models import User
from executions import moves
from executions.database import jsonb
from executions.excerpts import excerpt, failing_line
from executions.lifecycle import Status
from executions.log import LogCounter, write_lines
from executions.models import Execution, Lock, Process, Wait
from executions.timeline import read_timeline
from executions.views import TABS
from executions.waiting import why_it_waits
from projects.setting import create_setting
from tests.cast import Cast
from tests.monitor.conftest import SCRIPT, TRACEBACK, Starter

BrowserOf = Callable[[User], Client]
Ender = Callable[..., Execution]


def address(execution: Execution, rest: str = "") -> str:
    return f"/executions/{execution.pk}/{rest}"


@pytest.fixture
def failed(start: Starter, end: Ender) -> Execution:
    execution = start("broken")
    counter = LogCounter(execution.pk)
    levels = [("begin", "info"), ("careful", "warning"), ("<b>gone</b>", "error")]
    write_lines([line for line in (counter.line(text, level=level) for text, level in levels) if line])
    return end(execution, Status.ENDED_ERROR, TRACEBACK.format(name="broken"))


@pytest.mark.parametrize("tab", [name for name, _, _ in TABS])
def test_every_tab_is_shown_with_few_questions(
    cast: Cast, browser_of: BrowserOf, failed: Execution, django_assert_max_num_queries: Any, tab: str
) -> None:
    browser = browser_of(cast.carol)
    with django_assert_max_num_queries(18):
        response = browser.get(address(failed, f"?tab={tab}"))
    html = response.content.decode()
    assert response.status_code == 200
    assert 'data-status="ENDED_ERROR"' in html
    assert "KeyError: &#x27;missing&#x27;" in html, "the header tells the error on every tab"
    with django_assert_max_num_queries(14):
        parts = browser.get(address(failed, f"?tab={tab}"), headers={"X-Live": "1"}).content.decode()
    assert 'data-live="head"' in parts
    assert "<html" not in parts


def test_a_failure_opens_on_the_line_that_failed(
    cast: Cast, browser_of: BrowserOf, failed: Execution
) -> None:
    html = browser_of(cast.root).get(address(failed)).content.decode()
    assert '<span class="code is-marked">    value = inputs[&#x27;missing&#x27;]</span>' in html
    assert "?tab=script#S2" in html
    script = browser_of(cast.root).get(address(failed, "?tab=script")).content.decode()
    assert '<span class="no is-marked" id="S2">' in script


def test_the_failing_line_is_the_last_of_this_script() -> None:
    message = TRACEBACK.format(name="mine") + '  File "/usr/lib/json.py", line 99, in loads\n'
    assert failing_line(message, "mine") == 2
    assert failing_line(message, "other") is None
    assert failing_line("no traceback", "mine") is None
    assert [(line.number, line.is_marked) for line in excerpt(SCRIPT, 2)] == [
        (1, False),
        (2, True),
        (3, False),
    ]
    assert excerpt(SCRIPT, 99) == [], "a line that the script does not have"


def test_strangers_find_nothing(cast: Cast, browser_of: BrowserOf, failed: Execution) -> None:
    mallory = browser_of(cast.mallory)
    for rest in ("", "drawer", "children", "log", "log.txt"):
        assert mallory.get(address(failed, rest)).status_code == 404
    for verb in ("cancel", "rerun", "run", "delete", "restore"):
        assert mallory.post(address(failed, verb)).status_code == 404
    assert mallory.get(f"/executions/{uuid4()}/").status_code == 404


def test_those_who_look_on_get_no_buttons_and_no_way_around(
    cast: Cast, browser_of: BrowserOf, failed: Execution, start: Starter
) -> None:
    carol, alive = browser_of(cast.carol), start("alive")
    html = carol.get(address(alive)).content.decode() + carol.get(address(failed)).content.decode()
    for verb in ("cancel", "rerun", "delete"):
        assert f"/{verb}" not in html
    assert carol.post(address(alive, "cancel")).status_code == 403
    assert carol.post(address(failed, "rerun")).status_code == 403
    assert carol.post(address(failed, "delete")).status_code == 403
    alive.refresh_from_db()
    assert alive.status == Status.QUEUED


def test_cancel_rerun_run_delete_and_restore(
    cast: Cast, browser_of: BrowserOf, start: Starter, failed: Execution
) -> None:
    alice = browser_of(cast.alice)
    queued, written = start("queued"), start("written", run=False)
    assert alice.post(address(queued, "cancel")).headers["Location"] == address(queued)
    assert "nothing was cancelled" in alice.post(address(queued, "cancel"), follow=True).content.decode()
    assert alice.post(address(written, "run")).status_code == 302
    assert "started before" in alice.post(address(written, "run"), follow=True).content.decode()
    location = alice.post(address(failed, "rerun")).headers["Location"]
    again = Execution.objects.get(rerun_of=failed)
    assert location == address(again)
    assert "again from" in alice.get(location).content.decode()
    assert "Cancel it first" in alice.post(address(again, "delete"), follow=True).content.decode()
    page = alice.post(address(failed, "delete"), follow=True).content.decode()
    assert address(failed, "restore") in page, "the way back is offered"
    assert "in the trash" in alice.get(address(failed)).content.decode()
    alice.post(address(failed, "restore"))
    failed.refresh_from_db()
    queued.refresh_from_db()
    written.refresh_from_db()
    assert (failed.deleted_at, queued.status, written.status) == (None, Status.ENDED_CANCELLED, Status.QUEUED)


# -- Why it waits -----------------------------------------------------------------------------------------


def words(execution: Execution, person: User) -> str:
    execution.refresh_from_db()
    why = why_it_waits(execution, person)
    assert why is not None
    return why.words


def test_why_something_is_queued(cast: Cast, start: Starter) -> None:
    first, second = start("first"), start("second")
    assert "no worker is alive" in words(first, cast.root)
    host = Process.objects.create(role=Process.Role.HOST, pid=1, machine="here", slots=1)
    assert "it is next" in words(first, cast.root)
    assert "1 ahead of it" in words(second, cast.root)
    assert "it is next" in words(start("urgent", priority=5), cast.root)
    moves.move("e.id = %(id)s", Status.RUNNING, {"id": first.pk})
    assert "all slots of the workers are busy (1 of 1)" in words(second, cast.root)
    assert why_it_waits(Execution.objects.get(pk=first.pk), cast.root) is None
    host.heartbeat_at = timezone.now() - timedelta(minutes=1)
    host.save()
    assert "no worker is alive" in words(second, cast.root), "a frozen worker is none"


def test_why_something_sleeps_or_is_scheduled(cast: Cast, start: Starter) -> None:
    soon = timezone.now() + timedelta(hours=1)
    scheduled, sleeping = start(scheduled_for=soon), start()
    assert why_it_waits(scheduled, cast.root).until == soon  # type: ignore[union-attr]
    moves.move("e.id = %(id)s", Status.RUNNING, {"id": sleeping.pk})
    moves.move(
        "e.id = %(id)s",
        Status.SLEEPING,
        {"id": sleeping.pk, "for": jsonb({"kind": "time", "until": soon.isoformat()})},
        sets=", waiting_for = %(for)s",
    )
    sleeping.refresh_from_db()
    assert why_it_waits(sleeping, cast.root).until == soon  # type: ignore[union-attr]


def test_why_something_waits_for_a_lock(cast: Cast, browser_of: BrowserOf, start: Starter) -> None:
    setting = create_setting(by=cast.root, name="turnstile", project=cast.workshop)
    holder, first, second = (start(name) for name in ("the holder", "the first", "the second"))
    Lock.objects.create(setting=setting, execution=holder, since=timezone.now())
    for each in (first, second):
        Lock.objects.create(setting=setting, execution=each)
        moves.move("e.id = %(id)s", Status.RUNNING, {"id": each.pk})
        moves.move(
            "e.id = %(id)s",
            Status.WAITING_FOR_LOCK,
            {"id": each.pk, "for": jsonb({"setting_id": str(setting.pk), "setting": "turnstile"})},
            sets=", waiting_for = %(for)s",
        )
    assert words(first, cast.root) == "It waits for the lock of “turnstile”. Its holder is"
    assert (
        words(second, cast.root)
        == "It waits for the lock of “turnstile”; 1 before it in the queue. Its holder is"
    )
    assert "the holder" in browser_of(cast.carol).get(address(first)).content.decode()
    Execution.objects.filter(pk=holder.pk).update(project=cast.attic)
    assert "that you may not see" in words(first, cast.carol)
    Lock.objects.filter(execution=holder).delete()
    Lock.objects.filter(execution=first).update(since=timezone.now())
    assert "is its own" in words(first, cast.root)


def test_what_a_parent_waits_for_is_linked(cast: Cast, browser_of: BrowserOf, start: Starter) -> None:
    parent = start("parent")
    children = [start(f"child {number}", parent=parent) for number in range(12)]
    moves.move("e.id = %(id)s", Status.RUNNING, {"id": parent.pk})
    moves.move(
        "e.id = %(id)s",
        Status.WAITING_FOR_DEPENDENCY,
        {"id": parent.pk, "for": jsonb({"kind": "executions", "return_when": "ALL_SUCCEEDED", "count": 12})},
        sets=", waiting_for = %(for)s",
    )
    for child in children:
        Wait.objects.create(waiter=parent, target=child)
    html = browser_of(cast.carol).get(address(parent)).content.decode()
    assert "It waits for all of these to succeed:" in html
    assert f'<a href="{address(children[0])}">child 0</a>' in html
    assert "and 2 more" in html
    row = browser_of(cast.carol).get("/executions/", {"group": "waiting"}).content.decode()
    assert "for 12 executions" in row


# -- Log --------------------------------------------------------------------------------------------------


def test_the_log_is_read_in_pieces_and_filtered(cast: Cast, browser_of: BrowserOf, failed: Execution) -> None:
    browser = browser_of(cast.carol)

    def texts(**given: Any) -> list[str]:
        return [line[4] for line in browser.get(address(failed, "log"), given).json()["lines"]]

    assert texts() == ["begin", "careful", "<b>gone</b>"]
    assert texts(after=1, limit=1) == ["careful"]
    assert texts(level="error") == ["<b>gone</b>"]
    assert texts(stream="stdout") == []
    assert texts(q="CARE") == ["careful"]
    assert texts(after=10**30) == []
    answer = browser.get(address(failed, "log"), {"limit": 1}).json()
    assert (answer["last"], answer["is_whole"]) == (3, False)
    assert browser.get(address(failed, "log"), {"after": "x"}).status_code == 400
    whole = browser.get(address(failed, "log.txt"))
    assert whole.headers["Content-Disposition"] == 'attachment; filename="broken.log"'
    assert whole.content.decode().splitlines()[1].endswith("warning careful")
    assert "<b>gone" not in browser.get(address(failed)).content.decode(), (
        "what flows write is text, never markup"
    )


# -- Children and timeline --------------------------------------------------------------------------------


def test_children_unfold_level_by_level(
    cast: Cast, browser_of: BrowserOf, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executions.views.CHILDREN_AT_ONCE", 2)
    parent = start("parent")
    children = [start(f"child {number}", parent=parent) for number in range(3)]
    grandchild = start("grandchild", parent=children[0])
    browser = browser_of(cast.carol)
    html = browser.get(address(parent, "?tab=children")).content.decode()
    assert str(children[1].pk) in html
    assert str(grandchild.pk) not in html
    assert f'data-after="{children[1].pk}"' in html
    more = browser.get(address(parent, "children"), {"after": str(children[1].pk)}).content.decode()
    assert str(children[2].pk) in more
    assert "data-more-children" not in more
    below = browser.get(address(children[0], "children"), {"depth": 1}).content.decode()
    assert f'data-id="{grandchild.pk}"' in below
    assert 'data-depth="1"' in below


def test_the_timeline_lays_out_the_tree(cast: Cast, start: Starter, end: Ender) -> None:
    parent = start("parent")
    first, second = start("first", parent=parent), start("second", parent=parent)
    inner = start("inner", parent=first)
    hidden = start("hidden", parent=parent, project=cast.attic)
    for execution in (inner, first, second, hidden, parent):
        end(execution)
    timeline = read_timeline(Execution.objects.get(pk=parent.pk), cast.carol)
    assert [(bar.name, bar.depth) for bar in timeline.bars] == [
        ("parent", 0),
        ("first", 1),
        ("inner", 2),
        ("second", 1),
    ]
    assert not timeline.is_live
    for bar in timeline.bars:
        assert [phase.kind for phase in bar.phases] == ["queued", "running"]
        assert bar.phases[0].left + bar.phases[0].width == pytest.approx(bar.phases[1].left)
        assert bar.end == pytest.approx(bar.phases[1].left + bar.phases[1].width)
        assert 0 <= bar.phases[0].left <= 100
    assert timeline.bars[0].end == pytest.approx(100)
    cut = read_timeline(parent, cast.root, 2)
    assert (len(cut.bars), cut.is_cut) == (2, True)
