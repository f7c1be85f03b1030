"""Ten thousand sleepers: rows, not processes; each wakes at its time."""

import time
from uuid import uuid4

import psutil

from executions.database import fetch
from executions.models import Execution
from executions.starting import Start, prepare
from flows.models import Script
from records.identifiers import uuid7
from tests.chaos.world import World, in_words
from tests.executions.stage import wait_until

SCRIPT = "def handler(system, this, inputs):\n    this.sleep(inputs['s'])\n    return {'woke': True}\n"


def sleep_and_wake(world: World, count: int = 10_000, waking: int = 100) -> str:
    """Lay `count` sleepers down, measure what they cost, and wake `waking` of them at their times."""
    worker = world.fleet.have(workers=1, slots=16, SLEEP_MAX_SECONDS="1")[0]
    _lay_down(world, count, seconds=3600)
    time.sleep(2)
    tree = worker.tree()
    processes, began, used = len(tree), time.monotonic(), _processor_seconds(tree)
    time.sleep(10)
    share = (_processor_seconds(tree) - used) / (time.monotonic() - began) * 100
    flows = len(worker.pids("flow"))
    assert flows == 0, f"{flows} flow processes for sleepers"

    due = _lay_down(world, waking, seconds=5, apart=0.1)
    wait_until(
        lambda: not Execution.objects.filter(pk__in=due, ended_at=None).exists(),
        "all woke",
        60 + waking * 0.1,
    )
    late = fetch(
        "SELECT extract(epoch FROM t.at - e.scheduled_for)::float8 FROM executions_execution e"
        " JOIN executions_transition t ON t.execution_id = e.id AND t.new = 'RUNNING' WHERE e.id = ANY(%s)",
        (due,),
    )
    seconds = [row[0] for row in late]
    assert Execution.objects.filter(pk__in=due, output_value={"woke": True}).count() == waking
    fetch("DELETE FROM executions_execution WHERE status = 'SLEEPING' AND name = 'sleeper'")
    assert min(seconds) >= 0, f"one woke {-min(seconds):.3f} s early"
    return (
        f"{count:,} sleepers: {flows} flow processes of {processes} in all, {share:.1f} % of a core;"
        f" {waking} woke late by {in_words(seconds)}"
    )


def _lay_down(world: World, count: int, seconds: float, apart: float = 0.0) -> list:  # type: ignore[type-arg]
    """Write executions down as they stand when they have slept out of memory for a while."""
    cast = world.stage.cast
    columns, _ = prepare(
        Start(script=SCRIPT, project=cast.workshop), by=cast.root, origin=Execution.Origin.COMMAND
    )
    digest = Script.pin(SCRIPT)
    ids = [uuid7() for _ in range(count)]
    waits = [seconds + n * apart for n in range(count)]
    fetch(
        """
        WITH made AS (
            INSERT INTO executions_execution (id, name, description, type, project_id, script_id, is_productive,
                priority, input_value, message, origin, created_by_id, root_id, orphan, status, reason, version,
                attempt, seed, created_at, started_at, ready_at, scheduled_for, waiting_for)
            SELECT id, 'sleeper', '', 'SCRIPT', %s, %s, true, 0, jsonb_build_object('s', s), '', 'COMMAND', %s, id,
                true, 'SLEEPING', '', 3, 1, %s, clock_timestamp(), clock_timestamp(),
                clock_timestamp() + s * interval '1 second', clock_timestamp() + s * interval '1 second',
                '{"kind": "time"}'
            FROM unnest(%s::uuid[], %s::float8[]) AS g(id, s)
            RETURNING id, ready_at
        )
        INSERT INTO executions_savepoint (execution_id, number, attempt, call, digest, line, is_pending, value,
            log_seq, at)
        SELECT id, 1, 1, 'sleep', '', 2, true,
            jsonb_build_object('kind', 'time', 'until', extract(epoch FROM ready_at)), 0, clock_timestamp()
        FROM made
        """,
        (columns["project_id"], digest, cast.root.pk, uuid4(), ids, waits),
    )
    fetch("ANALYZE executions_execution")
    return ids


def _processor_seconds(tree: list[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in tree)
