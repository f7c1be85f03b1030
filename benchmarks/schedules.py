"""How late schedules start their flows: 2,000 schedules of every minute, spread over it, and all due at one moment."""

import json
import subprocess
import sys
import time

from benchmarks.engine import CLONE, Engine
from benchmarks.figures import Figure, median, percentile

_FILL = """
import sys
import django
django.setup()
from access.models import User
from flows.operations import create_flow
from schedules.operations import create_schedule
from schedules.scheduler_operations import create_scheduler
by, count = User.objects.get(username="admin"), int(sys.argv[1])
flow = create_flow(by=by, name="late?", script="def handler(system, this, inputs):\\n    pass\\n")
scheduler = create_scheduler(by=by, name="every minute", built_in="interval")
for number in range(count):
    create_schedule(by=by, name=f"late? {number}", flow=flow, scheduler=scheduler, is_enabled=True,
        configuration={"seconds": 60}, overlap="allow", catch_up="all")
"""
# They are all enabled anew, in the past, so that the next time comes for each where it is wanted: `step` apart.
_SET_OFF = """
import sys
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from executions.database import transacted
from executions.timers import sleep_until
from schedules.live import waiting_for
from schedules.models import Schedule
first, step = timezone.now() + timedelta(seconds=10), timedelta(seconds=float(sys.argv[1]))
schedules = list(Schedule.objects.filter(name__startswith="late?"))
for number, each in enumerate(schedules):
    each.next_at = first + number * step
    each.enabled_at = each.next_at - timedelta(seconds=60)
@transacted
def write():
    sleep_until({each.execution_id: (each.next_at, waiting_for(each.next_at)) for each in schedules})
    Schedule.objects.bulk_update(schedules, ["enabled_at", "next_at"])
write()
print(first.isoformat())
"""
_LATE = """
import json, sys
import django
django.setup()
from schedules.models import Firing
rows = Firing.objects.filter(schedule__name__startswith="late?", nominal_at__gte=sys.argv[1])
rows = rows.order_by("nominal_at").values_list("nominal_at", "at", "outcome")[:int(sys.argv[2])]
assert {row[2] for row in rows} <= {"started"}
print(json.dumps([(at - nominal_at).total_seconds() * 1000 for nominal_at, at, _ in rows]))
"""
_END = """
import django
django.setup()
from access.models import User
from schedules.models import Schedule
from schedules.operations import trash_schedule
for each in Schedule.objects.filter(name__startswith="late?"):
    trash_schedule(each, by=User.objects.get(username="admin"))
"""


def lateness(engine: Engine, count: int = 2000) -> list[Figure]:
    """By how much starts come after their time."""
    _script(engine, _FILL, count)
    spread = _fire(engine, count, 60 / count)
    at_once = _fire(engine, count, 0.0)
    _script(engine, _END)
    return [
        Figure(f"{count:,} schedules in a minute: late by, p50", median(spread), "ms"),
        Figure(f"{count:,} schedules in a minute: late by, p95", percentile(spread, 0.95), "ms"),
        Figure(f"{count:,} schedules in a minute: late by, p99", percentile(spread, 0.99), "ms", "< 500"),
        Figure(f"{count:,} schedules at one moment: late by, p50", median(at_once), "ms"),
        Figure(f"{count:,} schedules at one moment: late by, p99", percentile(at_once, 0.99), "ms"),
    ]


def _fire(engine: Engine, count: int, step: float) -> list[float]:
    """Let each of them come to its time, this many seconds after the one before; returns the milliseconds."""
    first = _script(engine, _SET_OFF, step).strip()
    time.sleep(10 + count * step)
    while len(late := json.loads(_script(engine, _LATE, first, count))) < count:
        time.sleep(1)
    return late


def _script(engine: Engine, script: str, *arguments: object) -> str:
    variables = {**engine.variables, "DJANGO_SETTINGS_MODULE": "engine_site.settings"}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(
        command, cwd=CLONE, env=variables, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
