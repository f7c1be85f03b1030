"""What the removal of expired executions does to those that run: 50,000 old ones go while others are started."""

import subprocess
import sys
import time
from datetime import datetime
from typing import Any

from benchmarks.engine import CLONE, Engine
from benchmarks.figures import Figure, median, percentile
from benchmarks.measures import FIRST_LINE

_PATIENCE = 600.0
# Old executions with log lines, savepoints and history, written by the database itself. Beside them some that are
# kept for ever by their flow, which must not lie in the way.
_FILL = """
import sys
import django
django.setup()
from django.db import connection
from access.models import User
from flows.operations import create_flow
from executions.starting import Start, start_execution
by, count = User.objects.get(username="admin"), int(sys.argv[1])
script = "def handler(system, this, inputs):\\n    pass\\n"
kept = create_flow(by=by, name="kept", script=script, retention={"success": 0})
gone = create_flow(by=by, name="gone", script=script)
with connection.cursor() as cursor:
    for flow in (kept, gone):
        model, _ = start_execution(Start(flow=flow, run=False), by=by, origin="COMMAND")
        cursor.execute('''
            INSERT INTO executions_execution (id, name, description, type, project_id, flow_id, flow_version,
                script_id, is_productive, priority, message, origin, created_by_id, root_id, orphan, status,
                reason, version, attempt, seed, created_at, started_at, ended_at)
            SELECT (substr(md5(n::text || flow_id::text), 1, 12) || '7' || substr(md5(n::text), 14, 3) || '8'
                || substr(md5(n::text), 18, 15))::uuid, name, '', type, project_id, flow_id, flow_version,
                script_id, true, 0, '', origin, created_by_id, id, true, 'ENDED_SUCCESS', '', 1, 1, seed,
                now() - interval '40 days', now() - interval '40 days', now() - interval '40 days'
            FROM executions_execution, generate_series(1, %s) n WHERE id = %s''', [count, model.pk])
    cursor.execute('''
        INSERT INTO executions_logline (execution_id, number, at, level, stream, text)
        SELECT id, n, now(), 'info', 'log', repeat('x', 80) FROM executions_execution, generate_series(1, 3) n
        WHERE ended_at < now() - interval '30 days' ''')
    cursor.execute('''
        INSERT INTO executions_savepoint (execution_id, number, attempt, call, digest, is_pending, log_seq, at)
        SELECT id, n, 1, 'sleep', '', false, 0, now() FROM executions_execution, generate_series(1, 3) n
        WHERE ended_at < now() - interval '30 days' ''')
    cursor.execute('''
        INSERT INTO executions_transition (execution_id, old, new, reason, version, attempt, at)
        SELECT id, '', 'ENDED_SUCCESS', '', n, 1, now() FROM executions_execution, generate_series(1, 3) n
        WHERE ended_at < now() - interval '30 days' ''')
    cursor.execute("ANALYZE")
"""


def retention(engine: Engine, count: int = 50_000) -> list[Figure]:
    """Starts while nothing is removed, and while the housekeeping removes what is expired."""
    variables = {**engine.variables, "DJANGO_SETTINGS_MODULE": "engine_site.settings"}
    option = "/workspace_config/RETENTION_SUCCESS_DAYS"
    engine.http.patch(option, json={"value": 0}).raise_for_status()  # for ever, so far
    subprocess.run([sys.executable, "-c", _FILL, str(count)], cwd=CLONE, env=variables, check=True)
    quiet = [_start(engine) for _ in range(300)]
    engine.http.delete(option).raise_for_status()
    engine.http.post("/housework/retention/run").raise_for_status()
    while not _is_claimed(engine):
        time.sleep(0.05)
    begun = time.monotonic()
    busy: list[float] = []
    while _are_left(engine) and time.monotonic() < begun + _PATIENCE:
        busy += [_start(engine) for _ in range(20)]
    rate = count / (time.monotonic() - begun)
    return [
        Figure("accepted → first line, p50, nothing being removed", median(quiet), "ms"),
        Figure("accepted → first line, p95, nothing being removed", percentile(quiet, 0.95), "ms"),
        Figure(f"accepted → first line, p50, while {count:,} are removed", median(busy), "ms"),
        Figure(f"accepted → first line, p95, while {count:,} are removed", percentile(busy, 0.95), "ms"),
        Figure("expired executions removed, with logs and savepoints", rate, "executions/s"),
    ]


def _start(engine: Engine) -> float:
    """Return the milliseconds from the start's acceptance to the first line of its code."""
    time.sleep(0.02)
    execution = engine.run(FIRST_LINE)
    begun: float = execution["output_value"]["begun"]
    return (begun - datetime.fromisoformat(execution["created_at"]).timestamp()) * 1000


def _job(engine: Engine) -> dict[str, Any]:
    rows = engine.http.get("/housework").json()["results"]
    return next(row for row in rows if row["name"] == "retention")


def _is_claimed(engine: Engine) -> bool:
    next_at = _job(engine)["next_at"]
    return next_at is not None and datetime.fromisoformat(next_at).timestamp() > time.time() + 60


def _are_left(engine: Engine) -> bool:
    where = {"filter": '{"field": "name", "value": "gone"}', "fields": "id", "limit": 2}
    found = engine.http.get("/execution", params=where).json()["results"]
    return len(found) > 1  # the one that was only written down stays
