"""Executions of the past, which the engine's own operations cannot make, and the settings that say what expires."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from executions.lifecycle import ENDED, Status
from executions.models import Execution, LogLine, Savepoint, Transition
from flows.models import Flow
from flows.operations import create_flow
from records import configuration
from records.identifiers import uuid7
from tests.cast import Cast, make_cast

SCRIPT = "def handler(system, this, inputs):\n    return this.success('done')\n"
Put = Callable[..., Execution]


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.root, project=cast.workshop, name="Sorter", script=SCRIPT)


@pytest.fixture
def put(cast: Cast, flow: Flow) -> Put:
    """Returns a maker of executions that ended (or, for a living status, began) so many days ago."""

    def make(days: float, status: str = Status.ENDED_SUCCESS, **columns: Any) -> Execution:
        at = timezone.now() - timedelta(days=days)
        columns = {"flow": flow, "project": cast.workshop, "type": "FLOW", **columns}
        made = Execution.objects.create(
            id=id_at(at),
            name="sort",
            status=status,
            script_id=flow.pinned_id,
            created_by=cast.root,
            created_at=at,
            ended_at=at if status in ENDED else None,
            **columns,
        )
        LogLine.objects.create(execution=made, number=1, at=at, text="hello")
        Savepoint.objects.create(execution=made, number=1, attempt=1, call="sleep")
        Transition.objects.create(execution=made, new=status, version=1, at=at)
        return made

    return make


def id_at(at: Any) -> UUID:
    """Return an id made at this moment."""
    fresh = uuid7().int & ((1 << 76) - 1)
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (0x7 << 76) | fresh)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    configuration._read_at = float("-inf")


@pytest.fixture
def days(cast: Cast) -> Callable[..., None]:
    """Sets for how many days the workspace keeps what; 0 is for ever."""

    def set_days(**given: float) -> None:
        for name, number in given.items():
            option = "TRASH_DAYS" if name == "trash" else f"RETENTION_{name.upper()}_DAYS"
            configuration.store(option, number, by=cast.root)

    return set_days
