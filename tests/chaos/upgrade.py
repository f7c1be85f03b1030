"""An upgrade under way: waiting, sleeping and paused executions, a stop, edited flows and one more migration, a start.

Everything must end on the script that it was started with, and what is started afterwards runs the new one.
"""

import time
from uuid import UUID

from django.db import connection, migrations, models
from django.db.migrations.executor import MigrationExecutor

from executions.models import Execution
from executions.pausing import pause_executions, resume_executions
from executions.starting import Start, start_execution
from flows.models import Flow
from flows.operations import create_flow, save_flow
from tests.chaos.world import World
from tests.executions.stage import wait_until

STATES = ("sleeping", "waiting", "paused", "running")
_OLD = {
    "sleeping": "this.sleep({s})\n    return {{'ran': 'old'}}",
    "waiting": (
        "child = 'def handler(system, this):\\n    this.sleep({s})\\n    return {{\"n\": 1}}'\n"
        "    got = this.script(child).get('output_value')\n    return {{'ran': 'old', **got}}"
    ),
    "paused": "this.set_output(before=True)\n    this.pause()\n    this.set_output(ran='old')",
    "running": (
        "import time\n    for n in range(15):\n        this.set_output(n=n)\n        time.sleep(0.1)\n"
        "    this.set_output(ran='old')"
    ),
}
_HEAD = "def handler(system, this, inputs):\n    "
NEW = _HEAD + "this.log('another path')\n    this.sleep(0.01)\n    return {'ran': 'new'}"


def upgrade_in_flight(world: World, count: int, sleep: float) -> str:
    """Start `count` executions, upgrade while they wait, and check how each of them ends."""
    world.fleet.have(workers=2, slots=8, SLEEP_MAX_SECONDS="1")
    flows = {state: _flow(world, state, sleep) for state in STATES}
    started = {_start(world, flows[STATES[n % 3]]): STATES[n % 3] for n in range(count * 3 // 4)}
    wait_until(lambda: _are_there(started), "every one waits, sleeps or is paused", world.patience)
    started |= {_start(world, flows["running"]): "running" for _ in range(count - len(started))}
    stray = [key for key, state in started.items() if state == "sleeping"][:3]
    pause_executions(stray)
    world.fleet.stop()
    held = Execution.objects.filter(pk__in=list(started)).exclude(host=None).count()
    assert held == 0, f"{held} executions are still held by a stopped worker"

    for flow in flows.values():
        save_flow(flow, by=world.stage.cast.root, script=NEW)
    _migrate_once_more()

    stopped_at = time.monotonic()
    world.fleet.have(workers=2, slots=8, SLEEP_MAX_SECONDS="1")
    resume_executions([*stray, *(key for key, state in started.items() if state == "paused")])
    after = _start(world, flows["sleeping"])
    world.wait_for_the_end([*started, after])
    for row in Execution.objects.filter(pk__in=list(started)):
        assert row.status == "ENDED_SUCCESS", (started[row.pk], row.status, row.reason, row.message)
        assert row.output_value["ran"] == "old", (started[row.pk], row.output_value)
        children = Execution.objects.filter(parent=row).count()
        assert children == (1 if started[row.pk] == "waiting" else 0)
    assert Execution.objects.get(pk=after).output_value == {"ran": "new"}
    world.settle()
    return f"{count} executions went through the upgrade; all had ended {time.monotonic() - stopped_at:.1f} s later"


def _flow(world: World, state: str, sleep: float) -> Flow:
    script = _HEAD + _OLD[state].format(s=sleep)
    name = f"upgraded while {state} {time.time()}"
    return create_flow(by=world.stage.cast.root, project=world.stage.cast.workshop, name=name, script=script)


def _start(world: World, flow: Flow) -> UUID:
    made, _ = start_execution(Start(flow=flow), by=world.stage.cast.root, origin=Execution.Origin.COMMAND)
    world.stage.ids.append(made.pk)
    return made.pk


def _are_there(started: dict[UUID, str]) -> bool:
    wanted = {"sleeping": "SLEEPING", "waiting": "WAITING_FOR_DEPENDENCY", "paused": "PAUSED"}
    rows = dict(Execution.objects.filter(pk__in=list(started)).values_list("pk", "status"))
    early = [key for key, status in rows.items() if status.startswith("ENDED")]
    assert not early, "the sleep is too short for this machine"
    return all(rows[key] == wanted[state] for key, state in started.items())


class _OneMore(migrations.Migration):
    """A release's migration: a column on the hot table."""

    dependencies = [("executions", "0001_initial")]
    operations = [
        migrations.AddField("execution", "made_by_the_upgrade", models.IntegerField(null=True)),
    ]


def _migrate_once_more() -> None:
    executor = MigrationExecutor(connection)
    state = executor.loader.project_state(executor.loader.graph.leaf_nodes())
    migration = _OneMore("9999_one_more", "executions")
    with connection.schema_editor() as editor:
        migration.apply(state, editor)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM information_schema.columns WHERE column_name = 'made_by_the_upgrade'"
        )
        assert cursor.fetchone() == (1,)


def take_back_the_migration() -> None:
    """Leave the test database as it was."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE executions_execution DROP COLUMN IF EXISTS made_by_the_upgrade")
