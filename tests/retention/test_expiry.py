"""Which executions are removed: by whose word, after which time, and what never goes."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from executions import retention
from executions.lifecycle import Status
from executions.models import Execution, LogLine, Payload, Savepoint, Transition, Wait
from executions.operations import save_execution, trash_execution
from executions.retention import expiry_of, find_expired, remove_executions, remove_payloads
from flows.models import Flow
from flows.operations import save_flow
from projects.operations import save_project
from tests.cast import Cast
from tests.retention.conftest import Put

pytestmark = pytest.mark.django_db
Days = Callable[..., None]


def expired() -> set[UUID]:
    return set(find_expired(1_000))


def remove(*executions: Execution) -> int:
    return sum(remove_executions([each.pk for each in executions]))


def test_each_outcome_has_its_time(put: Put, days: Days) -> None:
    days(success=10, error=20, cancelled=0)
    old = put(11)
    put(9)
    put(19, Status.ENDED_ERROR)
    failed = put(21, Status.ENDED_ERROR)
    put(10_000, Status.ENDED_CANCELLED)
    assert expired() == {old.pk, failed.pk}


def test_the_defaults_keep_failures_longer(put: Put) -> None:
    old = put(31)
    put(29)
    put(31, Status.ENDED_ERROR)
    assert expired() == {old.pk}


def test_the_flow_wins_over_the_project_and_that_over_the_workspace(
    put: Put, days: Days, cast: Cast, flow: Flow
) -> None:
    days(success=10)
    of_flow, of_script = put(5), put(5, flow=None, type="SCRIPT")
    elsewhere = put(15, flow=None, type="SCRIPT", project=cast.attic)
    assert expired() == {elsewhere.pk}
    save_project(cast.workshop, by=cast.root, retention={"success": 3})
    assert expired() == {elsewhere.pk, of_flow.pk, of_script.pk}
    save_flow(flow, by=cast.root, retention={"success": 0})
    assert expired() == {elsewhere.pk, of_script.pk}
    save_flow(flow, by=cast.root, retention={"error": 1})
    assert expired() == {elsewhere.pk, of_flow.pk, of_script.pk}
    save_flow(flow, by=cast.root, retention={"success": 5.5})
    assert expired() == {elsewhere.pk, of_script.pk}


def test_its_own_word_wins_over_all(put: Put, days: Days) -> None:
    days(success=10)
    now = timezone.now()
    early = put(1, expires_at=now - timedelta(hours=1))
    put(30, expires_at=now + timedelta(hours=1))
    put(1, Status.RUNNING, expires_at=now - timedelta(hours=1))
    assert expired() == {early.pk}


def test_what_lives_never_goes(put: Put) -> None:
    living = [put(1_000, status) for status in (Status.RUNNING, Status.SLEEPING, Status.PAUSED)]
    written_down = put(1_000, Status.CREATED)
    assert expired() == set()
    assert remove(*living) == 0
    for each in (*living, written_down):
        each.refresh_from_db()
        assert each.log_lines.count() == each.savepoints.count() == each.transitions.count() == 1 or (
            each is written_down
        )


def test_what_is_long_in_the_trash_goes(put: Put, days: Days, cast: Cast) -> None:
    days(trash=7, success=0)
    fresh, old, never_ran = put(1), put(1), put(1, Status.CREATED)
    for each in (fresh, old, never_ran):
        trash_execution(each, by=cast.root)
    Execution.objects.filter(pk__in=[old.pk, never_ran.pk]).update(
        deleted_at=timezone.now() - timedelta(days=8)
    )
    assert expired() == {old.pk, never_ran.pk}
    days(trash=0)
    assert expired() == set()


def test_all_that_belongs_to_it_goes_and_its_children_stay(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_PIECE", 2)  # so that it takes several pieces
    monkeypatch.setattr(retention, "BATCH", 2)
    gone = [put(40) for _ in range(5)]
    child = put(40, Status.RUNNING, parent=gone[0], root_id=gone[0].pk)
    Wait.objects.create(waiter=child, target=gone[1])
    assert remove(*gone) == 5
    assert list(Execution.objects.values_list("pk", flat=True)) == [child.pk]
    keys = [each.pk for each in gone]
    for model in (LogLine, Savepoint, Transition):
        assert not model.objects.filter(execution__in=keys).exists()
        assert model.objects.filter(execution=child).count() == 1
    assert not Wait.objects.exists()


def test_payloads_go_with_the_last_savepoint_that_needs_them(put: Put) -> None:
    first, second = put(40), put(1)
    for digest in ("1" * 64, "2" * 64):
        Payload.objects.create(sha256=digest, value=["large"])
    first.savepoints.update(payload="1" * 64)
    Savepoint.objects.create(execution=first, number=2, attempt=1, call="x", payload_id="2" * 64)
    second.savepoints.update(payload="2" * 64)
    assert remove_payloads() == 0
    remove(first)
    assert remove_payloads() == 1
    assert list(Payload.objects.values_list("pk", flat=True)) == ["2" * 64]


def test_an_execution_tells_when_it_expires(put: Put, days: Days, cast: Cast, flow: Flow) -> None:
    days(success=10, error=0)
    done = put(4)
    found = expiry_of(done)
    assert (found.said_by, found.days, found.at) == ("workspace", 10, done.ended_at + timedelta(days=10))
    assert expiry_of(put(4, Status.ENDED_ERROR)).at is None
    assert expiry_of(put(4, Status.RUNNING)).at is None
    save_flow(flow, by=cast.root, retention={"success": 2})
    assert expiry_of(Execution.objects.get(pk=done.pk)).said_by == "flow"
    saved = save_execution(done, by=cast.root, retention_seconds=3600.0)
    assert saved.expires_at == done.ended_at + timedelta(hours=1)
    assert expiry_of(saved).said_by == "execution"
    saved = save_execution(done, by=cast.root, expires_at=None)
    assert (saved.expires_at, saved.retention_seconds) == (None, None)
    with pytest.raises(ValidationError, match="number of seconds"):
        save_execution(done, by=cast.root, retention_seconds=-1.0)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "days by outcome"),
        (None, "cannot be null"),
        ({"succes": 1}, "no outcome 'succes'"),
        ({"success": -1}, "success: give a number of days"),
        ({"success": "7"}, "not '7'"),
        ({"success": True}, "not True"),
        ({"error": None}, "not None"),
    ],
)
def test_wrong_days_are_refused(cast: Cast, flow: Flow, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        save_flow(flow, by=cast.root, retention=value)


def test_the_look_for_them_uses_the_indexes(put: Put) -> None:
    """Rows that are kept for ever must not lie in the way."""
    put(40)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for index, sql, params in (
            (
                "execution_expiring",
                retention._EXPIRED,
                {"success": 1.0, "error": 1.0, "cancelled": 1.0, "most": 10},
            ),
            ("execution_expires", retention._BY_THEIR_OWN_WORD, {"most": 10}),
            ("execution_trashed", retention._LONG_IN_THE_TRASH, {"most": 10, "days": 1}),
        ):
            cursor.execute("EXPLAIN " + sql, params)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert index in plan and "Seq Scan on executions_execution" not in plan, plan
