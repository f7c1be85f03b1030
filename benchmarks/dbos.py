"""DBOS, a library for durable workflows on PostgreSQL, doing the like: the baseline for savepoints and recovery.

It is installed into an environment of its own, as its packages are none of ours, and uses the engine's PostgreSQL
server with a database of its own. Without a package index there is no such baseline.
"""

import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from urllib.parse import quote

from benchmarks.engine import Engine
from benchmarks.figures import median
from benchmarks.stock import make_database

VERSION = "3.4.0"
STEPS = 1000
ROUNDS = 10

_APP = f"""
import json, sys, time
from dbos import DBOS

DBOS(config={{"name": "baseline", "system_database_url": sys.argv[1], "log_level": "ERROR", "run_admin_server": False}})

@DBOS.step()
def nothing(number):
    return number

@DBOS.workflow()
def many():
    for number in range({STEPS}):
        nothing(number)

@DBOS.step()
def tell(number):
    print(json.dumps({{"at": time.time(), "number": number}}), flush=True)

@DBOS.workflow()
def endless():
    for number in range(100_000):
        tell(number)
        time.sleep(0.05)

DBOS.launch()
if sys.argv[2] == "steps":
    many()
    begun = time.time()
    many()
    print({STEPS} / (time.time() - begun), flush=True)
    DBOS.destroy()
else:
    if sys.argv[2] == "begin":
        DBOS.start_workflow(endless)
    time.sleep(60)
"""


def measure_dbos(engine: Engine) -> dict[str, float]:
    """Return its steps a second in one workflow, and the seconds from kill -9, restarted at once, to the next step."""
    python = _install(engine.data / "dbos")
    if python is None:
        print("DBOS cannot be installed here: no such baseline", file=sys.stderr)
        return {}
    app = engine.data / "dbos_app.py"
    app.write_text(_APP)
    place = make_database(engine, "dbos")
    login = f"{quote(place['USER'])}:{quote(place['PASSWORD'])}" if place["PASSWORD"] else place["USER"]
    url = f"postgresql://{login}@/dbos?host={quote(place['HOST'], safe='')}&port={place['PORT'] or 5432}"
    command = [str(python), str(app), url]
    steps = subprocess.run([*command, "steps"], check=True, capture_output=True, text=True, timeout=120)
    return {"steps": float(steps.stdout.splitlines()[-1]), "recovery": median(_recoveries(command))}


def _install(folder: Path) -> Path | None:
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    packages = [f"dbos=={VERSION}", "psycopg[binary]"]
    install = subprocess.run([python, "-m", "pip", "install", "-q", *packages], capture_output=True)
    return python if install.returncode == 0 else None


def _recoveries(command: list[str]) -> list[float]:
    gaps: list[float] = []
    mode, killed_at = "begin", 0.0
    for _ in range(ROUNDS + 1):
        run = subprocess.Popen([*command, mode], stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        try:
            told = [json.loads(run.stdout.readline())["at"] for _ in range(5)]
        finally:
            run.send_signal(signal.SIGKILL)
            run.wait()
            run.stdout.close()
        if mode == "go on":
            gaps.append(told[0] - killed_at)
        mode, killed_at = "go on", time.time()
    return gaps


if __name__ == "__main__":
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    with Engine() as engine:
        print(measure_dbos(engine))
