"""Schedules with real workers. That each time is started once though workers are killed, chaos tries."""

from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from executions.lifecycle import Status
from executions.models import Execution, Process
from inbox.models import Message
from inbox.operations import answer_message
from projects.bundles import delete_bundle, import_bundle
from schedules.helper import BUNDLE, start_helper
from schedules.models import Firing, Schedule
from schedules.operations import run_now, trash_schedule
from tests.executions.cluster import Fleet
from tests.executions.stage import wait_until
from tests.schedules.clockwork import Clockwork

pytestmark = pytest.mark.process


def firings(schedule: Schedule) -> list[Firing]:
    return list(Firing.objects.filter(schedule=schedule).order_by("nominal_at"))


def until_fired(schedule: Schedule, number: int, seconds: float = 60.0) -> list[Firing]:
    wait_until(lambda: len(firings(schedule)) >= number, f"{number} times had come", seconds)
    return firings(schedule)


def gaps(schedule: Schedule) -> set[timedelta]:
    moments = [each.nominal_at for each in firings(schedule)]
    return {after - before for before, after in pairwise(moments)}


def test_a_flow_starts_every_second(clockwork: Clockwork, fleet: Fleet) -> None:
    fleet.have(workers=1, slots=4)
    schedule = clockwork.schedule(configuration={"seconds": 1}, overlap="allow", max_iterations=4)
    wait_until(lambda: not Schedule.objects.get(pk=schedule.pk).is_enabled, "it ran four times")
    assert [each.outcome for each in firings(schedule)] == ["started"] * 4
    assert gaps(schedule) == {timedelta(seconds=1)}
    started = clockwork.started(schedule)
    wait_until(
        lambda: not Execution.objects.filter(pk__in=[each.pk for each in started], ended_at=None).exists(),
        "all of them ended",
    )
    assert {each.status for each in clockwork.started(schedule)} == {Status.ENDED_SUCCESS}
    late = [(each.at - each.nominal_at).total_seconds() for each in firings(schedule)]
    assert min(late) >= 0, "nothing starts before its time"


def test_the_flow_knows_its_time_and_inputs(clockwork: Clockwork, fleet: Fleet) -> None:
    fleet.have(workers=1, slots=4)
    flow = clockwork.flow(
        "def handler(system, this, inputs):\n"
        "    this.set_output('time', this.get('scheduled_for'))\n"
        "    this.set_output('who', inputs['who'])\n"
    )
    schedule = clockwork.schedule(flow=flow, input_value={"who": "me"}, is_enabled=False)
    execution = run_now(schedule, by=clockwork.cast.root)
    wait_until(lambda: Execution.objects.filter(pk=execution.pk, ended_at__isnull=False).exists())
    execution.refresh_from_db()
    assert execution.status == Status.ENDED_SUCCESS, execution.message
    assert execution.output_value["who"] == "me" and execution.output_value["time"]


def test_a_sleeping_schedule_survives_a_stop_in_the_middle(clockwork: Clockwork, fleet: Fleet) -> None:
    fleet.have(workers=1, slots=4)
    schedule = clockwork.schedule(configuration={"seconds": 2}, overlap="allow")
    until_fired(schedule, 1)
    live = clockwork.live(schedule)
    fleet.stop()
    assert not Process.objects.filter(role=Process.Role.HOST, ended_at=None).exists()
    number = len(firings(schedule))
    wait_until(lambda: timezone.now() > clockwork.at(schedule, 2 * (number + 3)), "three times passed")
    assert len(firings(schedule)) == number, "nobody was there"
    assert clockwork.live(schedule) == live and live is not None
    fleet.have(workers=1, slots=4)
    rows = until_fired(schedule, number + 3)
    assert [row.outcome for row in rows[number:]][:2] == ["missed", "started"]
    assert len({row.nominal_at for row in rows}) == len(rows)
    live.refresh_from_db()
    assert live.status == Status.SLEEPING and live.transitions.count() == 1


def test_a_script_of_ones_own(clockwork: Clockwork, fleet: Fleet) -> None:
    fleet.have(workers=1, slots=4)
    script = (
        "def handler(system, this, inputs):\n"
        "    assert system.schedule(inputs['schedule_id']).get('is_enabled')\n"
        "    this.sleep(inputs['configuration']['seconds'])\n"
        "    this.flow(inputs['flow_id'], inputs=inputs['input_value'], wait=False)\n"
    )
    scheduler = clockwork.scheduler("", script=script)
    schedule = clockwork.schedule(
        scheduler=scheduler, configuration={"seconds": 0.2}, input_value={"a": 1}, max_iterations=2
    )
    wait_until(lambda: not Schedule.objects.get(pk=schedule.pk).is_enabled, "it ran twice")
    own = Execution.objects.filter(schedule_id=schedule.pk, type="SCHEDULE")
    assert [each.status for each in own] == [Status.ENDED_SUCCESS] * 2, [each.message for each in own]
    children = Execution.objects.filter(parent__in=own)
    assert [each.input_value for each in children] == [{"a": 1}] * 2
    assert {(each.flow_id, each.starter_kind) for each in children} == {(schedule.flow_id, "schedule")}


def test_the_helper_flow_asks_and_makes_a_schedule(clockwork: Clockwork, fleet: Fleet) -> None:
    fleet.have(workers=1, slots=4)
    root, flow = clockwork.cast.root, clockwork.flow()
    bundle = import_bundle(BUNDLE, by=root)
    try:
        helper = start_helper(flow, by=root)
        assert helper is not None

        def answer(subject: str, **response: object) -> None:
            asked = Message.objects.filter(execution=helper, is_submitted=False, closed_at=None)
            message = wait_until(asked.first, f"it asked {subject!r}")
            assert subject in message.subject
            answer_message(message, response, by=root)

        answer(f"Schedule {flow.name}", name="by helper", when="Daily", next=True)
        wrong = {"configuration": {"time": "25:00"}, "time_zone": "UTC", "overlap": "skip", "create": True}
        answer("Daily", **wrong)
        asked = Message.objects.filter(execution=helper, is_submitted=False, closed_at=None)
        again = wait_until(asked.first, "it asked again")
        assert "no time of day" in str(again.body), again.body
        answer("Daily", **{**wrong, "configuration": {"time": "08:30"}})
        wait_until(
            lambda: Execution.objects.filter(pk=helper.pk, ended_at__isnull=False).exists(), "it ended"
        )
        helper.refresh_from_db()
        assert helper.status == Status.ENDED_SUCCESS, helper.message
        made = Schedule.objects.get(name="by helper")
        clockwork.made.append(made.pk)
        assert (made.flow, made.project, made.is_enabled) == (flow, flow.project, True)
        assert made.configuration == {"time": "08:30"} and made.created_by == root
    finally:
        for each in Schedule.objects.filter(name="by helper"):
            trash_schedule(each, by=root)
        delete_bundle(bundle, by=root)
