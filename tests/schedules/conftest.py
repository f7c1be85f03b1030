"""What the tests of schedules share: the engine tests' database, cast and workers, and a clockwork of schedules."""

from collections.abc import Iterator

import pytest

from executions.models import Execution
from executions.operations import cancel_executions
from schedules.models import Schedule
from tests.cast import Cast
from tests.executions.conftest import cast, db, fleet, hosts, stage  # noqa: F401  found by their names here
from tests.executions.hosts import clear_queue
from tests.invariants import check_invariants
from tests.schedules.clockwork import Clockwork


@pytest.fixture
def clockwork(cast: Cast) -> Iterator[Clockwork]:  # noqa: F811
    """Make schedules here; they are gone when the test is over, and what they started keeps the invariants."""
    made = Clockwork(cast)
    try:
        yield made
        check_invariants(_executions_of(made), settled=False)
    finally:
        Schedule.objects.filter(pk__in=made.made).update(is_enabled=False)
        cancel_executions(_executions_of(made))
        clear_queue()


def _executions_of(made: Clockwork) -> list:
    return list(Execution.objects.filter(schedule_id__in=made.made).values_list("pk", flat=True))
