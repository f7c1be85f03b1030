"""Stock django-q2 with its ORM broker and a function that does nothing: the baseline of the same run.

Runs as a process of its own, so that its settings never mix with the engine's. It uses the engine's PostgreSQL
server with a database of its own and prints one line of JSON.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.engine import CLONE, Engine

_SETTINGS = """
SECRET_KEY = "a benchmark needs none"
INSTALLED_APPS = ["django.contrib.contenttypes", "django_q"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "stock", **%r}}
Q_CLUSTER = {"name": "stock", "workers": 2, "orm": "default", "timeout": 60, "retry": 120, "log_level": "ERROR"}
"""


def measure_stock(engine: Engine) -> dict[str, float]:
    """Return stock django-q2's start latency (ms, p50) and rate (tasks/s) on this machine."""
    folder = engine.data / "stock"
    folder.mkdir()
    connection = make_database(engine, "stock")
    (folder / "stock_settings.py").write_text(_SETTINGS % (connection,))
    (folder / "stock_task.py").write_text("import time\n\ndef nothing(*given):\n    return time.time()\n")
    variables = {
        **os.environ,
        "PYTHONPATH": f"{folder}:{CLONE}",
        "DJANGO_SETTINGS_MODULE": "stock_settings",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "benchmarks.stock"]
    run = subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return measured


def make_database(engine: Engine, name: str) -> dict[str, Any]:
    """Make a database on the engine's server; returns how to connect to it."""
    code = (
        "from django.db import connection as c, transaction; import json; c.ensure_connection();"
        f"c.cursor().execute('CREATE DATABASE {name}');"
        "print(json.dumps({k: c.settings_dict[k] for k in ('USER', 'PASSWORD', 'HOST', 'PORT')}))"
    )
    return dict(json.loads(engine.manage("shell", "-v", "0", "-c", code).splitlines()[-1]))


def main() -> None:
    """Measure in this process; called with the stock settings."""
    import django

    django.setup()
    from django.core.management import call_command
    from django_q.models import OrmQ, Task
    from django_q.tasks import async_task

    call_command("migrate", verbosity=0)
    cluster = subprocess.Popen([sys.executable, "-m", "django", "qcluster"])
    try:
        delays = []
        for _ in range(40):
            sent = time.time()
            task = async_task("stock_task.nothing")
            while not (found := Task.objects.filter(pk=task).first()):
                time.sleep(0.005)
            delays.append((found.result - sent) * 1000)
        count, begun = 400, time.time()
        for _ in range(count):
            async_task("stock_task.nothing")
        while OrmQ.objects.exists() or time.time() - begun < 0.5:
            time.sleep(0.02)
            if time.time() - begun > 120:
                break
        rate = (count - OrmQ.objects.count()) / (time.time() - begun)
        begun = time.time()
        for _ in range(10):
            task = async_task("stock_task.nothing")
            while not Task.objects.filter(pk=task).exists():
                time.sleep(0.005)
        sequential = (time.time() - begun) * 4
    finally:
        cluster.terminate()
        cluster.wait(30)
    print(json.dumps({"start_p50": sorted(delays)[20], "rate": rate, "sequential": sequential}))


if __name__ == "__main__":
    main()
