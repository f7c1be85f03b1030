"""Who is at the lock of a setting, as one person may see it. Pages and REST ask; `executions.locks` changes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from access.permissions import visible
from projects.models import Setting


@dataclass(frozen=True)
class Place:
    """One execution at a lock; `execution` is None where the person may not see it."""

    id: int
    execution: Any
    at: datetime  # when it came
    since: datetime | None  # when it got the lock
    depth: int

    def snapshot(self) -> dict[str, Any]:
        shown: UUID | None = self.execution and self.execution.pk
        return {"execution_id": shown, "at": self.at, "since": self.since, "depth": self.depth}


@dataclass(frozen=True)
class LockState:
    """The holder, and those who wait in their order; `has_more` tells that there are more than were asked for."""

    holder: Place | None
    waiters: list[Place]
    has_more: bool

    @property
    def stamp(self) -> str:
        """What is the same as long as the same ones are at the lock."""
        places = [*([self.holder] if self.holder else []), *self.waiters]
        return "-".join(f"{each.id}.{each.depth}.{int(each.since is not None)}" for each in places)


def lock_state(setting: Setting, *, by: Any, most: int) -> LockState:
    """Return who holds the lock of the setting, and up to `most` of those who wait for it."""
    # Through the relation: executions come later in the order of apps.
    rows = list(setting.locks.order_by(F("since").asc(nulls_last=True), "id")[: most + 2])
    executions = setting.locks.model._meta.get_field("execution").related_model._default_manager
    seen = visible(by, executions.filter(pk__in=[row.execution_id for row in rows]))
    known = {each.pk: each for each in seen.only("id", "name", "status")}
    places = [Place(row.pk, known.get(row.execution_id), row.at, row.since, row.depth) for row in rows]
    holder = places.pop(0) if places and places[0].since else None
    return LockState(holder, places[:most], len(places) > most)
