"""The monitor's filter: what each parameter shows, in SQL and for live rows alike."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from executions import monitor, moves
from executions.lifecycle import Status
from executions.models import Execution
from executions.operations import trash_execution
from executions.snapshots import read_rows, rows_query
from flows.operations import create_flow
from records.identifiers import first_id_at
from tests.cast import Cast
from tests.monitor.conftest import SCRIPT, Starter


@pytest.fixture
def shelf(cast: Cast, start: Starter, end: Callable[..., Execution]) -> dict[str, Execution]:
    """One execution of each kind, by its name."""
    other = create_flow(by=cast.root, project=cast.attic, name="other", script=SCRIPT)
    made = {
        "queued": start("queued"),
        "dev": start("dev", is_productive=False),
        "script": start("script", script=SCRIPT, project=cast.workshop),
        "attic": start("attic", flow=other),
        "bobs": start("bobs", by=cast.bob),
        "running": start("running"),
        "sleeping": start("sleeping"),
        "scheduled": start("scheduled", scheduled_for=timezone.now() + timedelta(days=1)),
        "created": start("created", run=False),
        "success": end(start("success")),
        "error": end(start("error"), Status.ENDED_ERROR),
        "cancelled": end(start("cancelled"), Status.ENDED_CANCELLED),
    }
    made["child"] = start("child", parent=made["running"])
    for name, status in (
        ("running", Status.RUNNING),
        ("sleeping", Status.RUNNING),
        ("sleeping", Status.SLEEPING),
    ):
        moves.move("e.id = %(id)s", status, {"id": made[name].pk})
    return made


ENDED = ["success", "error", "cancelled"]
WAITING = ["queued", "dev", "script", "attic", "bobs", "sleeping", "scheduled", "child"]
ALL = [*WAITING, *ENDED, "running", "created"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ALL),
        ({"group": "active"}, [*WAITING, "running", "created"]),
        ({"group": "running"}, ["running"]),
        ({"group": "waiting"}, WAITING),
        ({"group": "paused"}, []),
        ({"group": "success"}, ["success"]),
        ({"group": "error"}, ["error"]),
        ({"group": "cancelled"}, ["cancelled"]),
        ({"group": "created"}, ["created"]),
        ({"type": "SCRIPT"}, ["script"]),
        ({"mode": "dev"}, ["dev"]),
        ({"q": "s"}, ["script", "sleeping", "scheduled", "success"]),
        ({"q": "su"}, ["success"]),
        ({"q": "100%"}, []),
        ({"group": "waiting", "q": "s"}, ["script", "sleeping", "scheduled"]),
        ({"view": "tree"}, [name for name in ALL if name != "child"]),
        ({"since": "1h"}, ALL),
        ({"from": "2100-01-01"}, []),
        ({"to": "2020-01-01"}, []),
    ],
    ids=str,
)
def test_what_a_filter_shows(
    cast: Cast, shelf: dict[str, Execution], given: dict[str, str], expected: list[str]
) -> None:
    wanted = monitor.read_filter(given, cast.root)
    page = monitor.read_page(cast.root, wanted)
    assert sorted(row["name"] for row in page.rows) == sorted(expected)
    assert [row["id"] for row in page.rows] == sorted((row["id"] for row in page.rows), reverse=True)
    # A live row is matched without its status, which it may be leaving; the rest must say the same as SQL.
    lasting = monitor.read_filter(
        {name: value for name, value in given.items() if name != "group"}, cast.root
    )
    told = [row["name"] for row in read_rows(Execution.objects.all()) if wanted.matches(row)]
    assert sorted(told) == sorted(row["name"] for row in monitor.read_page(cast.root, lasting).rows)


def test_filters_by_record_and_person(cast: Cast, shelf: dict[str, Execution]) -> None:
    def names(**given: Any) -> list[str]:
        wanted = monitor.read_filter({name: str(value) for name, value in given.items()}, cast.bob)
        return [row["name"] for row in monitor.read_page(cast.root, wanted).rows]

    assert names(project=cast.attic.pk) == ["attic"]
    assert names(flow=shelf["attic"].flow_id) == ["attic"]
    assert names(who="me") == ["bobs"]
    assert names(who=cast.bob.pk) == ["bobs"]
    assert names(q=shelf["error"].pk) == ["error"]
    today = timezone.now().date().isoformat()
    assert len(names(**{"from": today, "to": today})) == len(ALL), "the last day is shown whole"


def test_only_what_one_may_see_and_nothing_from_the_trash(cast: Cast, shelf: dict[str, Execution]) -> None:
    everything = monitor.MonitorFilter()
    trash_execution(shelf["error"], by=cast.root)

    def names(person: Any) -> set[str]:
        return {row["name"] for row in monitor.read_page(person, everything).rows}

    assert names(cast.root) == set(ALL) - {"error"}
    assert names(cast.carol) == set(ALL) - {"error", "attic"}
    assert names(cast.mallory) == set()
    assert monitor.read_count(cast.carol, everything) == len(ALL) - 2
    assert shelf["attic"].pk not in monitor.read_matching_ids(cast.carol, everything)
    assert [row["name"] for row in monitor.read_shown(cast.mallory, [shelf["queued"].pk])] == []


@pytest.mark.parametrize(
    "given",
    [
        {"group": "x"},
        {"type": "x"},
        {"project": "x"},
        {"mode": "x"},
        {"since": "x"},
        {"from": "x"},
        {"from": "0001-01-01"},
        {"who": "x"},
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(cast: Cast, given: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        monitor.read_filter(given, cast.root)
    assert list(caught.value.message_dict) == list(given)


def test_pages_by_key_meet_without_gap_or_repeat(cast: Cast, start: Starter) -> None:
    made = [start(f"number {number}") for number in range(7)]
    everything, seen, after = monitor.MonitorFilter(), [], None
    for _ in range(4):
        page = monitor.read_page(cast.root, everything, after, size=2)
        seen += [row["id"] for row in page.rows]
        start("a newcomer does not shift the older pages")
        after = page.older
    assert after is None
    assert seen == [execution.pk for execution in reversed(made)]


def test_counts_are_capped(cast: Cast, start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        start()
    monkeypatch.setattr(monitor, "COUNTED", 2)
    assert monitor.read_count(cast.root, monitor.MonitorFilter()) == 3


def test_a_slow_question_is_stopped(db: None) -> None:
    with pytest.raises(monitor.TooSlow), monitor.time_limit(50), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0", "the limit ends with its question"


LARGE = 20_000


def _fill(model: Execution) -> None:
    """Put many ended executions beside the model, a row a second; two of three have a parent."""
    known = {field.attname: getattr(model, field.attname) for field in Execution._meta.concrete_fields}
    ended = {"status": Status.ENDED_SUCCESS, "ended_at": model.created_at, "ready_at": None}
    rows = []
    for number in range(LARGE):
        at = model.created_at - timedelta(seconds=LARGE - number)
        key = UUID(int=first_id_at(at).int + number)
        parent = None if number % 3 == 0 else model.pk
        rows.append(Execution(**known | ended | {"id": key, "name": f"name {number}", "parent_id": parent}))
    Execution.objects.bulk_create(rows, batch_size=2_000)


def test_every_filter_is_served_by_an_index(cast: Cast, start: Starter) -> None:
    """Among many ended rows no offered filter may read the table from end to end."""
    model = start("model")
    _fill(model)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE executions_execution")
    given: list[dict[str, Any]] = [
        {},
        *({"group": group} for group in (*monitor.GROUPS, "active")),
        {"type": "SCRIPT"},
        {"mode": "dev"},
        {"flow": str(model.flow_id)},
        {"project": str(cast.attic.pk)},
        {"who": str(cast.bob.pk)},
        {"q": "no such name"},
        {"view": "tree"},
        {"since": "1h"},
        {"from": "2100-01-01"},
        {"to": "2020-01-01"},
    ]
    for each in given:
        matching = monitor.matching(cast.root, monitor.read_filter(each, cast.root))[: monitor.PAGE_SIZE]
        executions = rows_query(matching, with_children=True)
        with monitor.time_limit():
            plan = executions.explain()
            read = _rows_read(executions)
        assert "Seq Scan on executions_execution" not in plan, f"{each}: {plan}"
        assert read <= 400, f"{each}: {read} rows were read for a page"


def _rows_read(executions: Any) -> int:
    """Return how many rows the statement touched, those it threw away included."""
    plan = json.loads(executions.explain(format="json", analyze=True))[0]["Plan"]
    total, stack = 0, [plan]
    while stack:
        node = stack.pop()
        stack += node.get("Plans", [])
        if node.get("Relation Name") == "executions_execution":
            total += node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    return int(total)
