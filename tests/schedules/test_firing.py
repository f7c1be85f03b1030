"""Firing: each time once, with what was asked for, and nothing that one schedule does stops another."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from executions import hosting
from executions.lifecycle import DUE, Status
from executions.models import Execution, Transition
from executions.operations import cancel_execution
from executions.pausing import end_maintenance, pause_execution, resume_execution, start_maintenance
from executions.timers import IS_TIMED
from schedules.firing import _IS_LIVE, fire_due
from schedules.models import Firing, Schedule
from schedules.policy import due_at
from tests.executions.stage import in_threads
from tests.schedules.clockwork import Clockwork


def test_an_enabled_schedule_sleeps_until_its_first_time(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    live = clockwork.live(schedule)
    assert live is not None and live.pk == schedule.execution_id
    assert (live.status, live.type, live.script_id, live.attempt) == (Status.SLEEPING, "SCHEDULE", None, 0)
    assert live.ready_at == schedule.next_at == clockwork.at(schedule, 60)
    assert live.waiting_for["until"] == live.ready_at.isoformat()


def test_each_time_starts_the_flow_once(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(overlap="allow", input_value={"a": 1})
    clockwork.pass_by(schedule, [59, 60, 60, 60.5, 119.9, 120])
    first, second = clockwork.started(schedule)
    assert (first.status, first.type, first.origin) == (Status.QUEUED, "FLOW", "SCHEDULE")
    assert (first.flow_id, first.project_id) == (schedule.flow_id, schedule.flow.project_id)
    assert (first.input_value, first.created_by_id) == ({"a": 1}, schedule.created_by_id)
    assert first.scheduled_for == clockwork.at(schedule, 60) and second.scheduled_for == clockwork.at(
        schedule, 120
    )
    assert clockwork.outcomes(schedule) == [(60, "started"), (120, "started")]
    schedule.refresh_from_db()
    assert schedule.iterations == 2 and schedule.next_at == clockwork.at(schedule, 180)


def test_firing_leaves_one_execution_with_one_line_of_history(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(overlap="allow")
    before = clockwork.live(schedule)
    clockwork.pass_by(schedule, range(60, 1200, 60))
    after = clockwork.live(schedule)
    assert (
        before is not None and after is not None and after.pk == before.pk and after.version > before.version
    )
    assert Transition.objects.filter(execution=after).count() == 1
    assert after.waiting_for["until"] == clockwork.at(schedule, 1200).isoformat()


def test_a_sleeping_schedule_is_never_queued(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    Execution.objects.filter(schedule_id=schedule.pk).update(ready_at=timezone.now() - timedelta(hours=1))
    hosting.queue_due()
    live = clockwork.live(schedule)
    assert live is not None and live.status == Status.SLEEPING


def test_workers_that_fire_at_once_start_each_time_once(clockwork: Clockwork) -> None:
    schedules = [clockwork.schedule(overlap="allow") for _ in range(10)]
    last = max(clockwork.at(each, 0) for each in schedules)
    for minute in range(1, 6):
        now = last + timedelta(seconds=60 * minute + 1)
        in_threads(*[lambda now=now: [fire_due(now, most=3) for _ in range(6)]] * 4)
    for each in schedules:
        assert clockwork.outcomes(each) == [(60 * n, "started") for n in range(1, 6)]
        assert len(clockwork.started(each)) == 5


def test_a_time_that_was_started_is_not_started_again(clockwork: Clockwork) -> None:
    """Whatever puts the clock of a schedule back: the row of the firing stands against it."""
    schedule = clockwork.schedule(overlap="allow")
    first = schedule.next_at
    clockwork.pass_to(schedule, 61)
    Schedule.objects.filter(pk=schedule.pk).update(next_at=first)
    Execution.objects.filter(pk=schedule.execution_id).update(ready_at=first)
    clockwork.pass_to(schedule, 62)
    assert len(clockwork.started(schedule)) == 1
    schedule.refresh_from_db()
    assert schedule.iterations == 1


def test_what_cannot_be_started_is_written_down(clockwork: Clockwork) -> None:
    schema = {"type": "object", "required": ["who"], "properties": {"who": {"type": "string"}}}
    flow = clockwork.flow(input_schema=schema)
    schedule, other = clockwork.schedule(flow=flow, input_value={"who": "me"}), clockwork.schedule()
    Schedule.objects.filter(pk=schedule.pk).update(input_value={})
    clockwork.pass_to(other, 61)
    assert clockwork.outcomes(schedule) == [(60, "failed")] and clockwork.outcomes(other) == [(60, "started")]
    assert "who" in Firing.objects.get(schedule=schedule).message
    schedule.refresh_from_db()
    assert schedule.is_enabled and schedule.iterations == 0


def test_a_flow_in_the_trash_is_not_started(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    schedule.flow.deleted_at = timezone.now()
    schedule.flow.save()
    clockwork.pass_to(schedule, 61)
    assert "in the trash" in Firing.objects.get(schedule=schedule).message


def test_what_means_nothing_any_more_stops_its_schedule_only(clockwork: Clockwork) -> None:
    broken, other = clockwork.schedule(), clockwork.schedule()
    Schedule.objects.filter(pk=broken.pk).update(configuration={"seconds": "many"})
    clockwork.pass_to(other, 61)
    broken.refresh_from_db()
    assert not broken.is_enabled and "seconds" in broken.stopped_because and clockwork.live(broken) is None
    assert clockwork.outcomes(other) == [(60, "started")]


def test_what_the_database_refuses_stops_its_schedule_only(clockwork: Clockwork) -> None:
    broken, other = clockwork.schedule(), clockwork.schedule()
    Schedule.objects.filter(pk=broken.pk).update(iterations=2**31 - 1)  # one more does not fit its column
    clockwork.pass_to(other, 61)
    assert clockwork.outcomes(other) == [(60, "started")] and clockwork.outcomes(broken) == []
    ended = Execution.objects.get(pk=broken.execution_id)
    assert ended.status == Status.ENDED_ERROR and "out of range" in ended.message


def test_jitter_is_the_same_for_the_same_time(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(jitter_seconds=50)
    assert schedule.next_at is not None
    due = due_at(schedule, schedule.next_at)
    live = clockwork.live(schedule)
    assert live is not None and live.ready_at == due
    late = (due - schedule.next_at).total_seconds()
    assert 0 <= late <= 50
    clockwork.pass_by(schedule, [60 + late - 0.01, 60 + late + 0.01])
    assert clockwork.outcomes(schedule) == [(60, "started")]
    times = [clockwork.at(schedule, 60 * n) for n in range(200)]
    spread = [(due_at(schedule, each) - each).total_seconds() for each in times]
    assert min(spread) < 10 and max(spread) > 40


def test_a_cancelled_schedule_fires_no_more(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    live = clockwork.live(schedule)
    assert live is not None
    cancel_execution(live, by=clockwork.cast.root)
    assert clockwork.live(schedule) is None
    clockwork.pass_to(schedule, 600)
    assert clockwork.outcomes(schedule) == []


def test_a_paused_schedule_fires_when_it_goes_on(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    live = clockwork.live(schedule)
    assert live is not None
    pause_execution(live, by=clockwork.cast.root)
    clockwork.pass_to(schedule, 300)
    assert clockwork.outcomes(schedule) == []
    resume_execution(live, by=clockwork.cast.root)
    live.refresh_from_db()
    assert live.status == Status.SLEEPING
    clockwork.pass_to(schedule, 301)
    assert clockwork.outcomes(schedule) == [(60, "missed"), (300, "started")]


def test_nothing_fires_in_maintenance(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    start_maintenance(by=clockwork.cast.root)
    try:
        assert fire_due(clockwork.at(schedule, 61)) is None
        assert clockwork.outcomes(schedule) == []
    finally:
        end_maintenance(by=clockwork.cast.root)
    clockwork.pass_to(schedule, 61)
    assert clockwork.outcomes(schedule) == [(60, "started")]


@pytest.mark.parametrize("index", ["execution_due", "execution_timed"])
def test_timers_are_found_by_their_index(clockwork: Clockwork, index: str) -> None:
    due = ", ".join(f"'{status}'" for status in DUE)
    condition = {
        "execution_due": f"status IN ({due}) AND ready_at IS NOT NULL AND host_id IS NULL AND NOT {IS_TIMED}",
        "execution_timed": f"{_IS_LIVE} AND ready_at IS NOT NULL",
    }[index]
    with transaction.atomic(), connection.cursor() as cursor:
        # A table of tests is small, and may be read by any index; that of the states is out of the question here.
        cursor.execute("DROP INDEX execution_of_status")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT min(ready_at) FROM executions_execution e WHERE {condition}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        transaction.set_rollback(True)
    assert index in plan, plan
