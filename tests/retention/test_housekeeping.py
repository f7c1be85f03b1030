"""The housekeeping: a job runs when it is due, in one worker, with rests, and says what it did."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import UserSession
from access.permissions import PermissionRefused
from engine_site.jobs import remove_leftovers
from executions import housekeeping, jobs
from executions.housekeeping import Done, Job, Turn, offer_jobs, request_run, run_due, run_job
from executions.models import Execution, Housework, Process
from tests.cast import Cast
from tests.executions.stage import in_threads
from tests.retention.conftest import Put

pytestmark = pytest.mark.django_db
RETENTION = next(job for job in housekeeping.all_jobs() if job.work is jobs.remove_expired)


@pytest.fixture(autouse=True)
def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_jobs", {})


def due(name: str) -> None:
    Housework.objects.update_or_create(name=name, defaults={"next_at": timezone.now() - timedelta(minutes=1)})


def test_a_job_runs_when_it_is_due_and_says_what_it_did() -> None:
    offer_jobs(Job("dusting", 600, "Dusts.", lambda turn: Done(3, note="all clean")))
    assert run_due() == []
    due("dusting")
    assert run_due() == ["dusting"]
    row = Housework.objects.get()
    assert (row.done, row.note) == (3, "all clean")
    assert row.ran_at and row.took_seconds is not None
    assert timedelta(seconds=590) < row.next_at - timezone.now() < timedelta(seconds=601)
    assert run_due() == []


def test_what_is_left_is_done_soon() -> None:
    offer_jobs(Job("dusting", 600, "Dusts.", lambda turn: Done(3, has_more=True)))
    due("dusting")
    run_due()
    assert Housework.objects.get().next_at - timezone.now() < timedelta(seconds=10)


def test_a_failure_is_written_down_and_tried_again_in_time() -> None:
    def trips(turn: Turn) -> Done:
        raise ValueError("over the carpet")

    offer_jobs(Job("dusting", 600, "Dusts.", trips))
    due("dusting")
    with pytest.raises(ValueError):
        run_due()
    row = Housework.objects.get()
    assert row.note == "It failed: over the carpet"
    assert row.next_at > timezone.now() + timedelta(minutes=9)


def test_it_can_be_asked_for(cast: Cast) -> None:
    offer_jobs(Job("dusting", 600, "Dusts.", lambda turn: Done(0)))
    request_run("dusting", by=cast.root)
    assert run_due() == ["dusting"]
    with pytest.raises(LookupError):
        request_run("ironing", by=cast.root)
    with pytest.raises(PermissionRefused):
        request_run("dusting", by=cast.alice)


@pytest.mark.django_db(transaction=True)
def test_one_of_two_workers_does_it() -> None:
    ran = []
    offer_jobs(Job("dusting", 600, "Dusts.", lambda turn: ran.append(1) or Done(1)))  # type: ignore[func-returns-value]
    due("dusting")
    found = in_threads(run_due, run_due)
    assert sorted(found) == [[], ["dusting"]] and ran == [1]


def test_expired_ones_are_removed_until_the_turn_is_over(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_FOUND_AT_ONCE", 3)
    kept = put(1)
    for _ in range(7):
        put(40)
    stopped = threading.Event()
    stopped.set()
    assert run_job(RETENTION, Turn(10, stopped)) == Done(3, has_more=True)
    assert run_job(RETENTION) == Done(4)
    assert list(Execution.objects.values_list("pk", flat=True)) == [kept.pk]
    assert Housework.objects.get(name="retention").done == 4


def test_leftovers_go(cast: Cast) -> None:
    now = timezone.now()
    for name, days in (("old", -1), ("new", 1)):
        UserSession.objects.create(session_key=name, expire_date=now + timedelta(days=days))
    for days in (40, 1):
        Process.objects.create(role="host", pid=1, machine="here", ended_at=now - timedelta(days=days))
    Process.objects.create(role="host", pid=2, machine="here")
    assert remove_leftovers(Turn(10)) == Done(2)
    assert UserSession.objects.get().session_key == "new"
    assert Process.objects.count() == 2


def test_a_turn_rests_for_twice_as_long_as_it_worked() -> None:
    turn = Turn(10)
    turn._began -= 0.05  # as if it had worked for so long
    assert turn.rest()
    assert 9.5 < turn.until - turn._began < 9.95
