"""The admin stays quick with a million rows: few statements, none of which counts, pages by key."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Failure, OrmQ
from django_q.signing import SignedPackage

from access.api_keys import create_api_key
from access.models import SignInFailure, UserSession
from connectors.models import SecretUse
from connectors.operations import create_connector
from executions.models import (
    Execution,
    HourCount,
    Housework,
    Lock,
    LogLine,
    Maintenance,
    Payload,
    Process,
    RunChoice,
    Savepoint,
    Wait,
)
from executions.starting import Start, start_execution
from flows.models import Flow
from flows.operations import create_flow
from flows.wrappers import create_wrapper
from inbox.models import Message
from projects.models import Bundle
from projects.setting import create_setting
from records.models import ManualValue
from schedules.models import Firing
from schedules.operations import create_schedule
from schedules.scheduler_operations import create_scheduler
from tests.admin.pages import list_of, page_of
from tests.cast import Cast
from webhooks.models import RateWindow, WebhookCall
from webhooks.operations import create_webhook

OURS = {
    "records", "access", "projects", "flows", "connectors", "executions", "inbox", "schedules", "webhooks",
}  # fmt: skip
admin.autodiscover()
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
PAGE = 50


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.root, name="Sorter", project=cast.workshop)


@pytest.fixture
def few(cast: Cast, flow: Flow) -> list[Execution]:
    return [start_execution(Start(flow=flow), by=cast.root, origin="API")[0] for _ in range(3)]


@pytest.fixture
def many(cast: Cast, flow: Flow) -> list[Execution]:
    """Return more executions than two pages hold, oldest first."""
    common = {"flow": flow, "project": flow.project, "script_id": flow.pinned_id, "created_by": cast.root}
    rows = [
        Execution(name=f"sort {number:03}", type="FLOW", status="QUEUED", **common)
        for number in range(2 * PAGE + 5)
    ]
    return Execution.objects.bulk_create(rows)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_model_has_a_list_that_counts_nothing(
    client_of_root: Client, one_of_each: None, model: Any
) -> None:
    with CaptureQueriesContext(connection) as queries:
        response = client_of_root.get(list_of(model))
    assert response.status_code == 200
    counts = [query["sql"] for query in queries if re.search(r"\bCOUNT\s*\(", query["sql"], re.I)]
    assert counts == []
    assert len(queries) <= 4  # session, user, rows, and the names of statuses where a filter asks for them


def test_every_model_of_ours_has_a_page() -> None:
    ours = {
        model for config in apps.get_app_configs() if config.name in OURS for model in config.get_models()
    }
    assert ours - set(MODELS) == {
        UserSession
    }  # its key lets in whoever reads it; pages of users show sessions


@pytest.fixture
def one_of_each(cast: Cast, few: list[Execution]) -> None:
    """Make a row of every table that the other fixtures leave empty."""
    first, second = few[:2]
    create_api_key(cast.root, "nightly")
    create_wrapper(by=cast.root, name="again")
    limit = create_setting(by=cast.root, name="limit", value={"a": [1]})
    Lock.objects.create(setting=limit, execution=first, since=timezone.now())
    now = timezone.now()
    LogLine.objects.create(execution=first, number=1, at=now, text="hello", data={"a": 1})
    Wait.objects.create(waiter=first, target=second)
    Maintenance.objects.create(note="moving house")
    Housework.objects.create(name="dusting", next_at=now)
    HourCount.objects.create(project=first.project, hour=now, status="ENDED_SUCCESS", counted=3)
    RunChoice.objects.create(user=cast.root, flow=first.flow)
    Payload.objects.create(sha256="5" * 64, value=["large"])
    Savepoint.objects.create(execution=first, number=1, attempt=1, call="sleep", value=None)
    ManualValue.objects.create(name="MAX_RESIDENT", value="9")
    Message.objects.create(execution=first, project=first.project, subject="Ready?", body={"properties": {}})
    daily = create_scheduler(by=cast.root, name="Daily", built_in="daily")
    schedule = create_schedule(
        by=cast.root, name="every day", scheduler=daily, configuration={"time": "08:30"}, flow=first.flow
    )
    Firing.objects.create(schedule=schedule, nominal_at=now, outcome="started", execution=first, at=now)
    Bundle.objects.create(name="Tools", version="1", project=cast.default)
    connector = create_connector(
        by=cast.root, name="Things", connector_type="REST", secrets={"token": "sesame"}
    )
    SecretUse.objects.create(root_id=first.pk, connector=connector)
    webhook = create_webhook(by=cast.root, name="orders", flow=first.flow)
    WebhookCall.objects.create(webhook=webhook, method="POST", status=202, execution_id=first.pk)
    RateWindow.objects.create(webhook=webhook, started_at=now, calls=3)
    SignInFailure.objects.create(username="root", address="127.0.0.1")
    Process.objects.create(role=Process.Role.HOST, pid=1, machine="here")
    OrmQ.objects.create(
        key="engine", payload=SignedPackage.dumps({"id": "1", "name": "x", "func": "f", "args": ()})
    )
    Failure.objects.create(id="1", name="x", func="f", started=now, stopped=now, success=False, result="no")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_model_shows_a_record(client_of_root: Client, one_of_each: None, model: Any) -> None:
    record = model._default_manager.order_by("pk").first()
    assert record is not None, f"the test makes no {model._meta.verbose_name}"
    assert client_of_root.get(page_of(record)).status_code == 200


def test_statements_do_not_grow_with_the_rows(client_of_root: Client, cast: Cast, flow: Flow) -> None:
    start_execution(Start(flow=flow), by=cast.root, origin="API")
    with CaptureQueriesContext(connection) as with_one:
        client_of_root.get(list_of(Execution))
    for _ in range(30):
        start_execution(Start(flow=flow), by=cast.root, origin="API")
    with CaptureQueriesContext(connection) as with_many:
        client_of_root.get(list_of(Execution))
    assert len(with_many) == len(with_one)


def test_a_list_fetches_neither_values_nor_scripts(client_of_root: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        client_of_root.get(list_of(Execution))
    rows = queries[-1]["sql"]
    assert '"executions_execution"."name"' in rows
    for heavy in ("input_value", "output_value", '"flows_flow"."script"'):
        assert heavy not in rows


def test_pages_go_on_behind_the_last_row(client_of_root: Client, many: list[Execution]) -> None:
    seen, address, pages = [], list_of(Execution), 0
    while address and pages < 10:
        with CaptureQueriesContext(connection) as queries:
            changelist = client_of_root.get(address).context["cl"]
        assert all("OFFSET" not in query["sql"] for query in queries)
        seen += [row.pk for row in changelist.result_list]
        address = list_of(Execution) + changelist.next_page if changelist.next_page else ""
        pages += 1
    assert seen == [each.pk for each in reversed(many)]
    assert pages == 3


def test_a_page_keeps_its_filter(client_of_root: Client, many: list[Execution]) -> None:
    changelist = client_of_root.get(list_of(Execution, status__exact="QUEUED")).context["cl"]
    assert "status__exact=QUEUED" in changelist.next_page
    second = client_of_root.get(list_of(Execution) + changelist.next_page).context["cl"]
    assert len(second.result_list) == PAGE


def test_a_broken_page_key_leads_back_to_the_list(client_of_root: Client) -> None:
    response = client_of_root.get(list_of(Execution, p="no-key"))
    assert response.status_code == 302
    assert client_of_root.get(response["Location"]).status_code == 200


def test_search_finds_by_the_beginning_of_the_name_and_by_id(
    client_of_root: Client, many: list[Execution]
) -> None:
    def found(text: str) -> list[Any]:
        return [row.pk for row in client_of_root.get(list_of(Execution, q=text)).context["cl"].result_list]

    assert found("sort 007") == [many[7].pk]
    assert len(found("sort 00")) == 10
    assert found("007") == []
    assert found(str(many[3].pk)) == [many[3].pk]


def test_search_uses_the_index_of_names(client_of_root: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        client_of_root.get(list_of(Execution, q="sort 007"))
    assert "LIKE 'sort 007%'" in queries[-1]["sql"]
    assert "UPPER" not in queries[-1]["sql"]


@pytest.mark.parametrize("lookup", ["message__contains", "input_value__has_key", "flow__script__contains"])
def test_filters_without_an_index_are_refused(client_of_root: Client, lookup: str) -> None:
    assert client_of_root.get(list_of(Execution, **{lookup: "x"})).status_code == 400


def test_filters_with_an_index_are_allowed(client_of_root: Client, flow: Flow, many: list[Execution]) -> None:
    changelist = client_of_root.get(list_of(Execution, flow=flow.pk)).context["cl"]
    assert len(changelist.result_list) == PAGE
    assert client_of_root.get(list_of(LogLine, execution=many[0].pk)).status_code == 200
