"""Removing records for good: what belongs to them goes with them, what merely points at them lets go of them.

The trash calls it (`access.trash`, the housekeeping). It asks for no permission. Big tables are dealt with in short
transactions, so a removal that takes too long is broken off and goes on when it is asked for again.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import SET_NULL, Model, ProtectedError, QuerySet, RestrictedError

_PIECE = 1_000
_NAMED = 5

Rows = QuerySet[Any]
Remove = Callable[[Rows, float], None]  # (rows, until: a monotonic time)


class StillNeeded(ValidationError):
    """Something that stays points at the record, or it is too much to remove at once; the message says what."""


class TooMuchAtOnce(StillNeeded):
    """The time is up; what is removed so far stays removed."""

    def __init__(self) -> None:
        super().__init__("There is very much to remove. Some of it is gone; ask again to go on.")


_removers: dict[type[Model], Remove] = {}


def offer_remover(model: type[Model], remove: Remove) -> None:
    """Let `remove` take rows of this model away. Called by the model's app when it is ready."""
    _removers[model] = remove


def remove(rows: Rows, until: float = float("inf")) -> None:
    """Remove these rows for good. Raises StillNeeded."""
    _removers.get(rows.model, _one_by_one)(rows, until)


def remove_one(record: Any, until: float = float("inf")) -> None:
    """Remove one record with what Django knows to belong to it. Raises StillNeeded."""
    for model, column in _loose_ends(type(record)):
        pointing = model._base_manager.filter(**{column: record.pk})
        while keys := list(pointing.values_list("pk", flat=True)[:_PIECE]):
            if time.monotonic() > until:
                raise TooMuchAtOnce
            model._base_manager.filter(pk__in=keys).update(**{column: None})
    try:
        with transaction.atomic():
            record.delete()
    except (ProtectedError, RestrictedError) as error:
        objects = getattr(error, "protected_objects", None) or getattr(error, "restricted_objects", ())
        raise StillNeeded(f"{str(record)!r} is still needed by {words_of(objects)}.") from error


def _one_by_one(rows: Rows, until: float) -> None:
    for record in rows:
        remove_one(record, until)


def words_of(objects: Any) -> str:
    """Return a few of these records in words, and how many more there are."""
    named = [f"the {each._meta.verbose_name} {str(each)!r}" for each in list(objects)[:_NAMED]]
    more = len(objects) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _loose_ends(model: type[Model]) -> Iterator[tuple[type[Model], str]]:
    """Yield what is set to nothing when a record goes: one statement for all of it could be millions of rows."""
    for relation in model._meta.get_fields(include_hidden=True):
        if (
            relation.auto_created
            and not relation.concrete
            and getattr(relation, "on_delete", None) is SET_NULL
        ):
            yield relation.related_model, relation.field.attname  # type: ignore[misc, union-attr]
