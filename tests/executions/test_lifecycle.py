"""The table of states: every pair of them, and the groups that others rely on."""

import pytest

from executions.lifecycle import ALIVE, ENDED, WAITING, Status, may_move, sources_of

# One row per state that is left, one column per state that is taken, in the order of the enum. Written out by
# hand on purpose: a change of the table has to be made twice.
#             CREATED
#             | SCHEDULED
#             | | QUEUED
#             | | | RUNNING
#             | | | | dependency, message, lock, SLEEPING
#             | | | | | | | | PAUSED
#             | | | | | | | | | success, error, cancelled
TABLE = """
CREATED       . x x x . . . . x . x x
SCHEDULED     . . x x . . . . x . x x
QUEUED        . x . x . . . . x . x x
RUNNING       . . x . x x x x x x x x
DEPENDENCY    . . x x . . . . x x x x
MESSAGE       . . x x . . . . x x x x
LOCK          . . x x . . . . x x x x
SLEEPING      . . x x . . . . x x x x
PAUSED        . x x x x x x x . . x x
ENDED_SUCCESS . . . . . . . . . . . .
ENDED_ERROR   . . . . . . . . . . . .
CANCELLED     . . . . . . . . . . . .
"""


def pairs() -> list[tuple[Status, Status, bool]]:
    rows = [line.split()[1:] for line in TABLE.strip().splitlines()]
    states = list(Status)
    assert [len(row) for row in rows] == [len(states)] * len(states)
    return [(old, new, rows[i][j] == "x") for i, old in enumerate(states) for j, new in enumerate(states)]


@pytest.mark.parametrize(("old", "new", "allowed"), pairs())
def test_every_pair_of_states(old: Status, new: Status, allowed: bool) -> None:
    assert may_move(old, new) is allowed


@pytest.mark.parametrize("new", list(Status))
def test_sources_are_the_column_of_the_table(new: Status) -> None:
    assert sources_of(new) == [old for old, target, allowed in pairs() if target == new and allowed]


@pytest.mark.parametrize("final", sorted(ENDED))
def test_a_final_state_is_never_left(final: Status) -> None:
    assert not any(may_move(final, new) for new in Status)


@pytest.mark.parametrize("status", sorted(ALIVE))
def test_all_that_lives_can_fail_and_can_be_cancelled(status: Status) -> None:
    assert may_move(status, Status.ENDED_ERROR)
    assert may_move(status, Status.ENDED_CANCELLED)


def test_success_is_reached_by_what_has_begun_only() -> None:
    assert set(sources_of(Status.ENDED_SUCCESS)) == {Status.RUNNING, *WAITING}


def test_the_groups_cover_the_states_once() -> None:
    not_begun = {Status.CREATED, Status.SCHEDULED, Status.QUEUED}
    groups = [ENDED, WAITING, not_begun, {Status.RUNNING}, {Status.PAUSED}]
    assert sum(map(len, groups)) == len(Status)
    assert set().union(*groups) == set(Status)
    assert set(Status) == ALIVE | ENDED and not ALIVE & ENDED
