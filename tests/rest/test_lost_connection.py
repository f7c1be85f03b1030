"""A request whose connection to the database is lost is told to come again, not that its input is wrong."""

from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.models.signals import post_init

from flows.models import Flow
from tests.cast import make_cast
from tests.rest.conftest import Caller

pytestmark = pytest.mark.django_db(transaction=True)


def end_our_session() -> None:
    """End the session of this thread's connection, as a restart of the server does."""
    ours = connection.connection
    with psycopg.connect(ours.info.dsn, password=ours.info.password, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [ours.info.backend_pid])


def test_while_a_record_is_checked() -> None:
    cast = make_cast()
    root, body = Caller(cast.root), {"name": "Lost and found", "project_name": cast.workshop.name}
    assert root.get("/flow").status == 200

    def lose(sender: Any, **given: Any) -> None:
        post_init.disconnect(lose, Flow)
        end_our_session()

    post_init.connect(lose, Flow)
    answer = root.post("/flow", body)
    assert (answer.status, answer.code) == (503, "database_unavailable")
    assert answer.headers["Retry-After"] == "1"
    connection.close()  # as Django does between requests
    assert root.post("/flow", body).status == 201
