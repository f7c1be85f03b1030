"""The checks of `manage.py doctor`: each looks at one thing and says in plain words what to do about it.

They change nothing. The probes for machines are in `health.py`.
"""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib import metadata
from pathlib import Path

import django
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from connectors.models import Connector
from connectors.sealing import CannotOpen
from executions.lifecycle import Status
from executions.models import FROZEN_AFTER_SECONDS, Execution, Process
from executions.zygote import describe_isolation

OLDEST_POSTGRES = 14
LATE_SECONDS = 30.0
LEAST_DISK = 1_000_000_000
LITTLE_DISK = 5_000_000_000
LITTLE_MEMORY = 500_000_000


class Level(StrEnum):
    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """What one check found: how bad it is, about what, and in words."""

    level: Level
    subject: str
    words: str


def examine() -> Iterator[Finding]:
    """Yield the findings one by one, so that a slow check delays only its own line."""
    yield from _versions()
    reachable = _database()
    yield reachable
    if reachable.level is not Level.FAIL:
        for check in (_migrations, _workers, _queue, _secrets):
            yield _unless_broken(check)
    yield _disk()
    yield _memory()
    yield from _isolation()


def _unless_broken(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Error as error:
        subject = check.__name__.strip("_").capitalize()
        return Finding(
            Level.FAIL, subject, f"The database refused: {str(error).strip()}. Run manage.py migrate."
        )


def _secrets() -> Finding:
    """Say whether the secrets of connectors can be opened here."""
    try:
        names = [
            each.name for each in Connector.objects.exclude(sealed="").order_by("id") if not _opens(each)
        ]
    except OSError as error:
        return Finding(Level.FAIL, "Secrets", f"The key cannot be read ({error}): set SECRETS_KEY.")
    if names:
        words = f"{len(names)} connectors have secrets that cannot be opened, {names[0]!r} among them."
        return Finding(
            Level.FAIL, "Secrets", f"{words} Put their former key behind the present one (SECRETS_KEY)."
        )
    return Finding(Level.OK, "Secrets", "all can be opened")


def _opens(connector: Connector) -> bool:
    try:
        connector.open_secrets()
    except CannotOpen:
        return False
    return True


def _versions() -> Iterator[Finding]:
    version = platform.python_version()
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("channels", "daphne", "django-q2"))
    yield Finding(
        Level.OK,
        "Versions",
        f"Python {version}, Django {django.__version__}, {packages}, {platform.platform()}",
    )


def _database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000,"
                " current_setting('transaction_isolation'), current_setting('fsync')"
            )
            version, major, isolation, fsync = cursor.fetchone()
    except Error as error:
        advice = "Is it running, and is DATABASE_URL right?"
        return Finding(Level.FAIL, "Database", f"It does not answer: {str(error).strip()}. {advice}")
    words = f"PostgreSQL {version}, {isolation}"
    if major < OLDEST_POSTGRES:
        return Finding(Level.FAIL, "Database", f"{words}: use PostgreSQL {OLDEST_POSTGRES} or newer.")
    if isolation != "read committed":
        return Finding(Level.FAIL, "Database", f"{words}: Engine needs read committed, the usual default.")
    if fsync != "on":
        return Finding(
            Level.WARN, "Database", f"{words}, fsync {fsync}: a power cut may lose data. Turn it on."
        )
    return Finding(Level.OK, "Database", words)


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Finding(Level.FAIL, "Migrations", f"{len(missing)} are not applied: run manage.py migrate.")
    return Finding(Level.OK, "Migrations", "all applied")


def _workers() -> Finding:
    now = timezone.now()
    fresh = now - timedelta(seconds=FROZEN_AFTER_SECONDS)
    hosts = list(Process.objects.filter(role=Process.Role.HOST, ended_at=None).order_by("id"))
    alive = [host for host in hosts if host.heartbeat_at > fresh]
    if not alive:
        return Finding(
            Level.FAIL,
            "Workers",
            "None is alive, so nothing runs: start one with make run or manage.py worker.",
        )
    ages = ", ".join(
        f"{host} ({host.slots} slots, heartbeat {(now - host.heartbeat_at).total_seconds():.0f} s ago)"
        for host in alive
    )
    if len(alive) < len(hosts):
        silent = len(hosts) - len(alive)
        return Finding(Level.WARN, "Workers", f"{ages}; {silent} silent for over {FROZEN_AFTER_SECONDS} s.")
    return Finding(Level.OK, "Workers", ages)


def _queue() -> Finding:
    now = timezone.now()
    oldest = (
        Execution.objects.filter(status=Status.QUEUED, ready_at__lte=now)
        .order_by("ready_at")
        .values_list("ready_at", flat=True)
        .first()
    )
    if oldest is None:
        return Finding(Level.OK, "Queue", "nothing waits for a worker")
    age = (now - oldest).total_seconds()
    if age > LATE_SECONDS:
        return Finding(
            Level.WARN,
            "Queue",
            f"An execution has waited {age:.0f} s: add workers (WORKERS) or slots (SLOTS).",
        )
    return Finding(Level.OK, "Queue", f"the oldest execution has waited {age:.1f} s")


def _disk() -> Finding:
    data = Path(settings.ENGINE_DATA)
    existing = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    words = f"{free / 1e9:.1f} GB free at {existing}"
    if free < LEAST_DISK:
        return Finding(Level.FAIL, "Disk", f"{words}: make room now, or PostgreSQL stops.")
    if free < LITTLE_DISK:
        return Finding(Level.WARN, "Disk", f"{words}: make room soon.")
    return Finding(Level.OK, "Disk", words)


def _memory() -> Finding:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return Finding(Level.OK, "Memory", "unknown on this system")
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    available = kilobytes.get("MemAvailable", 0) * 1024
    words = f"{available / 1e9:.1f} GB available, {os.cpu_count()} cores"
    if available < LITTLE_MEMORY:
        return Finding(Level.WARN, "Memory", f"{words}: lower SLOTS, or give the machine more.")
    return Finding(Level.OK, "Memory", words)


def _isolation() -> Iterator[Finding]:
    """Say which walls stand around the processes that run people's code here."""
    for layer, active, note in describe_isolation():
        words = f"{'active' if active else 'not active'}{f': {note}' if note else ''}"
        yield Finding(Level.OK if active else Level.WARN, f"Isolation, {layer}", words)
