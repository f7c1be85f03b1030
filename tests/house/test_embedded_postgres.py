"""The embedded PostgreSQL starts anywhere, keeps its data through any death, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from engine_site.embedded_postgres import EmbeddedPostgres, FolderTaken
from engine_site.environment import CLONE
from engine_site.postgres_files import DatabaseNotStarted

pytestmark = pytest.mark.process

START_AND_STAY = """
import pathlib, sys, time
from engine_site.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False)
server.start()
print(server.pid, flush=True)
time.sleep(120)
"""

BORROW = """
import pathlib, sys
from engine_site.embedded_postgres import EmbeddedPostgres
with EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False).borrowed():
    print("in", flush=True)
    sys.stdin.readline()
print("out", flush=True)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that most tests share, since filling one takes longest."""
    return tmp_path_factory.mktemp("postgres") / "data"


@pytest.fixture
def stopped(data: Path) -> Iterator[EmbeddedPostgres]:
    """A server to start; stopped again whatever the test does."""
    server = EmbeddedPostgres(data, durable=False)
    yield server
    server.stop()


@pytest.fixture
def server(stopped: EmbeddedPostgres) -> EmbeddedPostgres:
    stopped.start()
    return stopped


def ask(server: EmbeddedPostgres, sql: str) -> object:
    with psycopg.connect(server.database_url) as link:
        row = link.execute(sql).fetchone()
        assert row is not None
        return row[0]


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def run_script(script: str, data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, data],
        cwd=CLONE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_it_answers_until_it_is_stopped(stopped: EmbeddedPostgres) -> None:
    server = stopped
    assert not server.is_running()
    assert server.start() == server.database_url
    assert server.is_running()
    assert str(ask(server, "SHOW server_version")).startswith("18.")
    server.stop()
    assert not server.is_running()
    assert server._own_processes() == []


def test_the_site_is_no_superuser_and_no_network_is_open(server: EmbeddedPostgres) -> None:
    assert ask(server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(server, "SHOW listen_addresses") == ""
    assert server.folder.stat().st_mode & 0o077 == 0
    wrong = server.database_url.replace(":5432", ":1").split("@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://engine:wrong@{wrong[1]}")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://postgres@{wrong[1]}")


def test_it_never_runs_as_root(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    status = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
        if ":" in line
    )
    assert "0" not in status["Uid"].split()
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0


def test_it_is_durable_unless_told_otherwise(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data")
    assert "fsync" not in server._settings()
    with server:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert ask(server, f"SHOW {setting}") == "on"


def test_rows_survive_the_death_of_the_server(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.database_url, autocommit=True) as link:
        link.execute("DROP TABLE IF EXISTS kept")
        link.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_for(server.has_died)
    server.start()
    assert ask(server, "SELECT answer FROM kept") == 42


def test_it_dies_with_its_starter(data: Path) -> None:
    starter = run_script(START_AND_STAY, data)
    assert starter.stdout is not None
    assert int(starter.stdout.readline()) > 0
    server = EmbeddedPostgres(data, durable=False)
    assert server.is_running()
    end(starter)
    wait_for(lambda: not server._own_processes())
    with server:
        assert ask(server, "SELECT 1") == 1


def test_a_server_left_over_is_ended_first(server: EmbeddedPostgres, data: Path) -> None:
    left_over = server
    assert left_over._lock is not None
    # As if its starter had died without taking it along: nobody holds the folder any more.
    os.close(left_over._lock)
    left_over._lock = None
    with EmbeddedPostgres(data, durable=False) as fresh:
        assert ask(fresh, "SELECT 1") == 1
        assert left_over.process is not None
        wait_for(left_over.has_died)
        assert fresh.pid != left_over.pid


def test_a_stranger_with_the_old_number_is_left_alone(data: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        server = EmbeddedPostgres(data, durable=False)
        (server.folder / "postmaster.pid").write_text(f"{stranger.pid}\n{server.folder}\n0\n5432\n\n\n")
        with server:
            assert ask(server, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_start_on_one_folder_is_refused_in_one_line(server: EmbeddedPostgres) -> None:
    with pytest.raises(FolderTaken) as refused:
        EmbeddedPostgres(server.data).start()
    said = str(refused.value)
    assert "\n" not in said
    assert f"process {os.getpid()}" in said
    assert "ENGINE_DATA" in said
    assert ask(server, "SELECT 1") == 1


def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 15) / ("path" * 15)
    server = EmbeddedPostgres(deep, durable=False)
    assert len(str(server.folder)) > 107
    with server:
        assert ask(server, "SELECT 1") == 1
        link = server._socket_folder()
        assert link.parent.stat().st_mode & 0o077 == 0
    link.unlink()
    link.parent.rmdir()


def test_a_half_filled_folder_is_filled_again(tmp_path: Path) -> None:
    half = tmp_path / "data" / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path / "data", durable=False) as server:
        assert ask(server, "SELECT 1") == 1
    assert not half.exists()


def test_a_lost_password_is_replaced(data: Path) -> None:
    (data / "database_password").unlink()
    with EmbeddedPostgres(data, durable=False) as server:
        assert ask(server, "SELECT 1") == 1


def test_another_major_version_is_refused_in_plain_words(data: Path) -> None:
    version = data / "postgres" / "PG_VERSION"
    true = version.read_text()
    try:
        version.write_text("12\n")
        with pytest.raises(DatabaseNotStarted, match="is of PostgreSQL 12"):
            EmbeddedPostgres(data, durable=False).start()
    finally:
        version.write_text(true)


def test_the_last_borrower_stops_the_server(data: Path) -> None:
    server = EmbeddedPostgres(data, durable=False)
    first, second = run_script(BORROW, data), None
    try:
        assert first.stdout and first.stdin
        assert first.stdout.readline() == "in\n"
        second = run_script(BORROW, data)
        assert second.stdout and second.stdin
        assert second.stdout.readline() == "in\n"
        first.stdin.write("\n")
        first.stdin.flush()
        time.sleep(0.3)
        assert server.is_running(), "the second command still needs it"
        second.stdin.write("\n")
        second.stdin.flush()
        assert second.stdout.readline() == "out\n"
        assert first.stdout.readline() == "out\n"
        assert first.wait(20) == 0
        assert not server.is_running()
    finally:
        for process in (first, second):
            if process is not None:
                end(process)


def test_a_borrower_joins_a_running_server(server: EmbeddedPostgres) -> None:
    pid = server.pid
    with EmbeddedPostgres(server.data).borrowed():
        pass
    assert server.pid == pid
    assert ask(server, "SELECT 1") == 1
