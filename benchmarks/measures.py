"""What is measured, each a function of a running engine that returns figures. Bounded; loopback only."""

import asyncio
import json
import subprocess
import sys
import time
from datetime import datetime

import httpx
import websockets

from benchmarks.engine import CLONE, Engine
from benchmarks.figures import Figure, median, percentile

TRIVIAL = "def handler(system, this, inputs):\n    return this.success('ok')\n"
FIRST_LINE = (
    "import time\nbegun = time.time()\ndef handler(system, this, inputs):\n    return {'begun': begun}\n"
)


def start_latency(engine: Engine, rounds: int = 150) -> list[Figure]:
    """REST start to the first line of user code: from the moment the execution was written down."""
    accepted, answered = [], []
    for number in range(rounds + 10):
        time.sleep(0.02)
        sent_at = time.time()
        execution = engine.run(FIRST_LINE)
        if number < 10:
            continue
        begun = execution["output_value"]["begun"]
        accepted.append((begun - datetime.fromisoformat(execution["created_at"]).timestamp()) * 1000)
        answered.append((begun - sent_at) * 1000)
    return [
        Figure("accepted → first line of user code, p50", median(accepted), "ms", "< 5"),
        Figure("accepted → first line of user code, p95", percentile(accepted, 0.95), "ms", "< 12"),
        Figure("request sent → first line of user code, p50", median(answered), "ms"),
    ]


def call_round_trip(engine: Engine, rounds: int = 1000) -> list[Figure]:
    """One flow_api call, asked, answered and recorded as a savepoint."""
    script = f"""
from time import perf_counter
def handler(system, this, inputs):
    times = []
    for _ in range({rounds}):
        begun = perf_counter()
        this.get('name')
        times.append((perf_counter() - begun) * 1000)
    return {{'times': times}}
"""
    before = _commits(engine)
    times = engine.run(script)["output_value"]["times"]
    commits = _commits(engine) - before
    return [
        Figure("one flow_api call with its savepoint, p50", median(times), "ms", "< 1"),
        Figure("one flow_api call with its savepoint, p95", percentile(times, 0.95), "ms"),
        Figure("savepoints of one execution", 1000 * rounds / sum(times), "savepoints/s"),
        Figure("commits a savepoint, all processes counted", commits / rounds, "commits"),
    ]


def _commits(engine: Engine) -> int:
    """How many transactions have written anything so far."""
    code = (
        "from django.db import connection as c; u = c.cursor();"
        "u.execute('SELECT pg_snapshot_xmax(pg_current_snapshot())::text'); print(u.fetchone()[0])"
    )
    return int(engine.manage("shell", "-v", "0", "-c", code).splitlines()[-1])


def children(engine: Engine) -> list[Figure]:
    """Forty synchronous children one after the other; a thousand at once, joined."""
    script = f"""
from time import perf_counter
CHILD = {TRIVIAL!r}
def handler(system, this, inputs):
    begun = perf_counter()
    for _ in range(40):
        this.script(CHILD)
    sequential = perf_counter() - begun
    begun = perf_counter()
    this.wait_for(*[this.script(CHILD, wait=False) for _ in range(1000)])
    return {{'sequential': sequential, 'fan_out': perf_counter() - begun}}
"""
    output = engine.run(script)["output_value"]
    return [
        Figure("40 synchronous children in sequence", output["sequential"], "s", "< 0.25"),
        Figure("1,000 children created, run and joined", output["fan_out"], "s", "< 2.5"),
    ]


_LOAD = """
import sys, time
import django
django.setup()
from access.models import User
from executions.models import Execution
from executions.starting import Start, start_execution
by, count = User.objects.get(username="admin"), int(sys.argv[1])
begun = time.time()
for _ in range(count):
    start_execution(Start(script=sys.argv[2], name="load"), by=by, origin="COMMAND")
while Execution.objects.filter(name="load", ended_at=None).exists():
    time.sleep(0.02)
print(count / (time.time() - begun), Execution.objects.filter(name="load", status="ENDED_SUCCESS").count())
"""


def sustained(engine: Engine, count: int = 2000) -> list[Figure]:
    """Trivial executions a second while one process keeps starting them."""
    variables = {**engine.variables, "DJANGO_SETTINGS_MODULE": "engine_site.settings"}
    command = [sys.executable, "-c", _LOAD, str(count), TRIVIAL]
    before = _commits(engine)
    run = subprocess.run(command, cwd=CLONE, env=variables, check=True, capture_output=True, text=True)
    rate, succeeded = run.stdout.split()
    if int(succeeded) != count:
        raise RuntimeError(f"only {succeeded} of {count} executions succeeded")
    commits = _commits(engine) - before
    return [
        Figure("trivial executions, sustained", float(rate), "executions/s", "≥ 350"),
        Figure("commits of a trivial execution, all processes counted", commits / count, "commits", "≤ 3"),
    ]


def live_latency(engine: Engine, sockets: int = 50, rounds: int = 20) -> list[Figure]:
    """From a log line's time to its arrival in the last of many sockets that watch the same execution."""
    return [
        Figure(
            f"log line → {sockets} open pages, p95",
            asyncio.run(_live(engine, sockets, rounds)),
            "ms",
            "< 250",
        ),
    ]


async def _live(engine: Engine, sockets: int, rounds: int) -> float:
    script = f"""
import time
def handler(system, this, inputs):
    time.sleep(2)
    for _ in range({rounds}):
        this.log(at=time.time())
        time.sleep(0.15)
"""
    site = f"127.0.0.1:{engine.port}"
    async with httpx.AsyncClient(base_url=f"http://{site}") as browser:
        credentials = {"username": "admin", "password": "bench-password-1"}
        (await browser.post("/api/latest/auth/login", json=credentials)).raise_for_status()
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    execution = engine.http.post("/execution", json={"script": script}).json()
    delays: list[float] = []

    async def watch() -> None:
        headers = {"Cookie": cookie, "Origin": f"http://{site}"}
        async with websockets.connect(f"ws://{site}/ws/live", additional_headers=headers) as socket:
            await socket.send(json.dumps({"subscribe": "execution", "id": execution["id"], "log_after": 0}))
            seen = heard = 0
            while seen < rounds:
                message = json.loads(await asyncio.wait_for(socket.recv(), 30))
                heard += 1
                await socket.send(json.dumps({"ack": heard}))
                for *_, data in message.get("lines") or ():
                    if data:
                        delays.append((time.time() - data["at"]) * 1000)
                        seen += 1

    await asyncio.gather(*(watch() for _ in range(sockets)))
    return percentile(delays, 0.95)
