"""A start loads its parts side by side, and does again only what has changed since the last one."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from engine_site import prepared
from engine_site.environment import CLONE, Environment, read_environment
from engine_site.launch import what_to_know


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose static files are collected."""
    for file in ("app/models.py", "app/__pycache__/models.pyc", "staticfiles/.collected", "tests/test_it.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("1")
    monkeypatch.setattr(prepared, "CLONE", tmp_path)
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    data = tmp_path / ".engine"
    data.mkdir()
    return read_environment({"ENGINE_DATA": str(data)})


def test_nothing_is_prepared_before_it_was(clone: Path, environment: Environment) -> None:
    assert not prepared.is_prepared(environment)


def test_what_was_prepared_stays_so_while_the_code_does(clone: Path, environment: Environment) -> None:
    prepared.remember(environment)
    assert prepared.is_prepared(environment)
    (clone / "tests" / "test_it.py").write_text("changed")
    (clone / "app" / "__pycache__" / "models.pyc").write_text("changed")
    assert prepared.is_prepared(environment)
    prepared.forget(environment)
    assert not prepared.is_prepared(environment)


def test_changed_code_is_prepared_again(clone: Path, environment: Environment) -> None:
    prepared.remember(environment)
    (clone / "app" / "models.py").write_text("another line")
    assert not prepared.is_prepared(environment)
    prepared.remember(environment)
    (clone / "app" / "migration.py").touch()
    assert not prepared.is_prepared(environment)


def test_removed_static_files_are_collected_again(clone: Path, environment: Environment) -> None:
    prepared.remember(environment)
    (clone / "staticfiles" / ".collected").unlink()
    assert not prepared.is_prepared(environment)


def test_a_database_elsewhere_is_always_looked_at(clone: Path, environment: Environment) -> None:
    prepared.remember(environment)
    variables = {"ENGINE_DATA": str(environment.data), "DATABASE_URL": "postgresql:///elsewhere"}
    assert not prepared.is_prepared(read_environment(variables))


@pytest.mark.process
def test_a_part_waits_at_the_gate_until_it_opens() -> None:
    waiting, gate = os.pipe()
    code = "import django; print('loading', flush=True); django.setup(); print('through', flush=True)"
    part = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=CLONE,
        env=os.environ | {"ENGINE_GATE": str(waiting)},
        stdout=subprocess.PIPE,
        pass_fds=(waiting,),
    )
    os.close(waiting)
    assert part.stdout is not None
    try:
        assert part.stdout.readline() == b"loading\n"
        assert not select.select([part.stdout], [], [], 3)[0], "it has not waited"
        os.close(gate)
        assert part.communicate(timeout=60)[0] == b"through\n"
        assert part.returncode == 0
    finally:
        part.kill()
        part.wait()


def loaded_by(code: str, role: str, data: Path) -> set[str]:
    """Return the names of all modules that are loaded once `code` has run."""
    variables = {
        "ENGINE_ROLE": role,
        "ENGINE_DATA": str(data),
        "DJANGO_SETTINGS_MODULE": "engine_site.settings",
    }
    told = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        cwd=CLONE,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return set(told.stdout.split())


@pytest.mark.process
def test_no_process_loads_what_it_does_not_need(tmp_path: Path) -> None:
    supervisor = loaded_by("import manage", "command", tmp_path)
    assert "engine_site.supervisor" in supervisor
    assert not supervisor & {"django.conf", "psycopg", "asyncio"}

    worker = loaded_by("import django; django.setup(); import executions.cluster", "worker", tmp_path)
    assert "executions.admin" not in worker
    assert not worker & {
        "rest_framework.views",
        "unfold.admin",
        "drf_spectacular.openapi",
        "engine_site.urls",
    }


def test_the_password_is_shown_only_when_it_was_invented(environment: Environment) -> None:
    told = dict(what_to_know(environment, None))
    assert told == {"Open": "http://localhost:8000/", "User": "admin", "Stop": "Ctrl-C"}
    assert dict(what_to_know(environment, "abcd-efgh"))["Password"].startswith("abcd-efgh ")
