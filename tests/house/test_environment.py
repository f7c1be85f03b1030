"""The settings come from the environment: safe by default, and refused by name when they are not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine_site.environment import CLONE, Environment, SettingsRefused, read_environment, stored_secret

LONG = "k" * 60
PRODUCTION = {"ENGINE_ENV": "production", "SECRET_KEY": LONG, "ALLOWED_HOSTS": "engine.example.org"}


def refusals(variables: dict[str, str]) -> str:
    with pytest.raises(SettingsRefused) as refused:
        read_environment(variables)
    return "\n".join(refused.value.messages)


def test_nothing_given_is_safe() -> None:
    found = read_environment({})
    assert (found.host, found.port, found.slots) == ("127.0.0.1", 8000, 16)
    assert found.uses_embedded_database
    assert found.data == CLONE / ".engine"
    assert found.role == "command"
    assert not found.debug
    assert not found.is_production
    assert "*" not in found.allowed_hosts


def test_everything_given_is_taken(tmp_path: Path) -> None:
    found = read_environment(
        PRODUCTION
        | {
            "DATABASE_URL": "postgresql://alice@db/engine",
            "ENGINE_DATA": str(tmp_path),
            "PORT": "9000",
            "HOST": "0.0.0.0",
            "WORKERS": "3",
            "SLOTS": "40",
            "CSRF_TRUSTED_ORIGINS": "https://a.example.org, https://b.example.org",
            "LOG_FORMAT": "json",
            "ENGINE_ROLE": "web",
        }
    )
    assert found.database_url == "postgresql://alice@db/engine"
    assert (found.host, found.port, found.workers, found.slots) == ("0.0.0.0", 9000, 3, 40)
    assert found.csrf_trusted_origins == ["https://a.example.org", "https://b.example.org"]
    assert found.allowed_hosts == ["engine.example.org"]
    assert found.behind_tls
    assert found.secret_key == LONG


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("WORKERS", "0"),
        ("SLOTS", "-1"),
        ("DEBUG", "perhaps"),
        ("ENGINE_ENV", "prod"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "LOUD"),
        ("ENGINE_ROLE", "king"),
    ],
)
def test_an_unreadable_value_is_named(variable: str, value: str) -> None:
    assert f"{variable}={value}" in refusals({variable: value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("DEBUG", "true"),
        ("ALLOWED_HOSTS", ""),
        ("ALLOWED_HOSTS", "*"),
        ("ENGINE_ADMIN_PASSWORD", "admin"),
        ("ENGINE_ADMIN_PASSWORD", "password"),
        ("ENGINE_ADMIN_PASSWORD", "12ab"),
    ],
)
def test_production_refuses_what_is_unsafe(variable: str, value: str) -> None:
    assert refusals(PRODUCTION | {variable: value}).startswith(variable)


def test_production_names_every_fault_at_once() -> None:
    said = refusals({"ENGINE_ENV": "production", "DEBUG": "1", "ENGINE_ADMIN_PASSWORD": "admin"})
    for variable in ("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "ENGINE_ADMIN_PASSWORD"):
        assert variable in said


def test_production_accepts_what_is_safe() -> None:
    assert read_environment(PRODUCTION).is_production


def test_a_refusal_ends_a_command_with_plain_words(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}
    done = subprocess.run(
        [sys.executable, CLONE / "manage.py", "check"],
        env=kept | {"ENGINE_ENV": "production", "ALLOWED_HOSTS": "", "ENGINE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("SECRET_KEY is not given")
    assert "Traceback" not in done.stderr


def test_the_secret_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = read_environment({"ENGINE_DATA": str(data)})
    second = read_environment({"ENGINE_DATA": str(data)})
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 50
    assert (data / "secret_key").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in data.iterdir()] == ["secret_key"]


def test_processes_that_ask_at_once_get_the_same_secret(tmp_path: Path) -> None:
    ask = "import sys, pathlib as p; from engine_site.environment import *; print(stored_secret(p.Path(sys.argv[1])))"
    asked = [
        subprocess.Popen([sys.executable, "-c", ask, tmp_path / "key"], cwd=CLONE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    answers = {process.communicate(timeout=60)[0] for process in asked}
    assert answers == {stored_secret(tmp_path / "key").encode() + b"\n"}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsRefused, match="set ENGINE_DATA"):
        stored_secret(tmp_path / "file" / "data" / "secret_key")


def test_the_table_in_the_docstring_names_every_variable() -> None:
    from engine_site import environment

    assert environment.__doc__ is not None
    fields = {"data": "ENGINE_DATA", "kind": "ENGINE_ENV", "role": "ENGINE_ROLE"}
    fields |= {"given_secret_key": "SECRET_KEY", "admin_password": "ENGINE_ADMIN_PASSWORD"}
    for field in Environment.__dataclass_fields__:
        assert f"| `{fields.get(field, field.upper())}` |" in environment.__doc__
