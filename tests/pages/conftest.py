"""The cast with a signed-in browser each, and a flow to look at."""

from collections.abc import Callable

import pytest
from django.test import Client

from access.models import User
from executions.models import Execution
from executions.starting import Start, start_execution
from flows.models import Flow
from flows.operations import create_flow
from tests.cast import Cast, make_cast

SCRIPT = "def handler(system, this, inputs):\n    return this.success('done')\n"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """Returns a client signed in as the given person."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.root, project=cast.workshop, name="daily report", script=SCRIPT)


@pytest.fixture
def start(cast: Cast) -> Callable[[Flow], Execution]:
    """Returns a starter: each call writes one more execution of the flow into the queue."""

    def started(flow: Flow) -> Execution:
        return start_execution(Start(flow=flow), by=cast.root, origin=Execution.Origin.USER)[0]

    return started
