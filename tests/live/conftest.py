"""The cast, a flow of the workshop, and an ear that stops with each test."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from executions.live import ear
from executions.models import Execution
from executions.starting import Start, start_execution
from flows.models import Flow
from flows.operations import create_flow
from projects.models import Project
from tests.cast import Cast, make_cast

SCRIPT = "def handler(system, this, inputs):\n    return this.success('done')\n"
Starter = Callable[..., Execution]


@pytest.fixture
def cast(transactional_db: None) -> Iterator[Cast]:
    yield make_cast()
    # Before the tables are emptied: the ear's lease is a row, and open connections would keep the database.
    ear.stop()
    asyncio.run(sync_to_async(connections.close_all)())  # those of the thread that signs sockets in


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.root, project=cast.workshop, name="daily report", script=SCRIPT)


@pytest.fixture
def start(cast: Cast, flow: Flow) -> Starter:
    """Returns a starter of executions in the workshop, or in the given project."""

    def started(name: str = "", project: Project | None = None) -> Execution:
        given = Start(flow=flow, name=name, project=project)
        return start_execution(given, by=cast.root, origin=Execution.Origin.USER)[0]

    return started
