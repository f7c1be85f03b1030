"""SQLPG against a real PostgreSQL: verbs, bound parameters, values as JSON, limits, and what is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection as own

from connectors.types.base import ConnectionFailed, ConnectionTimedOut, InputRefused
from connectors.types.sqlpg import is_idempotent
from tests.connections.certificates import PASSWORD, Authority
from tests.connections.exchanges import Exchange
from tests.connections.servers import Postgres, TlsDoor


@pytest.fixture(scope="module")
def table(postgres: Postgres) -> Iterator[str]:
    name = f"things_{uuid4().hex[:8]}"
    with postgres.session() as session:
        session.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, word text)")
        yield name
        session.execute(f"DROP TABLE {name}")


class Database:
    """Statements through connections, with the address of the server given."""

    def __init__(self, server: Postgres) -> None:
        self.exchange, self.server = Exchange(), server

    def __call__(self, **inputs: Any) -> Any:
        return self.exchange.sql(**{**self.server.inputs, **inputs})


@pytest.fixture
def sql(postgres: Postgres) -> Database:
    return Database(postgres)


def test_the_verbs(sql: Database, table: str) -> None:
    insert = f"INSERT INTO {table} VALUES ($1, $2)"
    assert sql(execute=insert, params=[1, "one"]) == "INSERT 0 1"
    assert sql(executemany=insert, params=[[2, "two"], [3, None]]) is not None
    assert sql(fetch=f"SELECT * FROM {table} ORDER BY id") == [
        {"id": 1, "word": "one"}, {"id": 2, "word": "two"}, {"id": 3, "word": None},
    ]  # fmt: skip
    assert sql(fetchrow=f"SELECT * FROM {table} WHERE id = $1", params=[2]) == {"id": 2, "word": "two"}
    assert sql(fetchrow=f"SELECT * FROM {table} WHERE id = 9") is None
    assert sql(fetchval="SELECT 1+1") == 2
    assert sql(fetchval=f"SELECT word FROM {table} WHERE id = 9") is None
    named = sql(fetchval="SELECT %(a)s::int + %(b)s", params={"a": 40, "b": 2})
    assert named == 42
    # All rows of a statement that changes something are done, though only the first is returned.
    assert sql(fetchval=f"UPDATE {table} SET word = 'x' RETURNING id") in (1, 2, 3)
    assert sql(fetchval=f"SELECT count(*) FROM {table} WHERE word = 'x'") == 3
    assert sql(execute=f"DELETE FROM {table}") == "DELETE 3"


def test_parameters_are_bound_and_never_part_of_the_statement(sql: Database) -> None:
    nasty = "'; DROP TABLE users; -- %s $1 \\ \""
    assert sql(fetchval="SELECT $1::text", params=[nasty]) == nasty
    assert sql(fetchval="SELECT 'a%b'") == "a%b"
    assert sql(fetchval="SELECT $1::jsonb -> 'k'", params=[{"k": [1, {"x": None}]}]) == [1, {"x": None}]
    assert sql(fetchval="SELECT array_length($1::int[], 1)", params=[[1, 2, 3]]) == 3
    with pytest.raises(ConnectionFailed):
        sql(fetchval="SELECT $1::int", params=["1; DROP"])


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("NULL", None),
        ("true", True),
        ("7::smallint", 7),
        ("9007199254740993::bigint", "9007199254740993"),
        ("1.10::numeric", "1.10"),
        ("1.5::float8", 1.5),
        ("'NaN'::float8", "nan"),
        ("'ä'::text", "ä"),
        ("'\\x00ff'::bytea", "AP8="),
        ("'2030-01-31'::date", "2030-01-31"),
        ("'infinity'::date", "infinity"),
        ("'08:30:00'::time", "08:30:00"),
        ("'2030-01-31 08:30:00.5'::timestamp", "2030-01-31T08:30:00.5"),
        ("'2030-01-31 08:30:00+00'::timestamptz AT TIME ZONE 'UTC'", "2030-01-31T08:30:00"),
        ("'1 year 2 mons 03:00'::interval", "P1Y2MT3H"),
        ("'c0ffee00-0000-4000-8000-000000000000'::uuid", "c0ffee00-0000-4000-8000-000000000000"),
        ("'{\"a\": [1, 2.5, null]}'::jsonb", {"a": [1, 2.5, None]}),
        ("""'{"\\ud800": "\\ud800"}'::json""", {"?": "?"}),
        ("ARRAY[1, NULL, 3]", [1, None, 3]),
        ("ARRAY['2030-01-31'::date]", ["2030-01-31"]),
        ("'10.0.0.1'::inet", "10.0.0.1"),
        ("'[1,5)'::int4range", "[1, 5)"),
    ],
)
def test_values(sql: Database, expression: str, value: object) -> None:
    assert sql(fetchval=f"SELECT {expression}") == value


def test_a_moment_has_its_offset(sql: Database) -> None:
    assert sql(fetchval="SELECT '2030-01-31 08:30:00+00'::timestamptz") == "2030-01-31T09:30:00+01:00"


def test_limits(sql: Database, table: str) -> None:
    with pytest.raises(ConnectionFailed, match="more than 10 rows"):
        sql(fetch="SELECT generate_series(1, 11)", max_rows=10)
    assert len(sql(fetch="SELECT generate_series(1, 10)", max_rows=10)) == 10
    with pytest.raises(ConnectionFailed, match="larger than 1,000 bytes"):
        sql(fetch="SELECT repeat('x', 600) FROM generate_series(1, 2)", max_bytes=1000)
    # Endless rows are stopped, not gathered.
    with pytest.raises(ConnectionFailed, match="more than 10,000 rows"):
        sql(fetch="WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT * FROM n) SELECT * FROM n")
    # What was too much is undone.
    with pytest.raises(ConnectionFailed, match="undone"):
        sql(fetch=f"INSERT INTO {table} SELECT generate_series(1, 20) RETURNING id", max_rows=5)
    assert sql(fetchval=f"SELECT count(*) FROM {table}") == 0


def test_the_time_is_limited_and_the_server_stops_too(sql: Database) -> None:
    with pytest.raises(ConnectionTimedOut, match="total_timeout"):
        sql(fetchval="SELECT pg_sleep(60)", total_timeout=0.3)
    with sql.server.session() as session:
        rows = session.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'"
        )
        assert rows.fetchone() == (0,)


def test_read_only(sql: Database, table: str) -> None:
    with pytest.raises(ConnectionFailed, match="read-only transaction"):
        sql(execute=f"INSERT INTO {table} VALUES (1)", read_only=True)


def test_what_goes_wrong_is_said(sql: Database) -> None:
    with pytest.raises(ConnectionFailed, match="SQLSTATE 42P01") as failed:
        sql(fetch="SELECT * FROM no_such_table")
    assert failed.value.output is not None and failed.value.output["sqlstate"] == "42P01"
    with pytest.raises(ConnectionFailed, match="the name 'a'"):
        sql(fetch="SELECT 1 AS a, 2 AS a")
    with pytest.raises(InputRefused, match="use execute"):
        sql(fetch="SET search_path = public")
    with pytest.raises(InputRefused, match="exactly one of fetch"):
        sql(fetch="SELECT 1", execute="SELECT 1")
    with pytest.raises(ConnectionFailed, match="Connection refused"):
        sql(fetchval="SELECT 1", port=1)
    with pytest.raises(InputRefused, match="executemany takes a list"):
        sql(executemany="SELECT $1", params={"a": 1})


def test_no_database_is_reached_by_accident() -> None:
    exchange = Exchange()
    for inputs in ({}, {"host": "127.0.0.1"}, {"username": "engine"}):
        with pytest.raises(InputRefused):
            exchange.sql(fetchval="SELECT 1", **inputs)
    sockets = own.settings_dict["HOST"]
    for host in (sockets, "/tmp", "@socket", "127.0.0.1,/tmp"):
        with pytest.raises(InputRefused, match=r"inputs\.host"):
            exchange.sql(host=host, username=own.settings_dict["USER"], fetchval="SELECT 1")


def test_the_environment_is_not_the_flows(sql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATABASE", "no_such_database")
    monkeypatch.setenv("PGHOST", "127.0.0.9")
    monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
    assert sql(fetchval="SELECT 1") == 1


def test_notices_are_logged(sql: Database) -> None:
    sql(execute="DO $$ BEGIN RAISE NOTICE 'half way'; END $$")
    assert sql.exchange.lines == ["NOTICE: half way"]


@pytest.mark.parametrize(
    ("inputs", "is_so"),
    [
        ({"fetch": "select 1"}, True),
        ({"fetchval": " -- why\n (SELECT 1)"}, True),
        ({"fetchrow": "INSERT INTO t VALUES (1) RETURNING id"}, False),
        ({"fetch": "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x"}, False),
        ({"fetch": "/* why */ /* * */ SELECT 1"}, True),
        ({"fetch": "/* SELECT 1 */ INSERT INTO t VALUES (1) RETURNING id"}, False),
        ({"fetch": "/* */ " * 1_000 + "INSERT INTO t VALUES (1) RETURNING id"}, False),
        ({"execute": "SELECT 1"}, False),
        ({"execute": "DELETE FROM t", "read_only": True}, True),
    ],
)
def test_what_may_be_repeated(inputs: dict[str, Any], is_so: bool) -> None:
    assert is_idempotent(inputs) is is_so


# -- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture
def door(postgres: Postgres, authority: Authority, tmp_path: Path) -> Iterator[Callable[..., TlsDoor]]:
    """Returns a maker of doors to the server that speak TLS."""
    made: list[TlsDoor] = []

    def make(**options: bool) -> TlsDoor:
        made.append(TlsDoor(postgres, authority.server_context(tmp_path, **options)))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def uses_tls(door: TlsDoor, **inputs: Any) -> bool:
    assert Exchange().sql(**{**door.inputs, **inputs}, fetchval="SELECT 1") == 1
    return door.encrypted[-1]


def test_tls_and_whom_to_trust(door: Callable[..., TlsDoor], authority: Authority) -> None:
    open_door = door()
    assert uses_tls(open_door) is True  # as the server offers it
    assert uses_tls(open_door, tls={"mode": "disable"}) is False
    assert uses_tls(open_door, tls={"mode": "require"}) is True
    assert uses_tls(open_door, tls={"ca": authority.pem}) is True
    assert uses_tls(open_door, host="localhost", tls={"ca": authority.pem, "mode": "verify-full"}) is True
    for tls in ({"ca": Authority("Others").pem}, {"mode": "verify-full"}):
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            uses_tls(open_door, tls=tls)
    with pytest.raises(InputRefused, match="verify-ca needs"):
        uses_tls(open_door, tls={"mode": "verify-ca"})


def test_a_certificate_of_the_client(door: Callable[..., TlsDoor], authority: Authority) -> None:
    guarded, me = door(asks_clients=True), authority.pair("me")
    mine = {"ca": authority.pem, "client_certificate": me.certificate}
    with pytest.raises(ConnectionFailed):
        uses_tls(guarded, tls={"ca": authority.pem})
    assert uses_tls(guarded, tls={**mine, "client_key": me.key})
    locked = {**mine, "client_key": me.locked_key}
    assert uses_tls(guarded, tls={**locked, "client_key_password": PASSWORD})
    with pytest.raises(ConnectionFailed):
        uses_tls(guarded, tls={**locked, "client_key_password": "another"})
