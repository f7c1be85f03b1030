"""Statements that are sent together are one transaction: all of them are done or none, whatever goes wrong where."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, transaction

from executions.database import EXPECT, Unexpected, fetch, together

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "INSERT INTO numbers VALUES (%s) RETURNING n"


@pytest.fixture(autouse=True)
def numbers() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE numbers (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    yield
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE numbers")


def kept() -> list[int]:
    return [row[0] for row in fetch("SELECT n FROM numbers ORDER BY n")]


def test_each_has_its_rows_and_sees_those_before() -> None:
    count = "SELECT count(*), %(why)s::text FROM numbers"
    found = together([(ADD, (1,)), (count, {"why": "because"}), ("UPDATE numbers SET n = 2", ())])
    assert found == [[(1,)], [(1, "because")], []] and kept() == [2]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_fails_undoes_all(place: int) -> None:
    statements: list[tuple[str, Any]] = [(ADD, (1,)), (ADD, (2,))]
    statements.insert(place, ("SELECT 1 % %s::int", (0,)) if place else ("SELECT ln(%s::float8)", (-1.0,)))
    with pytest.raises((DataError, Unexpected)):
        together(statements)
    assert kept() == [] and together([(ADD, (3,))]) == [[(3,)]], "the connection goes on"


def test_a_commit_that_fails_is_no_success() -> None:
    with pytest.raises(IntegrityError):
        together([(ADD, (1,)), (ADD, (1,))])
    assert kept() == []


def test_what_is_expected_must_be_so() -> None:
    expects = f"SELECT {EXPECT.format('count(*) = %s')} FROM numbers"
    assert together([(ADD, (1,)), (expects, (1,))])[1] == [(1,)]
    with pytest.raises(Unexpected):
        together([(ADD, (2,)), (expects, (1,)), (ADD, (3,))])
    assert kept() == [1]


def test_inside_a_transaction_they_are_a_part_of_it() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        together([(ADD, (1,)), (ADD, (2,))])
        with pytest.raises(Unexpected):
            together([(ADD, (3,)), (f"SELECT {EXPECT.format('%s')}", (False,))])
        assert kept() == [1, 2]
        raise RuntimeError
    assert kept() == []


def test_a_connection_that_is_lost_is_told_and_opened_anew() -> None:
    with pytest.raises(OperationalError):
        together([(ADD, (1,)), ("SELECT pg_terminate_backend(pg_backend_pid())", ()), (ADD, (2,))])
    connection.close_if_unusable_or_obsolete()
    assert kept() == []
