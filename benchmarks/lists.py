"""How long pages of executions take among many: `BENCH_ROWS` (a million) of them, under every filter there is."""

import os
import subprocess
import sys
import time
from contextlib import closing
from itertools import pairwise

import httpx

from benchmarks.engine import CLONE, Engine
from benchmarks.figures import Figure, median, percentile

_ROUNDS = 12
# Spread over thirty days, projects, flows and people; most succeeded, a thousand live.
_FILL = """
import sys
import django
django.setup()
from django.db import connection
from access.models import User
from executions.starting import Start, start_execution
from flows.operations import create_flow
from projects.operations import create_project
by, count = User.objects.get(username="admin"), int(sys.argv[1])
script = "def handler(system, this, inputs):\\n    pass\\n"
projects = [create_project(by=by, name=f"Project {n}") for n in range(20)]
flows = [create_flow(by=by, name=f"flow {n}", script=script, project=projects[n % 20]) for n in range(100)]
people = [User.objects.create_user(username=f"person{n}").pk for n in range(5)]
model, _ = start_execution(Start(flow=flows[0], run=False), by=by, origin="COMMAND")
with connection.cursor() as cursor:
    cursor.execute('''
        INSERT INTO executions_execution (id, name, description, type, project_id, flow_id, flow_version,
            script_id, is_productive, priority, message, origin, created_by_id, root_id, orphan, status,
            reason, version, attempt, seed, created_at, started_at, ended_at)
        SELECT id, name, '', CASE WHEN n %% 10 = 0 THEN 'SCRIPT' ELSE 'FLOW' END, project, flow, 1, script_id,
            n %% 20 > 0, 0, '', 'COMMAND', person, id, true, status, '', 1, 1, seed, at, at,
            CASE WHEN status LIKE 'ENDED%%' THEN at + interval '1 second' END
        FROM (
            SELECT n, at, 'run ' || n %% 9973 AS name,
                (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
                    || '8' || substr(md5(n::text), 4, 15))::uuid AS id,
                (%(projects)s::uuid[])[n %% 20 + 1] AS project, (%(flows)s::uuid[])[n %% 100 + 1] AS flow,
                (%(people)s::uuid[])[n %% 5 + 1] AS person,
                CASE WHEN n %% (%(count)s / 1000) = 0 THEN 'PAUSED' WHEN n %% 13 = 0 THEN 'ENDED_ERROR'
                    WHEN n %% 101 = 0 THEN 'ENDED_CANCELLED' ELSE 'ENDED_SUCCESS' END AS status
            FROM generate_series(1, %(count)s) n,
                LATERAL (SELECT now() - (%(count)s - n) * (interval '30 days' / %(count)s) AS at) moment
        ) made, (SELECT script_id, seed FROM executions_execution WHERE id = %(model)s) model''',
        {"projects": [p.pk for p in projects], "flows": [f.pk for f in flows], "people": people, "count": count,
         "model": model.pk})
    cursor.execute("VACUUM ANALYZE executions_execution")
print(projects[3].pk, flows[7].pk, people[2])
"""


def lists(engine: Engine) -> list[Figure]:
    """The monitor's page and its next one, as a browser asks for them, with each filter and with several at once."""
    count = int(os.environ.get("BENCH_ROWS", "1000000"))
    project, flow, person = _fill(engine, count)
    filters = [
        "",
        *(
            f"group={group}"
            for group in ("active", "running", "waiting", "paused", "success", "error", "cancelled")
        ),
        *(
            "type=SCRIPT",
            "mode=dev",
            "view=tree",
            "since=1h",
            "since=24h",
            "since=7d",
            "q=run 77",
            "q=nothing like it",
        ),
        *(f"project={project}", f"flow={flow}", f"who={person}"),
        *(
            f"group=error&flow={flow}",
            f"group=error&project={project}&since=7d",
            f"q=run 1&who={person}&mode=dev",
        ),
    ]
    slowest, times = ("", 0.0), []
    with closing(_browser(engine)) as browser:
        for each in filters:
            taken = [_seconds(browser, f"/executions/?{each}") for _ in range(_ROUNDS)]
            times += taken
            if (worst := percentile(taken, 0.95)) > slowest[1]:
                slowest = each, worst
    rest = [_follow(engine) for _ in range(_ROUNDS)]
    rows = f"{count:,} executions"
    return [
        Figure(f"a page of the monitor, {rows}, {len(filters)} filters, p50", 1000 * median(times), "ms"),
        Figure(f"a page of the monitor, {rows}, p95", 1000 * percentile(times, 0.95), "ms", "< 100"),
        Figure(f"its slowest filter ({slowest[0]}), p95", 1000 * slowest[1], "ms"),
        Figure(f"ten pages of a list over REST, {rows}, p95", 1000 * percentile(rest, 0.95), "ms"),
    ]


def _fill(engine: Engine, count: int) -> list[str]:
    variables = {**engine.variables, "DJANGO_SETTINGS_MODULE": "engine_site.settings"}
    command = [sys.executable, "-c", _FILL, str(count)]
    run = subprocess.run(command, cwd=CLONE, env=variables, check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout.split()


def _browser(engine: Engine) -> httpx.Client:
    browser = httpx.Client(base_url=f"http://127.0.0.1:{engine.port}", timeout=60)
    credentials = {"username": "admin", "password": "bench-password-1"}
    browser.post("/api/latest/auth/login", json=credentials).raise_for_status()
    return browser


def _seconds(browser: httpx.Client, path: str) -> float:
    begun = time.perf_counter()
    browser.get(path).raise_for_status()
    return time.perf_counter() - begun


def _follow(engine: Engine) -> float:
    """Return the longest that one of ten pages, each behind the last, took."""
    moments, page = [time.perf_counter()], {"limit": "50"}
    for _ in range(10):
        answer = engine.http.get("/execution", params=page)
        answer.raise_for_status()
        page["cursor"] = answer.json()["next"]
        moments.append(time.perf_counter())
    return max(after - before for before, after in pairwise(moments))
