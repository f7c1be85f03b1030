"""`manage.py doctor` tells what is wrong in plain words, and its exit code says whether anything is."""

import io
import shutil
from collections import namedtuple
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from engine_site import checks
from engine_site.checks import Level
from executions.lifecycle import Status
from executions.models import FROZEN_AFTER_SECONDS, Execution, Process
from flows.models import Script
from projects.models import Project


def add_host(seconds_ago: float = 0) -> Process:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    return Process.objects.create(role=Process.Role.HOST, pid=7, machine="here", slots=16, heartbeat_at=at)


def queue(seconds_ago: float, status: str = Status.QUEUED) -> None:
    Execution.objects.create(
        status=status,
        ready_at=timezone.now() - timedelta(seconds=seconds_ago),
        project=Project.default(),
        script_id=Script.pin("def handler(system, this):\n    pass\n"),
    )


@pytest.mark.django_db
def test_no_worker_is_a_failure_with_advice() -> None:
    found = checks._workers()
    assert found.level is Level.FAIL
    assert "make run" in found.words


@pytest.mark.django_db
def test_live_workers_are_listed_with_their_heartbeat() -> None:
    add_host(3)
    found = checks._workers()
    assert found.level is Level.OK
    assert "host 7 on here (16 slots, heartbeat 3 s ago)" in found.words


@pytest.mark.django_db
def test_a_silent_worker_beside_a_live_one_is_a_warning() -> None:
    add_host()
    add_host(FROZEN_AFTER_SECONDS + 5)
    found = checks._workers()
    assert found.level is Level.WARN
    assert "1 silent" in found.words


@pytest.mark.django_db
@pytest.mark.parametrize(("age", "level"), [(1, Level.OK), (checks.LATE_SECONDS + 60, Level.WARN)])
def test_the_queue_is_judged_by_its_oldest(age: float, level: Level) -> None:
    queue(age)
    queue(0)
    found = checks._queue()
    assert found.level is level
    assert f"waited {age:.0f}" in found.words


@pytest.mark.django_db
def test_what_runs_or_is_planned_does_not_count_as_queue() -> None:
    queue(500, Status.RUNNING)
    queue(-500)
    assert checks._queue().words == "nothing waits for a worker"


@pytest.mark.django_db
def test_the_migrations_are_all_applied() -> None:
    assert checks._migrations().level is Level.OK


@pytest.mark.django_db
def test_a_database_without_fsync_is_a_warning() -> None:
    found = checks._database()
    assert "read committed" in found.words
    assert (found.level is Level.WARN) == ("fsync off" in found.words)


@pytest.mark.parametrize(
    ("free", "level"), [(10**8, Level.FAIL), (2 * 10**9, Level.WARN), (10**11, Level.OK)]
)
def test_a_full_disk_is_told_in_time(monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, free))
    assert checks._disk().level is level


def examine_all() -> tuple[str, int]:
    out = io.StringIO()
    try:
        call_command("doctor", stdout=out, no_color=True)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


@pytest.mark.process
@pytest.mark.django_db
def test_the_exit_code_follows_the_findings(settings: Any, tmp_path: Any) -> None:
    settings.ENGINE_DATA = tmp_path
    said, code = examine_all()
    assert code == 1
    assert "FAIL  Workers: " in said

    add_host()
    said, code = examine_all()
    assert code == 0, said
    lines = said.splitlines()
    assert all(line.split()[0] in set(Level) for line in lines)
    for subject in (
        "Versions",
        "Database",
        "Migrations",
        "Workers",
        "Queue",
        "Disk",
        "Memory",
        "Isolation, ",
    ):
        assert any(line[6:].startswith(subject) for line in lines), said
