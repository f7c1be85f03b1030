"""What the engine's tests share: a database whose rows are committed, so that threads and workers see them, the cast,
a stage to start executions on, stand-ins for hosts, and real workers.

Rows stay until the package is done; each test looks only at what it started itself.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from access.models import User
from executions.operations import cancel_executions
from flows.models import Flow, Script
from projects.models import Project
from tests.cast import Cast, make_cast
from tests.executions.cluster import Fleet
from tests.executions.hosts import StandIn, clear_queue, sweep
from tests.executions.stage import Stage
from tests.invariants import check_invariants, tree_of


@pytest.fixture(scope="package")
def db(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Open the test database for good, where pytest-django's own `db` rolls everything back."""
    # A test module that imports it stretches it, and the workers, over the whole session.
    assert isinstance(request.node, pytest.Package), "import these fixtures in the package's conftest.py only"
    with django_db_blocker.unblock():
        yield
        _empty()
        connection.close()


def _empty() -> None:
    ours = apps.get_app_config(
        "executions"
    ).get_models()  # of which not all point at each other in the database
    tables = ", ".join(model._meta.db_table for model in (*ours, Flow, Script, Project, User))
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")


@pytest.fixture(scope="package")
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def stage(cast: Cast) -> Iterator[Stage]:
    """Start executions here; what was started is checked against the invariants when the test is over."""
    made = Stage(cast)
    try:
        yield made
        check_invariants(made.ids, settled=False)
    finally:
        cancel_executions(tree_of(made.ids))  # nothing is left in the queue for the next test


@pytest.fixture
def hosts(stage: Stage) -> Iterator[Callable[..., StandIn]]:
    """Returns a maker of stand-ins for hosts, which give up what they still hold when the test is over."""
    made: list[StandIn] = []

    def make(slots: int = 4, connections: int = 0) -> StandIn:
        made.append(StandIn(slots, connections))
        return made[-1]

    try:
        yield make
        check_invariants(stage.ids, settled=False)
    finally:
        for host in made:
            host.leave()
        sweep()
        cancel_executions(tree_of(stage.ids))
        clear_queue()


@pytest.fixture
def host(hosts: Callable[..., StandIn]) -> StandIn:
    return hosts()


@pytest.fixture(scope="package")
def fleet(db: None, database_url: str) -> Iterator[Fleet]:
    """Start workers here; those that a test leaves running are used by the next one that wants the same."""
    made = Fleet(database_url)
    yield made
    made.stop()
    made.output.unlink(missing_ok=True)


@pytest.fixture
def play(stage: Stage, fleet: Fleet) -> Iterator[Stage]:
    """A stage with a worker of four slots. Everything must have ended when the test is over."""
    fleet.have(workers=1, slots=4)
    yield stage
    check_invariants(stage.ids)
