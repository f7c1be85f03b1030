"""Many schedules and some workers that are killed: each time is started once, and on time.

The minutes are accelerated: a schedule of every minute is one of every few seconds here. The flows that are started
hold their slots, so what is measured is firing, not running.
"""

import time
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

from executions.database import fetch, transacted
from executions.models import Execution
from executions.operations import cancel_executions
from executions.timers import sleep_until
from flows.operations import create_flow
from schedules.live import waiting_for
from schedules.models import Firing, Schedule, Scheduler
from schedules.operations import create_schedule, trash_schedule
from schedules.scheduler_operations import create_scheduler
from tests.cast import Cast
from tests.chaos.world import World, share
from tests.executions.stage import wait_until

HOLDS = "import time\n\ndef handler(system, this, inputs):\n    time.sleep(3600)\n"
ROLES = ("host", "pusher", "sentinel", "command")


def make_many(cast: Cast, count: int, every: int) -> list[Schedule]:
    """Make schedules of every so many seconds that start a time later if they were late, and skip none."""
    flow = create_flow(by=cast.root, project=cast.workshop, name=f"held {uuid4()}", script=HOLDS)
    found = Scheduler.objects.alive().filter(built_in="interval").first()
    scheduler = found or create_scheduler(
        by=cast.root, project=cast.workshop, name="Interval", built_in="interval"
    )
    wanted = {"configuration": {"seconds": every}, "overlap": "allow", "catch_up": "all", "is_enabled": True}
    return [
        create_schedule(by=cast.root, name=f"{flow.name} {number}", flow=flow, scheduler=scheduler, **wanted)
        for number in range(count)
    ]


@transacted
def set_off(schedules: list[Schedule], begin: datetime, every: timedelta) -> None:
    """Let them have been enabled one after the other, from this moment on, spread over one interval."""
    for number, each in enumerate(schedules):
        each.enabled_at = begin + number * every / len(schedules)
        each.next_at = each.enabled_at + every
    Schedule.objects.bulk_update(schedules, ["enabled_at", "next_at"])
    sleep_until(
        {
            each.execution_id: (each.next_at, waiting_for(each.next_at))
            for each in schedules
            if each.execution_id
        }
    )


def fire_and_kill(world: World, *, count: int, workers: int, every: int, times: int, pause: float) -> str:
    """Let schedules fire so many times while workers are killed; check each time and return the figures."""
    world.fleet.stop()
    schedules, interval = make_many(world.stage.cast, count, every), timedelta(seconds=every)
    ids = [each.pk for each in schedules]
    try:
        set_off(schedules, _now() + timedelta(days=1), interval)  # nothing is due before all is ready
        world.fleet.have(workers=workers, slots=1)
        begin = _now()
        set_off(schedules, begin, interval)
        _let_time_pass(world, begin + interval * (times + 1), pause)
        end = _now()
        _catch_up(ids, end)
        late = _check(schedules, end)
    finally:
        for each in schedules:
            trash_schedule(each, by=world.stage.cast.root)
        _end_what_was_started(ids)
    blows = ", ".join(f"{role} {number}" for role, number in sorted(world.blows.items()))
    return (
        f"{count:,} schedules, {workers} workers, {len(late):,} starts, each once; kills: {blows or 'none'};"
        f" late by p50 {share(late, 0.5):.3f} s, p95 {share(late, 0.95):.3f} s, p99 {share(late, 0.99):.3f} s,"
        f" max {max(late):.3f} s"
    )


def _let_time_pass(world: World, until: datetime, pause: float) -> None:
    next_blow = time.monotonic() + pause
    while _now() < until:
        if time.monotonic() >= next_blow:
            worker, role = world.chance.choice(world.fleet.workers), world.chance.choice(ROLES)
            world.blows[role] += len(worker.kill(role))
            if role == "command":
                world.fleet.have_again(worker)
            next_blow = time.monotonic() + pause * world.chance.uniform(0.5, 1.5)
        time.sleep(0.05)


def _now() -> datetime:
    now: datetime = fetch("SELECT clock_timestamp()")[0][0]
    return now


def _catch_up(ids: list[UUID], end: datetime) -> None:
    """Wait until all times up to this moment were dealt with."""
    waiting = Schedule.objects.filter(pk__in=ids, next_at__lte=end)
    wait_until(lambda: not waiting.exists(), "all times that had come were dealt with", 120)


def _check(schedules: list[Schedule], end: datetime) -> list[float]:
    """Raise AssertionError unless each time was started once; returns by how much each was late."""
    rows: dict[object, list[Firing]] = {}
    for row in Firing.objects.filter(schedule__in=schedules, nominal_at__lte=end).order_by("nominal_at"):
        rows.setdefault(row.schedule_id, []).append(row)
    for each in schedules:
        fired = rows[each.pk]
        assert each.enabled_at is not None and each.next_at is not None
        every = each.next_at - each.enabled_at
        moments = [row.nominal_at for row in fired]
        assert moments[0] == each.next_at and end - moments[-1] < every, (
            f"{each}: {moments[0]} to {moments[-1]}"
        )
        assert {after - before for before, after in pairwise(moments)} <= {every}, (
            f"{each}: a gap or a double"
        )
        assert {row.outcome for row in fired} == {"started"}, f"{each}: {[row.outcome for row in fired]}"
    every_row = [row for fired in rows.values() for row in fired]
    started = Execution.objects.filter(schedule_id__in=list(rows), type="FLOW", scheduled_for__lte=end)
    assert started.count() == len({row.execution_id for row in every_row}) == len(every_row)
    return [(row.at - row.nominal_at).total_seconds() for row in every_row]


def _end_what_was_started(ids: list[UUID]) -> None:
    alive = Execution.objects.filter(schedule_id__in=ids, ended_at=None)
    keys = list(alive.values_list("pk", flat=True))
    for start in range(0, len(keys), 500):
        cancel_executions(keys[start : start + 500])
    wait_until(lambda: not alive.exists(), "what was started has ended", 60)
