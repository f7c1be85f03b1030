"""When a wait is over: every way to wait with every mix of states."""

import pytest

from executions.endings import ALL_ENDED, ALL_SUCCEEDED, FIRST_ENDED, is_fulfilled
from executions.lifecycle import ALIVE, Status

OK, BAD, GONE = Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED
RUN = Status.RUNNING


@pytest.mark.parametrize(
    ("statuses", "first", "succeeded", "ended"),
    [
        ([], True, True, True),
        ([RUN], False, False, False),
        ([OK], True, True, True),
        ([BAD], True, True, True),
        ([GONE], True, True, True),
        ([OK, RUN], True, False, False),
        ([BAD, RUN], True, True, False),
        ([GONE, RUN], True, True, False),
        ([OK, OK], True, True, True),
        ([OK, BAD], True, True, True),
        ([RUN, RUN, OK], True, False, False),
    ],
)
def test_every_way_to_wait(statuses: list[Status], first: bool, succeeded: bool, ended: bool) -> None:
    assert is_fulfilled(statuses, FIRST_ENDED) is first
    assert is_fulfilled(statuses, ALL_SUCCEEDED) is succeeded
    assert is_fulfilled(statuses, ALL_ENDED) is ended


@pytest.mark.parametrize("status", sorted(ALIVE))
@pytest.mark.parametrize("return_when", [ALL_ENDED, ALL_SUCCEEDED, FIRST_ENDED])
def test_what_lives_keeps_one_waiting(status: Status, return_when: str) -> None:
    assert is_fulfilled([status], return_when) is False
    assert is_fulfilled([str(status)], return_when) is False
