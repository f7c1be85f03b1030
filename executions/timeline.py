"""The timeline of an execution and its tree: who was queued, ran and waited from when to when.

Read from the history of statuses; the page draws it. Bounded: a large tree shows its first rows.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from access.permissions import visible
from executions.lifecycle import ENDED, WAITING, Status
from executions.models import Execution, Transition

ROWS_AT_MOST = 200
_DEPTH_AT_MOST = 12
PHASES = {
    **dict.fromkeys((Status.CREATED, Status.SCHEDULED, Status.QUEUED), ("queued", "Queued")),
    Status.RUNNING: ("running", "Running"),
    **{status: ("waiting", status.label) for status in WAITING},
    Status.PAUSED: ("waiting", "Paused"),
}


@dataclass(frozen=True)
class Phase:
    """A stretch of time in one status; `left` and `width` are percent of the whole timeline."""

    kind: str
    word: str
    from_at: datetime
    to_at: datetime
    left: float
    width: float

    @property
    def seconds(self) -> float:
        return (self.to_at - self.from_at).total_seconds()


@dataclass
class Bar:
    """One execution on the timeline."""

    id: UUID
    name: str
    status: str
    parent_id: UUID | None
    depth: int
    phases: list[Phase] = field(default_factory=list)
    end: float | None = None  # where it ended, in percent


@dataclass(frozen=True)
class Timeline:
    bars: list[Bar]
    from_at: datetime
    to_at: datetime
    is_cut: bool
    is_live: bool

    @property
    def seconds(self) -> float:
        return (self.to_at - self.from_at).total_seconds()

    @property
    def ticks(self) -> list[tuple[float, float]]:
        """Return places (percent) and the seconds they stand for."""
        return [(25.0 * number, self.seconds * number / 4) for number in range(5)]


def read_timeline(execution: Execution, identity: Any, rows: int = ROWS_AT_MOST) -> Timeline:
    """Return the timeline of the execution and what it started, parents before their children."""
    bars = _tree(execution, identity, rows + 1)
    is_cut = len(bars) > rows
    bars = bars[:rows]
    now = timezone.now()
    history: dict[UUID, list[tuple[str, datetime]]] = {}
    transitions: QuerySet[Any, Any] = Transition.objects.filter(execution_id__in=[bar.id for bar in bars])
    for key, new, at in transitions.order_by("execution_id", "version").values_list(
        "execution_id", "new", "at"
    ):
        history.setdefault(key, []).append((new, at))
    moments = [at for steps in history.values() for _, at in steps]
    is_live = any(Status(bar.status) not in ENDED for bar in bars)
    from_at = min(moments, default=execution.created_at)
    to_at = now if is_live else max(moments, default=now)
    span = max((to_at - from_at).total_seconds(), 0.001)
    for bar in bars:
        _lay_out(bar, history.get(bar.id, []), from_at, span, now)
    return Timeline(bars, from_at, to_at, is_cut, is_live)


def _lay_out(
    bar: Bar, steps: list[tuple[str, datetime]], from_at: datetime, span: float, now: datetime
) -> None:
    for number, (status, at) in enumerate(steps):
        place = 100 * (at - from_at).total_seconds() / span
        if Status(status) in ENDED:
            bar.end = place
            continue
        until = steps[number + 1][1] if number + 1 < len(steps) else now
        kind, word = PHASES[Status(status)]
        width = max(0.0, 100 * (until - at).total_seconds() / span)
        bar.phases.append(Phase(kind, word, at, until, place, width))


def _tree(execution: Execution, identity: Any, limit: int) -> list[Bar]:
    """Return the execution and its descendants, depth first, each level read in one statement."""
    root = Bar(execution.pk, execution.name, execution.status, execution.parent_id, 0)
    children: dict[UUID, list[Bar]] = {}
    level, known = [root], 1
    for depth in range(1, _DEPTH_AT_MOST + 1):
        if not level or known >= limit:
            break
        found = visible(identity, Execution.objects.filter(parent_id__in=[bar.id for bar in level])).order_by(
            "id"
        )
        level = [
            Bar(row["id"], row["name"], row["status"], row["parent_id"], depth)
            for row in found.values("id", "name", "status", "parent_id")[: limit - known]
        ]
        known += len(level)
        for bar in level:
            assert bar.parent_id is not None
            children.setdefault(bar.parent_id, []).append(bar)
    return _depth_first(root, children)


def _depth_first(root: Bar, children: dict[UUID, list[Bar]]) -> list[Bar]:
    ordered, stack = [], [root]
    while stack:
        bar = stack.pop()
        ordered.append(bar)
        stack += reversed(children.get(bar.id, []))
    return ordered
