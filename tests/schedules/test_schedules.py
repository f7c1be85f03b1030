"""Schedules and their live executions: enabling, changing, trash, supervision; overlap and failures for real."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from access.permissions import PermissionRefused
from executions.housekeeping import Turn
from executions.lifecycle import Reason, Status
from executions.models import Execution, Wait
from executions.operations import cancel_execution, rerun_execution
from schedules import operations
from schedules.jobs import remove_old_firings
from schedules.models import Firing, Schedule
from schedules.scheduler_operations import (
    SchedulerInUse,
    duplicate_scheduler,
    save_scheduler,
    trash_scheduler,
)
from schedules.supervision import supervise
from tests.executions.stage import in_threads
from tests.schedules.clockwork import Clockwork

SCRIPT = "def handler(system, this, inputs):\n    this.flow(inputs['flow_id'], wait=False)\n"


def latest(schedule: Schedule) -> Execution:
    return Execution.objects.filter(schedule_id=schedule.pk, type="SCHEDULE").latest("id")


# -- Enabled and disabled -------------------------------------------------------------------------------------


def test_a_new_schedule_is_disabled(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(is_enabled=False)
    assert clockwork.live(schedule) is None and schedule.next_at is None and schedule.next_runs == []


def test_enabling_and_disabling(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(is_enabled=False)
    clockwork.change(schedule, is_enabled=True)
    first = clockwork.live(schedule)
    assert first is not None and len(schedule.next_runs) == 10
    clockwork.change(schedule, is_enabled=True, description="the same again")
    assert clockwork.live(schedule) == first
    clockwork.change(schedule, is_enabled=False)
    assert clockwork.live(schedule) is None and schedule.next_at is None
    assert latest(schedule).status == Status.ENDED_CANCELLED
    clockwork.change(schedule, is_enabled=True)
    assert clockwork.live(schedule) not in (None, first)


def test_two_who_enable_at_once_make_one_execution(clockwork: Clockwork) -> None:
    for _ in range(5):
        schedule = clockwork.schedule(is_enabled=False)
        copies = [Schedule.objects.get(pk=schedule.pk) for _ in range(4)]
        in_threads(*[lambda each=each: clockwork.change(each, is_enabled=True) for each in copies])
        assert Execution.objects.filter(schedule_id=schedule.pk).count() == 1


def test_disabling_and_firing_at_once(clockwork: Clockwork) -> None:
    """Whoever is first: a disabled schedule has no live execution, and starts nothing any more."""
    for _ in range(10):
        schedule = clockwork.schedule(overlap="allow")
        copy = Schedule.objects.get(pk=schedule.pk)
        in_threads(
            lambda each=schedule: clockwork.pass_to(each, 61),
            lambda each=copy: clockwork.change(each, is_enabled=False),
        )
        before = len(clockwork.started(schedule))
        clockwork.pass_to(schedule, 300)
        assert clockwork.live(schedule) is None and len(clockwork.started(schedule)) == before <= 1


def test_the_trash_ends_it(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    operations.trash_schedule(schedule, by=clockwork.cast.root)
    assert clockwork.live(schedule) is None and latest(schedule).status == Status.ENDED_CANCELLED
    supervise()
    assert clockwork.live(schedule) is None
    operations.restore_schedule(schedule, by=clockwork.cast.root)
    supervise()
    schedule.refresh_from_db()
    assert not schedule.is_enabled and clockwork.live(schedule) is None


def test_a_project_in_the_trash_ends_it_until_it_is_back(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    project = schedule.project
    project.deleted_at = timezone.now()
    project.save()
    try:
        supervise()
        assert clockwork.live(schedule) is None
        supervise(rest=0)
        assert clockwork.live(schedule) is None
    finally:
        project.deleted_at = None
        project.save()
    supervise(rest=0)
    assert clockwork.live(schedule) is not None


def test_what_would_never_run_is_not_enabled(clockwork: Clockwork) -> None:
    with pytest.raises(ValidationError, match="no time to come"):
        clockwork.schedule("once", {"at": "2020-01-01T00:00"})
    with pytest.raises(ValidationError, match="no time to come"):
        clockwork.schedule(ends_at=timezone.now() + timedelta(seconds=30))


# -- Changing -------------------------------------------------------------------------------------------------


def test_other_times_count_at_once(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    live = clockwork.live(schedule)
    clockwork.change(schedule, configuration={"seconds": 10})
    assert clockwork.live(schedule) == live
    assert schedule.next_at == clockwork.at(schedule, 10)
    clockwork.pass_to(schedule, 10)
    assert clockwork.outcomes(schedule) == [(10, "started")]


def test_a_change_of_something_else_keeps_the_times(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(overlap="allow")
    stale = Schedule.objects.get(pk=schedule.pk)
    clockwork.pass_to(schedule, 61)
    clockwork.change(stale, description="read before it fired")
    assert stale.iterations == 1 and stale.next_at == clockwork.at(schedule, 120)
    clockwork.pass_to(schedule, 120)
    assert clockwork.outcomes(schedule) == [(60, "started"), (120, "started")]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"configuration": {}}, "configuration"),
        ({"configuration": {"seconds": -1}}, "configuration"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"input_value": [1]}, "input_value"),
        ({"input_value": {}}, "input_value"),
        ({"overlap": "sometimes"}, "overlap"),
        ({"catch_up_seconds": 1}, "catch_up_seconds"),
        ({"jitter_seconds": 10_000}, "jitter_seconds"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"name": ""}, "name"),
    ],
)
def test_what_is_wrong_is_named(clockwork: Clockwork, fields: dict, field: str) -> None:
    schema = {"type": "object", "required": ["who"], "properties": {"who": {"type": "string"}}}
    schedule = clockwork.schedule(flow=clockwork.flow(input_schema=schema), input_value={"who": "me"})
    with pytest.raises(ValidationError) as caught:
        clockwork.change(schedule, **fields)
    assert list(caught.value.message_dict) == [field]
    schedule.refresh_from_db()
    assert schedule.is_enabled and clockwork.live(schedule) is not None


def test_a_read_only_schedule_is_not_changed(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(is_readonly=True)
    with pytest.raises(ValidationError, match="read-only"):
        clockwork.change(schedule, is_enabled=False)
    assert clockwork.live(schedule) is not None
    clockwork.change(schedule, is_readonly=False)


def test_who_may_not_run_the_flow_may_not_schedule_it(clockwork: Clockwork) -> None:
    with pytest.raises(PermissionRefused):
        clockwork.schedule(by=clockwork.cast.carol)
    with pytest.raises(PermissionRefused):
        clockwork.schedule(by=clockwork.cast.alice, project=clockwork.cast.default)


def test_a_copy_is_disabled(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(input_value={"a": 1}, jitter_seconds=5)
    copy = operations.duplicate_schedule(schedule, by=clockwork.cast.root)
    clockwork.made.append(copy.pk)
    assert not copy.is_enabled and copy.name == f"{schedule.name} copy" and copy.input_value == {"a": 1}


def test_the_execution_of_a_schedule_is_not_repeated(clockwork: Clockwork) -> None:
    live = clockwork.live(clockwork.schedule())
    assert live is not None
    with pytest.raises(ValidationError, match="keeps one alive"):
        rerun_execution(live, by=clockwork.cast.root, origin="USER")


# -- Supervision ----------------------------------------------------------------------------------------------


def test_a_cancelled_one_begins_again_in_a_minute(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    first = clockwork.live(schedule)
    assert first is not None
    cancel_execution(first, by=clockwork.cast.root)
    supervise()
    assert clockwork.live(schedule) is None
    clockwork.age(first, 61)
    supervise()
    second = clockwork.live(schedule)
    assert second is not None and second.ready_at == schedule.next_at
    clockwork.pass_to(schedule, 61)
    assert clockwork.outcomes(schedule) == [(60, "started")]


def test_supervisors_at_once_begin_one(clockwork: Clockwork) -> None:
    schedules = [clockwork.schedule() for _ in range(5)]
    for each in schedules:
        live = clockwork.live(each)
        assert live is not None
        cancel_execution(live, by=clockwork.cast.root)
    in_threads(*[lambda: supervise(rest=0)] * 4)
    for each in schedules:
        assert Execution.objects.filter(schedule_id=each.pk, ended_at=None).count() == 1


def test_old_firings_are_forgotten(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(overlap="allow")
    clockwork.pass_by(schedule, [60, 120])
    old = Firing.objects.filter(schedule=schedule, nominal_at=clockwork.at(schedule, 60))
    old.update(at=timezone.now() - timedelta(days=31))
    assert remove_old_firings(Turn(5)).count == 1
    assert clockwork.outcomes(schedule) == [(120, "started")]


# -- Overlap --------------------------------------------------------------------------------------------------


def test_what_waits_starts_when_the_earlier_one_ends(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(overlap="queue_all")
    clockwork.pass_by(schedule, [60, 120, 180])
    assert clockwork.outcomes(schedule) == [(60, "started"), (120, "queued"), (180, "queued")]
    live = clockwork.live(schedule)
    (first,) = clockwork.started(schedule)
    assert Wait.objects.filter(waiter=live, target=first).exists()
    clockwork.end(first)
    live.refresh_from_db()
    assert live.status == Status.SLEEPING and live.ready_at <= timezone.now(), "it was woken"
    clockwork.pass_to(schedule, 181)
    assert clockwork.outcomes(schedule) == [(60, "started"), (120, "started"), (180, "queued")]
    second = clockwork.started(schedule)[-1]
    assert second.scheduled_for == clockwork.at(schedule, 120)
    clockwork.end(second)
    clockwork.pass_to(schedule, 182)
    assert [outcome for _, outcome in clockwork.outcomes(schedule)] == ["started"] * 3


def test_the_earlier_one_is_cancelled_first(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(overlap="cancel_other")
    clockwork.pass_by(schedule, [60, 120])
    first, second = clockwork.started(schedule)
    assert first.status == Status.ENDED_CANCELLED and second.status == Status.QUEUED
    assert clockwork.outcomes(schedule) == [(60, "started"), (120, "started")]


def test_an_end_that_happens_now_is_not_missed(clockwork: Clockwork) -> None:
    """The end of what runs, and the look of the schedule that wants to wait for it, at the same moment."""
    for _ in range(10):
        schedule = clockwork.schedule(overlap="queue_one")
        clockwork.pass_to(schedule, 60)
        (first,) = clockwork.started(schedule)
        in_threads(
            lambda first=first: clockwork.end(first), lambda each=schedule: clockwork.pass_to(each, 120)
        )
        live = clockwork.live(schedule)
        assert live is not None and live.ready_at is not None
        if (120, "queued") in clockwork.outcomes(schedule):
            assert live.ready_at <= clockwork.at(schedule, 121), "it looks again soon"
            clockwork.pass_to(schedule, 121)
        assert clockwork.outcomes(schedule) == [(60, "started"), (120, "started")]


def test_disabling_drops_what_waits(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(overlap="queue_all")
    clockwork.pass_by(schedule, [60, 120])
    clockwork.change(schedule, is_enabled=False)
    assert clockwork.outcomes(schedule) == [(60, "started"), (120, "skipped")]
    (first,) = clockwork.started(schedule)
    assert first.ended_at is None, "what it started lives on"


# -- Ends -----------------------------------------------------------------------------------------------------


def test_it_is_disabled_when_it_is_over(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(max_iterations=2, overlap="allow")
    assert len(schedule.next_runs) == 2
    clockwork.pass_by(schedule, [60, 120, 180])
    assert clockwork.outcomes(schedule) == [(60, "started"), (120, "started")]
    assert not schedule.is_enabled and "as often as it may" in schedule.stopped_because
    assert latest(schedule).status == Status.ENDED_SUCCESS
    supervise(rest=0)
    assert clockwork.live(schedule) is None
    clockwork.change(schedule, is_enabled=True)
    assert (
        schedule.iterations == 0 and schedule.stopped_because == "" and clockwork.live(schedule) is not None
    )


def test_a_failure_disables_it(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(pause_on_failure=True)
    clockwork.pass_to(schedule, 60)
    (first,) = clockwork.started(schedule)
    clockwork.end(first, status=Status.ENDED_ERROR, message="it broke")
    clockwork.pass_to(schedule, 61)
    schedule.refresh_from_db()
    assert not schedule.is_enabled and "it broke" in schedule.stopped_because
    ended = latest(schedule)
    assert (ended.status, ended.reason) == (Status.ENDED_ERROR, Reason.REPORTED)
    clockwork.change(schedule, is_enabled=True)
    clockwork.pass_to(schedule, 60)
    assert schedule.is_enabled and len(clockwork.started(schedule)) == 2, "old failures are forgiven"


def test_success_and_cancel_are_no_failures(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(pause_on_failure=True)
    clockwork.pass_to(schedule, 60)
    clockwork.end(*clockwork.started(schedule))
    clockwork.pass_to(schedule, 120)
    cancel_execution(clockwork.started(schedule)[-1], by=clockwork.cast.root)
    clockwork.pass_to(schedule, 180)
    schedule.refresh_from_db()
    assert schedule.is_enabled and len(clockwork.started(schedule)) == 3


# -- By hand --------------------------------------------------------------------------------------------------


def test_run_now(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(is_enabled=False, max_iterations=1, input_value={"a": 1})
    execution = operations.run_now(schedule, by=clockwork.cast.root)
    assert (execution.origin, execution.schedule_id, execution.input_value) == (
        "SCHEDULE",
        schedule.pk,
        {"a": 1},
    )
    firing = Firing.objects.get(schedule=schedule)
    assert (firing.cause, firing.outcome, firing.message) == ("person", "started", "Started by root.")
    schedule.refresh_from_db()
    assert schedule.iterations == 0
    with pytest.raises(PermissionRefused):
        operations.run_now(schedule, by=clockwork.cast.carol)


def test_backfill_starts_what_was_not_started(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule("cron", {"expression": "0 * * * *"}, overlap="allow")
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    start, end = now - timedelta(hours=5), now
    found = operations.look_back(schedule, start, end)
    assert len(found.times) == len(found.open) == 6
    operations.backfill(schedule, start + timedelta(hours=3), end, by=clockwork.cast.root)
    assert len(operations.look_back(schedule, start, end).open) == 3
    operations.backfill(schedule, start, end, by=clockwork.cast.root)
    assert [each.scheduled_for for each in clockwork.started(schedule)] == found.times
    schedule.refresh_from_db()
    assert schedule.iterations == 0


def test_backfill_goes_one_by_one_unless_they_may_overlap(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule("cron", {"expression": "0 * * * *"})
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    operations.backfill(schedule, now - timedelta(hours=2), now, by=clockwork.cast.root)
    for number in range(1, 4):
        clockwork.pass_to(schedule, 1)
        assert len(clockwork.started(schedule)) == number
        clockwork.end(clockwork.started(schedule)[-1])
    clockwork.pass_to(schedule, 1)
    assert [row.cause for row in Firing.objects.filter(schedule=schedule)] == ["backfill"] * 3


def test_backfill_has_bounds(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule("cron", {"expression": "* * * * *"})
    now = timezone.now()
    with pytest.raises(ValidationError, match="more than 1,000"):
        operations.look_back(schedule, now - timedelta(days=2), now)
    with pytest.raises(ValidationError, match="in the past"):
        operations.look_back(schedule, now + timedelta(days=1), now + timedelta(days=2))
    clockwork.change(schedule, is_enabled=False)
    with pytest.raises(ValidationError, match="Enable"):
        operations.backfill(schedule, now - timedelta(hours=1), now, by=clockwork.cast.root)


# -- Schedulers -----------------------------------------------------------------------------------------------


def test_a_scheduler_is_a_script_or_built_in(clockwork: Clockwork) -> None:
    with pytest.raises(ValidationError) as caught:
        clockwork.scheduler("daily", script=SCRIPT)
    assert list(caught.value.message_dict) == ["script"]
    scheduler = clockwork.scheduler("", script=SCRIPT)
    with pytest.raises(ValidationError, match="stays what it is"):
        save_scheduler(scheduler, by=clockwork.cast.root, built_in="daily")
    with pytest.raises(ValidationError, match="Give a script"):
        save_scheduler(scheduler, by=clockwork.cast.root, script=" ")
    save_scheduler(scheduler, by=clockwork.cast.root, script="def handler(:")
    assert scheduler.has_syntax_error
    copy = duplicate_scheduler(scheduler, by=clockwork.cast.root)
    assert copy.script == "def handler(:" and copy.has_syntax_error


def test_a_scheduler_in_use_is_not_deleted(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule()
    with pytest.raises(SchedulerInUse, match="These schedules use it"):
        trash_scheduler(schedule.scheduler, by=clockwork.cast.root)


def test_a_script_begins_as_an_execution_of_its_own(clockwork: Clockwork) -> None:
    schema = {"type": "object", "properties": {"every": {"type": "integer"}}}
    scheduler = clockwork.scheduler("", script=SCRIPT, input_schema=schema)
    with pytest.raises(ValidationError, match="every"):
        clockwork.schedule(scheduler=scheduler, configuration={"every": "day"})
    schedule = clockwork.schedule(scheduler=scheduler, configuration={"every": 5})
    live = clockwork.live(schedule)
    assert live is not None and live.status == Status.QUEUED and live.script.text == SCRIPT
    assert live.input_value == {
        "schedule_id": str(schedule.pk),
        "flow_id": str(schedule.flow_id),
        "configuration": {"every": 5},
        "input_value": None,
        "time_zone": "UTC",
    }
    assert schedule.next_runs == []
    with pytest.raises(operations.NoTimes):
        operations.look_back(schedule, timezone.now() - timedelta(hours=1), timezone.now())


def test_a_script_is_begun_again_after_its_end(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(
        scheduler=clockwork.scheduler("", script=SCRIPT), configuration={}, max_iterations=2
    )
    first = clockwork.live(schedule)
    clockwork.end(first)
    clockwork.age(first, 1)
    supervise()
    second = clockwork.live(schedule)
    assert second not in (None, first)
    clockwork.end(second, status=Status.ENDED_ERROR)
    supervise()
    assert clockwork.live(schedule) is None, "a minute must pass"
    supervise(rest=0)
    third = clockwork.live(schedule)
    assert third is not None
    clockwork.end(third)
    clockwork.age(third, 1)
    supervise()
    schedule.refresh_from_db()
    assert schedule.iterations == 2 and not schedule.is_enabled


def test_a_changed_script_schedule_gets_a_new_execution(clockwork: Clockwork) -> None:
    schedule = clockwork.schedule(scheduler=clockwork.scheduler("", script=SCRIPT), configuration={})
    first = clockwork.live(schedule)
    clockwork.change(schedule, configuration={"other": 1})
    second = clockwork.live(schedule)
    assert second not in (None, first) and second.input_value["configuration"] == {"other": 1}
    clockwork.change(schedule, scheduler=clockwork.scheduler("interval"), configuration={"seconds": 5})
    third = clockwork.live(schedule)
    assert third is not None and third.status == Status.SLEEPING
