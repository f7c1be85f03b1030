"""/alive says that the process answers; /ready says 200 only when executions would run, and else why not."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from engine_site import health
from executions.models import FROZEN_AFTER_SECONDS, Process


@pytest.fixture(autouse=True)
def forget_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", False)


def add_host(seconds_ago: float = 0, **fields: Any) -> None:
    Process.objects.create(
        role=fields.pop("role", Process.Role.HOST),
        pid=1,
        machine="here",
        heartbeat_at=timezone.now() - timedelta(seconds=seconds_ago),
        **fields,
    )


def test_alive_needs_no_database(client: Client) -> None:
    answer = client.get("/alive")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_with_a_live_worker(client: Client) -> None:
    add_host()
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
@pytest.mark.parametrize(
    "host",
    [
        {"seconds_ago": FROZEN_AFTER_SECONDS + 1},
        {"ended_at": timezone.now()},
        {"role": Process.Role.WEB},
    ],
    ids=["silent", "ended", "not a host"],
)
def test_not_ready_without_a_live_worker(client: Client, host: dict[str, Any]) -> None:
    add_host(**host)
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "reasons": ["No worker is alive."]}


@pytest.mark.django_db
def test_not_ready_before_the_migrations(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    add_host()
    monkeypatch.setattr(
        "django.db.migrations.loader.MigrationLoader.check_consistent_history", lambda *_: None
    )
    recorder = "django.db.migrations.recorder.MigrationRecorder.applied_migrations"
    monkeypatch.setattr(recorder, lambda self: {})
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["The database lacks migrations."]


def test_not_ready_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> bool:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(health, "is_migrated", refuse)
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["The database does not answer."]


@pytest.mark.django_db
def test_ready_is_cheap(client: Client, django_assert_num_queries: Any) -> None:
    add_host()
    client.get("/ready")
    with django_assert_num_queries(1):
        client.get("/ready")


def test_pages_carry_the_safety_headers(client: Client) -> None:
    answer = client.get("/alive")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
