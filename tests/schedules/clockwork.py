"""Making schedules in tests and letting time pass for them: firing is told the time, so hours pass in no time."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F

from executions import moves
from executions.database import transacted
from executions.endings import after_end
from executions.lifecycle import Status
from executions.models import Execution
from flows.models import Flow
from flows.operations import create_flow
from schedules.firing import fire_due
from schedules.models import Firing, Schedule, Scheduler
from schedules.operations import create_schedule, save_schedule
from schedules.scheduler_operations import create_scheduler
from tests.cast import Cast

PASSES = "def handler(system, this, inputs):\n    return this.success('done')\n"


class Clockwork:
    """Schedules of the workshop, and what they started."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.made: list[UUID] = []
        self._number = 0

    def flow(self, script: str = PASSES, **fields: Any) -> Flow:
        self._number += 1
        name = f"flow {self._number} {len(Flow.objects.all())}"
        return create_flow(by=self.cast.root, project=self.cast.workshop, name=name, script=script, **fields)

    def scheduler(self, built_in: str, script: str = "", **fields: Any) -> Scheduler:
        name = built_in or f"script {Scheduler.objects.count()}"
        found = Scheduler.objects.alive().filter(name=name).first()
        more = {"script": script} if script else {}
        return found or create_scheduler(
            by=self.cast.root, project=self.cast.workshop, name=name, built_in=built_in, **more, **fields
        )

    def schedule(
        self,
        built_in: str = "interval",
        configuration: Any = None,
        *,
        flow: Flow | None = None,
        **fields: Any,
    ) -> Schedule:
        """Make a schedule, every minute unless told otherwise, and enable it unless told otherwise."""
        fields = {
            "by": self.cast.root,
            "scheduler": self.scheduler(built_in),
            "configuration": {"seconds": 60} if configuration is None else configuration,
            "is_enabled": True,
            "name": f"schedule {Schedule.objects.count()}",
            **fields,
        }
        schedule = create_schedule(flow=flow or self.flow(), **fields)
        self.made.append(schedule.pk)
        return schedule

    def change(self, schedule: Schedule, **fields: Any) -> Schedule:
        return save_schedule(schedule, by=self.cast.root, **fields)

    def at(self, schedule: Schedule, seconds: float) -> datetime:
        """Return the moment so long after the schedule was enabled."""
        assert schedule.enabled_at is not None
        return schedule.enabled_at + timedelta(seconds=seconds)

    def pass_to(self, schedule: Schedule, seconds: float) -> None:
        """Let it become so late, as nobody looked meanwhile, and do what is due then."""
        now = self.at(schedule, seconds)
        while (due_in := fire_due(now)) is not None and due_in <= 0.0:
            pass

    def pass_by(self, schedule: Schedule, seconds: Iterable[float]) -> None:
        for each in seconds:
            self.pass_to(schedule, each)

    # looking

    def live(self, schedule: Schedule) -> Execution | None:
        return Execution.objects.filter(schedule_id=schedule.pk, type="SCHEDULE", ended_at=None).first()

    def started(self, schedule: Schedule) -> list[Execution]:
        rows = Execution.objects.filter(schedule_id=schedule.pk).exclude(type="SCHEDULE")
        return list(rows.order_by("scheduled_for"))

    def outcomes(self, schedule: Schedule) -> list[tuple[int, str]]:
        """Return (seconds after it was enabled, outcome) of all its times."""
        rows = Firing.objects.filter(schedule=schedule).order_by("nominal_at")
        schedule.refresh_from_db()
        assert schedule.enabled_at is not None
        return [(round((row.nominal_at - schedule.enabled_at).total_seconds()), row.outcome) for row in rows]

    def age(self, execution: Execution, seconds: float) -> None:
        """Let all of it be so much longer ago."""
        ago = timedelta(seconds=seconds)
        moments = {name: F(name) - ago for name in ("created_at", "started_at", "ended_at")}
        Execution.objects.filter(pk=execution.pk).update(**moments)

    # ending

    @transacted
    def end(self, *executions: Execution, status: Status = Status.ENDED_SUCCESS, message: str = "") -> None:
        """End executions as if they had run."""
        ids = [each.pk for each in executions]
        moves.move("e.id = ANY(%(ids)s)", Status.RUNNING, {"ids": ids})
        sets = ", message = %(message)s"
        moved = moves.move("e.id = ANY(%(ids)s)", status, {"ids": ids, "message": message}, sets=sets)
        assert len(moved) == len(ids)
        after_end(ids)
