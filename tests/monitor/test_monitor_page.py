"""The monitor's page, its pieces, and what is done to many executions at once."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client

from access.models import User
from executions import monitor, monitor_views
from executions.lifecycle import Status
from executions.models import Execution
from tests.cast import Cast
from tests.monitor.conftest import Starter

BrowserOf = Callable[[User], Client]
MONITOR = "/executions/"


@pytest.fixture(autouse=True)
def _no_memory(db: None) -> None:
    cache.clear()  # the last hour is counted once in a while


def test_the_page_with_nothing_explains_itself(cast: Cast, browser_of: BrowserOf) -> None:
    html = browser_of(cast.root).get(MONITOR).content.decode()
    assert "Nothing has run yet" in html


@pytest.mark.parametrize("number", [1, 40])
def test_the_number_of_questions_does_not_grow(
    cast: Cast, browser_of: BrowserOf, start: Starter, django_assert_max_num_queries: Any, number: int
) -> None:
    parent = start("parent")
    for _ in range(number):
        start(parent=parent)
    browser = browser_of(cast.carol)
    with django_assert_max_num_queries(16):
        html = browser.get(MONITOR).content.decode()
    assert html.count("data-row ") == number + 1
    with django_assert_max_num_queries(8):
        browser.get(MONITOR, {"part": "rows"})


def test_older_rows_follow_by_key(
    cast: Cast, browser_of: BrowserOf, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [start(f"number {number}") for number in range(3)]
    monkeypatch.setattr(monitor, "PAGE_SIZE", 2)
    monkeypatch.setattr(monitor.read_page, "__defaults__", (None, 2))
    browser = browser_of(cast.root)
    first = browser.get(MONITOR).content.decode()
    assert f'data-older="{made[1].pk}"' in first
    older = browser.get(MONITOR, {"part": "rows", "after": str(made[1].pk)}).content.decode()
    assert f'data-id="{made[0].pk}"' in older
    assert older.count("data-row ") == 1
    assert "data-older" not in older


def test_a_wrong_filter_is_said_in_words(cast: Cast, browser_of: BrowserOf) -> None:
    response = browser_of(cast.root).get(MONITOR, {"group": "purple"})
    assert response.status_code == 400
    assert "purple" in response.content.decode()


def test_too_slow_a_filter_asks_to_be_narrowed(
    cast: Cast, browser_of: BrowserOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: Any) -> Any:
        raise monitor.TooSlow

    monkeypatch.setattr(monitor_views.monitor, "read_page", never)
    monkeypatch.setattr(monitor_views.monitor, "read_count", never)
    browser = browser_of(cast.root)
    assert "Narrow your filter" in browser.get(MONITOR).content.decode()
    assert browser.get(f"{MONITOR}count").json() == {"count": None, "text": "many"}


def test_strangers_see_no_row_in_any_piece(cast: Cast, browser_of: BrowserOf, start: Starter) -> None:
    execution = start("a secret name")
    browser = browser_of(cast.mallory)
    asked: list[Any] = [
        browser.get(MONITOR),
        browser.get(MONITOR, {"part": "rows"}),
        browser.post(f"{MONITOR}rows", {"ids": str(execution.pk)}),
        browser.post(f"{MONITOR}matching", {}),
        browser.post(f"{MONITOR}poll", '{"subscribe": "monitor"}', content_type="application/json"),
        browser.get(f"{MONITOR}activity"),
    ]
    for response in asked:
        assert response.status_code == 200
        assert b"a secret name" not in response.content
        assert str(execution.pk).encode() not in response.content
    assert browser.get(f"{MONITOR}count").json()["count"] == 0
    assert Client().get(MONITOR).status_code == 302, "nobody is signed in"


def test_the_last_hour_counts_starts_and_failures(
    cast: Cast, browser_of: BrowserOf, start: Starter, end: Callable[..., Execution]
) -> None:
    end(start(), Status.ENDED_ERROR)
    start()
    html = browser_of(cast.root).get(f"{MONITOR}activity").content.decode()
    assert "In the last hour 2 started, 1 failed" in html


def test_polling_answers_what_the_socket_would_say_first(
    cast: Cast, browser_of: BrowserOf, start: Starter
) -> None:
    execution = start()
    browser = browser_of(cast.carol)

    def poll(**wish: Any) -> Any:
        return browser.post(f"{MONITOR}poll", json.dumps(wish), content_type="application/json")

    (snapshot,) = poll(subscribe="monitor", filter={}).json()["messages"]
    assert [row["id"] for row in snapshot["rows"]] == [str(execution.pk)]
    snapshot, log = poll(subscribe="execution", id=str(execution.pk), log_after=0).json()["messages"]
    assert (snapshot["rows"][0]["status"], log["lines"]) == ("QUEUED", [])
    assert poll(subscribe="execution", id=str(uuid4())).status_code == 404
    assert poll(subscribe="nothing").status_code == 400


# -- Bulk -------------------------------------------------------------------------------------------------


def bulk(browser: Client, action: str, *ids: Any) -> Any:
    return browser.post(f"{MONITOR}bulk", {"action": action, "ids": ",".join(map(str, ids))})


def test_cancelling_many_tells_what_failed(
    cast: Cast, browser_of: BrowserOf, start: Starter, end: Callable[..., Execution]
) -> None:
    queued, ended, gone = start("queued"), end(start("ended")), uuid4()
    answer = bulk(browser_of(cast.bob), "cancel", queued.pk, ended.pk, gone).json()
    assert answer["done"] == [str(queued.pk)]
    assert {each["name"]: each["message"] for each in answer["failed"]} == {
        "ended": "'ended' has ended; there is nothing to cancel.",
        str(gone): "It is not there any more.",
    }
    queued.refresh_from_db()
    assert queued.status == Status.ENDED_CANCELLED


def test_bulk_asks_for_permission_on_each(
    cast: Cast, browser_of: BrowserOf, start: Starter, end: Callable[..., Execution]
) -> None:
    """Carol looks on in the workshop; the attic is not hers to see."""
    queued, ended, hidden = start("queued"), end(start("ended")), start("hidden", project=cast.attic)
    for action in monitor_views.BULK:
        answer = bulk(browser_of(cast.carol), action, queued.pk, ended.pk, hidden.pk).json()
        assert answer["done"] == []
        assert len(answer["failed"]) == 3
        assert "hidden" not in [each["name"] for each in answer["failed"]]
    assert Execution.objects.filter(deleted_at=None).count() == 3
    assert bulk(browser_of(cast.bob), "delete", ended.pk).json()["done"] == [], "operators do not delete"


def test_rerun_delete_and_restore_many(
    cast: Cast, browser_of: BrowserOf, start: Starter, end: Callable[..., Execution]
) -> None:
    ended, alive = end(start("ended")), start("alive")
    browser = browser_of(cast.alice)
    assert len(bulk(browser, "rerun", ended.pk).json()["done"]) == 1
    again = Execution.objects.get(rerun_of=ended)
    assert (again.status, again.created_by) == (Status.QUEUED, cast.alice)
    answer = bulk(browser, "delete", ended.pk, alive.pk).json()
    assert (answer["done"], len(answer["failed"])) == ([str(ended.pk)], 1)
    assert bulk(browser, "restore", ended.pk).json()["done"] == [str(ended.pk)]


def test_bulk_refuses_nonsense(cast: Cast, browser_of: BrowserOf) -> None:
    browser = browser_of(cast.root)
    assert bulk(browser, "explode").status_code == 400
    assert bulk(browser, "cancel", "no-id").status_code == 400
    assert (
        bulk(browser, "cancel", *(uuid4() for _ in range(monitor_views.BULK_AT_MOST + 1))).status_code == 400
    )
    assert browser.get(f"{MONITOR}bulk").status_code == 405


def test_all_that_match_is_capped(
    cast: Cast, browser_of: BrowserOf, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [start() for _ in range(3)]
    monkeypatch.setattr(monitor, "MATCHING_AT_MOST", 2)
    answer = browser_of(cast.root).post(f"{MONITOR}matching", {"group": "waiting"}).json()
    assert answer == {"ids": [str(made[2].pk), str(made[1].pk)], "limit": 2}
