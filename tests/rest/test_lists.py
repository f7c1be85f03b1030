"""Lists: pages without gap or repeat, filters, orders, fields; a list that takes too long says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet

from access.rest import Guarded
from executions.models import Execution
from flows.models import Flow
from flows.operations import create_flow
from records import listing
from tests.cast import Cast
from tests.rest.conftest import SCRIPT, Caller


@pytest.fixture
def flows(cast: Cast) -> list[Flow]:
    names = ["delta", "Alpha", "charlie", "bravo", "alpha 2", "100%", "under_score", "echo"]
    return [
        create_flow(by=cast.alice, project=cast.workshop, name=name, script=SCRIPT, priority=number % 3)
        for number, name in enumerate(names)
    ]


@pytest.fixture
def executions(root: Caller, flow: Flow) -> list[str]:
    """Twelve executions; every third one started, at two moments only, so that the order has ties and nulls."""
    ids = [
        root.post("/execution", {"flow_id": str(flow.pk), "name": f"run {n}", "priority": n % 2}).body["id"]
        for n in range(12)
    ]
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    for number, key in enumerate(ids):
        if number % 3 == 0:
            Execution.objects.filter(pk=key).update(
                started_at=moment + timedelta(hours=number % 2), cpu_seconds=0.1 + 0.2
            )
    return ids


@pytest.mark.parametrize(
    "order", ["name", "-name", "id", "-id", "priority", "-priority", "created_at", "-version", "is_readonly"]
)
@pytest.mark.parametrize("limit", [1, 3])
def test_a_walk_has_no_gap_and_no_repeat(root: Caller, flows: list[Flow], order: str, limit: int) -> None:
    walked = [row["id"] for row in root.walk("/flow", {"order": order, "limit": limit})]
    whole = root.get("/flow", {"order": order}).body
    assert walked == [row["id"] for row in whole["results"]]
    assert sorted(walked) == sorted(str(flow.pk) for flow in flows)
    assert whole["next"] is None


@pytest.mark.parametrize(
    "order", ["started_at", "-started_at", "cpu_seconds", "-cpu_seconds", "priority", "-host_id", "status"]
)
def test_a_walk_over_ties_and_missing_values(root: Caller, executions: list[str], order: str) -> None:
    walked = [row["id"] for row in root.walk("/execution", {"order": order, "limit": 2})]
    assert sorted(walked) == sorted(executions)
    assert walked == [row["id"] for row in root.get("/execution", {"order": order}).body["results"]]


def test_a_walk_while_rows_are_added(root: Caller, executions: list[str], flow: Flow) -> None:
    def add() -> None:
        root.post("/execution", {"flow_id": str(flow.pk)})

    newest_first = [row["id"] for row in root.walk("/execution", {"limit": 5}, between=add)]
    assert newest_first == executions[::-1]
    oldest_first = [
        row["id"] for row in root.walk("/execution", {"limit": 5, "order": "id"}, between=lambda: None)
    ]
    assert oldest_first[: len(executions)] == executions
    assert len(oldest_first) == len(set(oldest_first)) == Execution.objects.count()


def test_a_walk_while_rows_are_removed(root: Caller, flows: list[Flow]) -> None:
    def remove() -> None:
        if (
            first := Flow.objects.alive().order_by("name").first()
        ) is not None and first.name != "under_score":
            root.delete(f"/flow/{first.pk}")

    names = [row["name"] for row in root.walk("/flow", {"limit": 2}, between=remove)]
    assert len(names) == len(set(names)) == len(flows)


def test_a_cursor_belongs_to_its_order(root: Caller, flows: list[Flow]) -> None:
    cursor = root.get("/flow", {"limit": 2, "order": "name"}).body["next"]
    answer = root.get("/flow", {"cursor": cursor, "order": "-name"})
    assert (answer.status, list(answer.details)) == (400, ["cursor"])
    assert root.get("/flow", {"cursor": cursor}).status == 200


def test_defaults(root: Caller, flows: list[Flow], executions: list[str]) -> None:
    names = root.get("/flow").names()
    assert names == list(Flow.objects.alive().order_by("name").values_list("name", flat=True))
    assert [row["id"] for row in root.get("/execution").body["results"]] == executions[::-1]


def test_large_fields_come_when_asked_for(root: Caller, executions: list[str]) -> None:
    [row, *_] = root.get("/execution").body["results"]
    assert "input_value" not in row and "output_value" not in row and "status" in row
    [row, *_] = root.get("/execution", {"fields": "id,input_value"}).body["results"]
    assert row == {"id": executions[-1], "input_value": None}
    [row, *_] = root.get("/flow").body["results"]
    assert "script" not in row
    assert root.get("/flow", {"fields": "script"}).body["results"] == [{"script": SCRIPT}]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ({"field": "name", "value": "delta"}, {"delta"}),
        ({"field": "name", "op": "eq", "value": "delta"}, {"delta"}),
        ({"field": "name", "op": "like", "value": "al%"}, {"alpha 2"}),
        ({"field": "name", "op": "ilike", "value": "al%"}, {"Alpha", "alpha 2"}),
        ({"field": "name", "op": "like", "value": "%\\%"}, {"100%"}),
        ({"field": "name", "op": "like", "value": "under\\_score"}, {"under_score"}),
        ({"field": "name", "op": "in", "value": ["delta", "echo", "x"]}, {"delta", "echo"}),
        ({"field": "name", "op": "in", "value": []}, set()),
        ({"field": "priority", "op": "ge", "value": 2}, {"charlie", "100%"}),
        ({"field": "priority", "op": "gt", "value": 1.5}, {"charlie", "100%"}),
        (
            {"and": [{"field": "priority", "value": 1}, {"field": "name", "op": "lt", "value": "b"}]},
            {"Alpha", "alpha 2"},
        ),
        (
            {"or": [{"field": "name", "value": "echo"}, {"field": "name", "value": "delta"}]},
            {"echo", "delta"},
        ),
        ({"not": {"field": "name", "op": "ilike", "value": "%a%"}}, {"100%", "under_score", "echo"}),
        ({"field": "input_schema", "op": "is", "value": None}, None),
        ({"field": "is_readonly", "op": "is", "value": True}, set()),
        ({"field": "is_readonly", "value": False}, None),
        ({"field": "created_at", "op": "gt", "value": "2020-01-01"}, None),
        ({"field": "created_at", "op": "lt", "value": "2020-01-01T00:00:00Z"}, set()),
        ({"field": "priority", "op": "gt", "value": 2**40}, set()),
        ({"field": "id", "op": "ge", "value": "00000000-0000-7000-8000-000000000000"}, None),
    ],
)
def test_filters(root: Caller, flows: list[Flow], expression: Any, names: set[str] | None) -> None:
    answer = root.get("/flow", {"filter": expression})
    assert answer.status == 200, answer.body
    assert set(answer.names()) == ({flow.name for flow in flows} if names is None else names)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ([], "filter: expected an object"),
        ({}, "the value is missing"),
        ({"field": "name"}, "the value is missing"),
        ({"field": "nome", "value": 1}, "no field 'nome'"),
        ({"field": "pinned", "value": 1}, "no field 'pinned'"),
        ({"field": "project__name", "value": "x"}, "no field"),
        ({"field": "name", "op": "regex", "value": "x"}, "no operator 'regex'"),
        ({"field": "name", "opp": "ne", "value": "x"}, "nothing else beside it"),
        ({"and": [{"field": "name", "value": "x"}], "or": []}, "nothing else beside it"),
        ({"and": []}, "filter.and: expected a list"),
        ({"or": [{"field": "name", "value": "x"}, {"field": "id", "value": "zz"}]}, "filter.or[1]"),
        ({"not": {"not": {"field": "x", "value": 1}}}, "filter.not.not"),
        ({"field": "priority", "value": "high"}, "takes a number"),
        ({"field": "name", "value": 5}, "takes text"),
        ({"field": "is_readonly", "value": 1}, "takes true or false"),
        ({"field": "name", "op": "in", "value": "x"}, "takes a list"),
        ({"field": "name", "op": "in", "value": ["x"] * 1001}, "1,000 values"),
        ({"field": "name", "op": "like", "value": "x\\"}, "backslash"),
        ({"field": "priority", "op": "like", "value": "x"}, "is for text fields"),
        ({"field": "name", "op": "is", "value": True}, "takes null"),
        ({"field": "name", "op": "gt", "value": None}, "takes a value"),
        ({"field": "created_at", "op": "gt", "value": "yesterday"}, "does not fit"),
        ({"field": "created_at", "op": "gt", "value": "2020-13-41"}, "does not fit"),
        ({"and": [{"field": "name", "value": "x"}] * 101}, "too large"),
    ],
)
def test_wrong_filters(root: Caller, cast: Cast, expression: Any, words: str) -> None:
    answer = root.get("/flow", {"filter": expression})
    assert (answer.status, list(answer.details)) == (400, ["filter"]), answer.body
    assert words in answer.details["filter"][0]


def test_a_filter_that_is_too_deep(root: Caller) -> None:
    expression: Any = {"field": "name", "value": "x"}
    for _ in range(10):
        expression = {"not": expression}
    assert "too large" in root.get("/flow", {"filter": expression}).details["filter"][0]


def test_a_filter_by_time_becomes_a_range_of_ids(
    root: Caller, executions: list[str], statements: Any
) -> None:
    query = {"filter": {"field": "created_at", "op": "ge", "value": "2024-05-01T00:00:00Z"}}
    with statements() as sent:
        assert len(root.get("/execution", query).body["results"]) == len(executions)
    [listed] = [text for text in sent if 'FROM "executions_execution"' in text]
    assert '"executions_execution"."id" >=' in listed
    with statements() as sent:
        query = {"filter": {"not": {"field": "created_at", "op": "lt", "value": "2024-05-01T00:00:00Z"}}}
        assert len(root.get("/execution", query).body["results"]) == len(executions)


def test_a_filter_by_time_is_exact(root: Caller, executions: list[str]) -> None:
    moments = dict(Execution.objects.values_list("id", "created_at"))
    middle = sorted(moments.values())[6]
    for operator, number in (("lt", 6), ("le", 7), ("gt", 5), ("ge", 6)):
        query = {"filter": {"field": "created_at", "op": operator, "value": middle.isoformat()}}
        assert len(root.get("/execution", query).body["results"]) == number


def test_a_list_that_takes_too_long_says_so(
    root: Caller, flows: list[Flow], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = Guarded.visible

    def slowly(self: Guarded, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        return narrow(self, rows).extra(where=["pg_sleep(1) IS NOT NULL"])

    monkeypatch.setattr(Guarded, "visible", slowly)
    monkeypatch.setattr(listing, "_TIME_LIMIT", "100ms")
    answer = root.get("/flow")
    assert (answer.status, answer.code) == (422, "list_too_slow")
    assert "Narrow your filter" in answer.body["error"]["message"]
    monkeypatch.undo()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    assert root.get("/flow").status == 200


@pytest.mark.parametrize("path", ["/flow", "/execution", "/project", "/user", "/api_key"])
def test_a_list_is_one_statement_whatever_its_length(
    root: Caller, flows: list[Flow], executions: list[str], path: str, statements: Any
) -> None:
    root.get(path)  # notes the use of the key
    with statements() as sent:
        root.get(path, {"limit": 500})
    asked = [text for text in sent if "SELECT" in text]
    assert len(asked) == 2, sent  # the key, the list
    assert not any("COUNT(" in text.upper() or "OFFSET" in text for text in sent)


def test_the_number_of_statements_for_a_member(alice: Caller, flows: list[Flow], statements: Any) -> None:
    alice.get("/flow")
    with statements() as sent:
        assert len(alice.get("/flow").names()) == len(flows)
    assert len([text for text in sent if "SELECT" in text]) == 3, sent  # the key, the roles, the list


def test_ids_made_in_one_millisecond_page_too(root: Caller, flow: Flow, executions: list[str]) -> None:
    moment = Execution.objects.order_by("id").values_list("created_at", flat=True)[0]
    Execution.objects.update(created_at=moment, version=F("version") + 1)
    walked = [row["id"] for row in root.walk("/execution", {"order": "created_at", "limit": 5})]
    assert walked == executions
