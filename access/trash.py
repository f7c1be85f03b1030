"""Deleting what is in the trash for good, for those who may delete it. REST and pages call it."""

import time
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from access import audit
from access.permissions import Operation, require, visible
from records.kinds import Kind
from records.purging import StillNeeded, TooMuchAtOnce, remove

SECONDS = 10.0  # a request takes no longer
_TOGETHER = 100
_MOST = 20_000


class NotInTheTrash(ValidationError):
    """Only what is in the trash can be deleted for good."""


@dataclass
class Emptied:
    """What came of emptying a trash: how many went, why others stay, and whether the time was up."""

    removed: int = 0
    kept: list[tuple[Any, str]] = field(default_factory=list)  # the record, and why it stays
    has_more: bool = False

    @property
    def words(self) -> str:
        parts = [f"{self.removed} deleted for good."]
        parts += [words for _, words in self.kept[:3]]
        if len(self.kept) > 3:
            parts.append(f"{len(self.kept) - 3} more are still needed.")
        if self.has_more:
            parts.append("There is more: ask again to go on.")
        return " ".join(parts)


def purge(record: Any, *, by: Any) -> None:
    """Delete a record in the trash for good. Raises PermissionRefused, NotInTheTrash, StillNeeded."""
    require(by, Operation.DELETE, record)
    if record.deleted_at is None:
        raise NotInTheTrash(f"{str(record)!r} is not in the trash.")
    remove(type(record)._default_manager.filter(pk=record.pk), time.monotonic() + SECONDS)
    audit.note("delete for good", record, by=by)


def empty_trash(kind: Kind, *, by: Any) -> Emptied:
    """Delete all in the trash of this type that `by` may delete; what is still needed stays."""
    rows = visible(by, kind.rows(trashed=True), Operation.DELETE)
    until = time.monotonic() + SECONDS
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[: _MOST + 1])
    done = Emptied(has_more=len(keys) > _MOST)
    for start in range(0, len(keys), _TOGETHER):
        try:
            _remove_some(kind.model, keys[start : start + _TOGETHER], until, done)
        except TooMuchAtOnce:
            done.has_more = True
            break
    done.removed = len(keys) - kind.model._default_manager.filter(pk__in=keys).count()
    if done.removed:
        changes = {"removed": (None, done.removed)}
        audit.note("empty trash", by=by, record_type=kind.name, changes=changes)
    return done


def _remove_some(model: type[Model], keys: list[Any], until: float, done: Emptied) -> None:
    """Remove these together; if one of them is still needed, each by itself. Raises TooMuchAtOnce."""
    if time.monotonic() > until:
        raise TooMuchAtOnce
    rows = model._default_manager.filter(pk__in=keys)
    try:
        remove(rows, until)
    except TooMuchAtOnce:
        raise
    except StillNeeded as error:
        if len(keys) == 1:
            done.kept.append((rows.get(), " ".join(error.messages)))
            return
        for key in list(rows.values_list("pk", flat=True)):
            _remove_some(model, [key], until, done)
