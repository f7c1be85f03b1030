"""Executions of every kind to filter, and the cast with a signed-in browser each."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from access.models import User
from executions import moves
from executions.lifecycle import Status
from executions.models import Execution
from executions.moves import Outcome
from executions.starting import Start, start_execution
from flows.models import Flow
from flows.operations import create_flow
from tests.cast import Cast, make_cast

SCRIPT = (
    "def handler(system, this, inputs):\n    value = inputs['missing']\n    return this.success('done')\n"
)
TRACEBACK = (
    'Traceback (most recent call last):\n  File "{name}.py", line 2, in handler\n'
    "    value = inputs['missing']\nKeyError: 'missing'\n"
)
Starter = Callable[..., Execution]


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.root, project=cast.workshop, name="daily report", script=SCRIPT)


@pytest.fixture
def start(cast: Cast, flow: Flow) -> Starter:
    """Returns a starter of executions of the flow; `by` is a user, the rest are fields of Start."""

    def started(name: str = "", by: User | None = None, **fields: Any) -> Execution:
        fields = fields if "script" in fields else {"flow": flow, **fields}
        return start_execution(Start(name=name, **fields), by=by or cast.root, origin=Execution.Origin.USER)[
            0
        ]

    return started


@pytest.fixture
def end() -> Callable[..., Execution]:
    """Returns what ends an execution as a host would."""

    def ended(
        execution: Execution, status: Status = Status.ENDED_SUCCESS, message: str = "", **more: Any
    ) -> Execution:
        moves.move("e.id = %(id)s", Status.RUNNING, {"id": execution.pk}, sets=", host_id = 1, attempt = 1")
        reason = "raised" if status == Status.ENDED_ERROR else ""
        moves.end_hosted(1, [(execution.pk, 1, Outcome(status, reason, message, **more))])
        execution.refresh_from_db()
        return execution

    return ended


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """Returns a client signed in as the given person."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
