"""The live socket: snapshot first, then changes; only what one may see; never without bound."""

import asyncio
import threading
import time
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from access.models import IdentityRole, UserSession
from executions import consumers, hub, live, moves
from executions.announce import CHANGED, Collected, announce_log
from executions.consumers import in_thread
from executions.database import fetch
from executions.end_waiting import wait_ended
from executions.lifecycle import Status
from executions.log import LogCounter, write_lines
from executions.models import Execution, Process
from executions.operations import cancel_execution, trash_execution
from tests.cast import Cast
from tests.live.conftest import Starter
from tests.live.tab import Tab, session_of

pytestmark = pytest.mark.django_db(transaction=True)


def run_it(execution: Execution) -> None:
    moves.move("e.id = %(id)s", Status.RUNNING, {"id": execution.pk})


def write_log(execution_id: UUID, first: int, last: int, *, announced: bool = True) -> None:
    """Write numbered lines as a host does."""
    counter = LogCounter(execution_id, first - 1)
    lines = [counter.line(f"line {number}") for number in range(first, last + 1)]
    with Collected() as collected:
        write_lines([line for line in lines if line])
        announce_log(execution_id, last)
        if announced:
            collected.send()


async def opened(cookie: str, **more: Any) -> Tab:
    tab = Tab(cookie, **more)
    assert await tab.connect()
    return tab


async def cookie_of(user: Any) -> str:
    return await in_thread(session_of, user)


@pytest.mark.asyncio
async def test_the_monitor_gets_a_snapshot_and_then_each_change(cast: Cast, start: Starter) -> None:
    first = await in_thread(start, "first")
    tab = await opened(await cookie_of(cast.root))
    snapshot = await tab.monitor()
    assert [(row["name"], row["status"], row["version"]) for row in snapshot["rows"]] == [
        ("first", "QUEUED", 1)
    ]
    assert snapshot["running"] == 0

    await in_thread(run_it, first)
    assert (await tab.hear_row(first.pk, "RUNNING"))["version"] == 2
    second = await in_thread(start, "second")
    assert (await tab.hear_row(second.pk))["project_name"] == "Workshop"
    await in_thread(lambda: cancel_execution(second, by=cast.root))
    ended = await tab.hear_row(second.pk, "ENDED_CANCELLED")
    assert ended["ended_at"]
    await tab.close()


@pytest.mark.asyncio
async def test_the_running_count_is_told_when_it_changes(cast: Cast, start: Starter) -> None:
    execution = await in_thread(start)
    tab = await opened(await cookie_of(cast.root))
    await tab.ask(subscribe="shell")
    assert (await tab.hear("snapshot"))["running"] == 0
    await in_thread(run_it, execution)
    while (await tab.hear("running"))["count"] != 1:
        pass
    await tab.close()


@pytest.mark.asyncio
async def test_a_stranger_hears_nothing(cast: Cast, start: Starter) -> None:
    """Carol sees the workshop only, Mallory no project at all."""
    carol, mallory = await opened(await cookie_of(cast.carol)), await opened(await cookie_of(cast.mallory))
    assert (await carol.monitor())["rows"] == []
    assert (await mallory.monitor())["rows"] == []
    hidden = await in_thread(start, "hidden", cast.attic)
    shown = await in_thread(start, "shown", cast.workshop)
    await in_thread(run_it, hidden)
    heard = [row["name"] for row in (await carol.hear("changes"))["rows"]]
    assert heard == ["shown"]
    await mallory.ask(subscribe="monitor", filter={}, ids=[str(shown.pk), str(hidden.pk)])
    while (found := await mallory.hear("snapshot", "changes"))["type"] != "snapshot":
        pytest.fail(f"Mallory heard {found}")
    assert (found["rows"], found["running"]) == ([], 0)
    await mallory.ask(subscribe="execution", id=str(shown.pk))
    closing = await mallory.socket.receive_output(timeout=20)
    while closing["type"] != "websocket.close":
        assert '"rows":[{' not in closing["text"]
        closing = await mallory.socket.receive_output(timeout=20)
    assert closing["code"] == consumers.NOT_THERE
    await carol.close()


@pytest.mark.asyncio
async def test_a_role_that_is_taken_away_is_noticed(
    cast: Cast, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "PERMISSION_SECONDS", 0.2)
    tab = await opened(await cookie_of(cast.carol))
    await tab.monitor()
    await in_thread(IdentityRole.objects.filter(identity_id=cast.carol.pk).delete)
    await tab.hear("resync")
    await in_thread(start, "too late")
    assert (await tab.monitor())["rows"] == []
    await tab.close()


@pytest.mark.asyncio
async def test_a_session_that_ends_closes_the_socket(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "PERMISSION_SECONDS", 0.2)
    tab = await opened(await cookie_of(cast.alice))
    await in_thread(UserSession.objects.all().delete)
    closing = await tab.socket.receive_output(timeout=20)
    while closing["type"] != "websocket.close":
        closing = await tab.socket.receive_output(timeout=20)
    assert closing["code"] == consumers.SIGNED_OUT


@pytest.mark.asyncio
async def test_nobody_connects_without_a_session(cast: Cast) -> None:
    assert not await Tab(await cookie_of(None)).connect()


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:9999", "null", ""])
@pytest.mark.asyncio
async def test_pages_of_other_origins_are_refused(cast: Cast, origin: str) -> None:
    assert not await Tab(await cookie_of(cast.root), origin=origin).connect()


@pytest.mark.asyncio
async def test_the_log_arrives_once_and_without_a_gap(cast: Cast, start: Starter) -> None:
    execution = await in_thread(start)
    await in_thread(write_log, execution.pk, 1, 700)
    tab = await opened(await cookie_of(cast.carol))
    await tab.ask(subscribe="execution", id=str(execution.pk), log_after=0)
    first = await tab.hear("log")
    assert (first["after"], len(first["lines"]), first["last"]) == (0, 500, 700)

    # The client asks anew from where it stands; lines go on arriving while it does.
    writer = asyncio.create_task(
        in_thread(lambda: [write_log(execution.pk, n, n + 2) for n in range(701, 1001, 3)])
    )
    await tab.ask(subscribe="execution", id=str(execution.pk), log_after=500)
    numbers: list[int] = []
    while not numbers or numbers[-1] < 1000:
        message = await tab.hear("log")
        if numbers or message["after"] == 500:  # before that the first subscription speaks
            assert message["after"] == (numbers[-1] if numbers else 500), "a gap, or lines twice"
            numbers += [line[0] for line in message["lines"]]
    await writer
    assert numbers == list(range(501, 1001))
    await tab.close()


@pytest.mark.asyncio
async def test_lines_that_nobody_announced_are_found(
    cast: Cast, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notifications are hints: the ear looks for itself every few seconds."""
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.3)
    execution = await in_thread(start)
    tab = await opened(await cookie_of(cast.root))
    await tab.ask(subscribe="execution", id=str(execution.pk), log_after=0)
    await tab.hear("log")
    await in_thread(lambda: write_log(execution.pk, 1, 2, announced=False))
    assert [line[4] for line in (await tab.hear("log"))["lines"]] == ["line 1", "line 2"]

    def move_in_silence() -> None:
        with Collected():  # gathers the announcement, and is never sent
            run_it(execution)

    await in_thread(move_in_silence)
    assert (await tab.hear_row(execution.pk, "RUNNING"))["version"] == 2
    await tab.close()


@pytest.mark.asyncio
async def test_an_open_execution_hears_of_its_tree_only(cast: Cast, start: Starter) -> None:
    parent, other = await in_thread(start, "parent"), await in_thread(start, "other")
    tab = await opened(await cookie_of(cast.root))
    await tab.ask(subscribe="execution", id=str(parent.pk), log_after=None)
    assert [row["name"] for row in (await tab.hear("snapshot"))["rows"]] == ["parent"]

    def go_on() -> UUID:
        run_it(other)
        child = start_child(cast, parent)
        run_it(child)
        return child.pk

    child_id = await in_thread(go_on)
    row = await tab.hear_row(child_id)
    assert row["parent_id"] == str(parent.pk)
    assert row["parent_name"] == "parent"
    await in_thread(run_it, parent)
    changes = await tab.hear("changes")
    while str(parent.pk) not in [row["id"] for row in changes["rows"]]:
        assert str(other.pk) not in [row["id"] for row in changes["rows"]]
        changes = await tab.hear("changes")
    await tab.close()


def start_child(cast: Cast, parent: Execution) -> Execution:
    from executions.starting import Start, start_execution

    given = Start(flow=parent.flow, name="child", parent=parent)
    return start_execution(given, by=cast.root, origin=Execution.Origin.EXECUTION)[0]


@pytest.mark.asyncio
async def test_a_slow_client_is_told_to_ask_anew(
    cast: Cast, start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "UNACKNOWLEDGED_MESSAGES", 3)
    monkeypatch.setattr(hub, "QUEUED_MESSAGES", 5)
    execution = await in_thread(start)
    tab = await opened(await cookie_of(cast.root), acknowledges=False)
    await tab.monitor()

    def trash_often() -> None:
        run_it(execution)
        cancel_execution(execution, by=cast.root)
        for _ in range(30):
            fetch("SELECT pg_notify(%s, %s)", (CHANGED, f'{{"changed": ["{execution.pk}"], "logged": {{}}}}'))
            time.sleep(0.08)

    await in_thread(trash_often)
    subscriber = next(iter(hub.hub.subscribers()))
    assert len(subscriber._queue) <= 6, "what a client does not read must not pile up"
    tab.acknowledges = True
    kinds = []
    while "resync" not in kinds:
        kinds.append((await tab.message())["type"])
    assert len(kinds) <= 4, "what it was sent before, and the word"
    snapshot = await tab.monitor()
    assert snapshot["rows"][0]["status"] == "ENDED_CANCELLED"
    await tab.close()


@pytest.mark.asyncio
async def test_what_goes_to_the_trash_is_told(cast: Cast, start: Starter) -> None:
    execution = await in_thread(start)
    await in_thread(lambda: cancel_execution(execution, by=cast.root))
    tab = await opened(await cookie_of(cast.root))
    await tab.monitor()
    await in_thread(lambda: trash_execution(execution, by=cast.root))
    while not (await tab.hear_row(execution.pk))["is_deleted"]:
        pass
    await tab.close()


@pytest.mark.asyncio
async def test_a_filter_chooses_what_is_told(cast: Cast, start: Starter) -> None:
    tab = await opened(await cookie_of(cast.root))
    await tab.monitor(filter={"q": "wanted"})
    await in_thread(start, "other")
    wanted = await in_thread(start, "wanted one")
    assert [row["id"] for row in (await tab.hear("changes"))["rows"]] == [str(wanted.pk)]
    await tab.close()


@pytest.mark.asyncio
async def test_nonsense_gets_an_answer_in_words(cast: Cast) -> None:
    tab = await opened(await cookie_of(cast.root))
    for nonsense in ("{", "[]", "7"):
        await tab.socket.send_to(text_data=nonsense)
        assert (await tab.hear("error"))["message"] == "Send a JSON object."
    await tab.ask(subscribe="everything")
    assert "monitor" in (await tab.hear("error"))["message"]
    await tab.ask(subscribe="monitor", filter={"group": "unheard-of"})
    assert "unheard-of" in (await tab.hear("error"))["message"]
    await tab.close()


@pytest.mark.asyncio
async def test_after_a_cut_connection_everyone_asks_anew(cast: Cast, start: Starter) -> None:
    """The database ends the ear's connection: it takes a new lease, and no news is lost for good."""
    tab = await opened(await cookie_of(cast.root))
    await tab.monitor()

    def cut() -> None:
        deadline = time.monotonic() + 10
        while not live.ear.is_hearing and time.monotonic() < deadline:
            time.sleep(0.02)
        fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'engine-lease'"
        )

    await in_thread(cut)
    execution = await in_thread(start, "meanwhile")
    await tab.hear("resync")
    assert str(execution.pk) in [row["id"] for row in (await tab.monitor())["rows"]]
    later = await in_thread(start, "later")
    await tab.hear_row(later.pk)
    await tab.close()


@pytest.mark.asyncio
async def test_the_web_process_holds_a_lease_and_gives_it_back(cast: Cast) -> None:
    tab = await opened(await cookie_of(cast.root))
    await tab.monitor()

    def lease() -> Process:
        deadline = time.monotonic() + 10
        while not live.ear.is_hearing and time.monotonic() < deadline:
            time.sleep(0.02)
        return Process.objects.get(role=Process.Role.WEB, ended_at=None)

    assert (await in_thread(lease)).is_alive
    await tab.close()
    await in_thread(live.ear.stop)
    assert not await in_thread(Process.objects.filter(role=Process.Role.WEB, ended_at=None).exists)


def test_waiting_for_an_end(cast: Cast, start: Starter) -> None:
    """A view's thread waits for an end: it is told at once, and gives up in time."""
    live.ear.start()
    execution = start()
    began = time.monotonic()
    assert not wait_ended(execution.pk, 0.3)
    assert 0.25 < time.monotonic() - began < 5

    def end_soon() -> None:
        time.sleep(0.3)
        cancel_execution(execution, by=cast.root)
        connection.close()

    thread = threading.Thread(target=end_soon)
    thread.start()
    assert wait_ended(execution.pk, 20)
    thread.join()
    assert wait_ended(execution.pk, 0), "one that has ended is not waited for"
