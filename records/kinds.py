"""The record types as their doors see them: one `Kind` per type, offered by its app and used by REST and flow_api.

A kind names what can be read and written and which operation does it; it decides nothing itself.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, QuerySet

Verb = Callable[..., Any]


@dataclass(frozen=True)
class Kind:
    """One record type.

    `read` are the fields shown, `write` those a caller may set. `references` maps a field to the kind it points
    to: callers may give `<field>_id` or `<field>_name`. A verb that is None is not offered.
    `large` are the fields that lists leave out unless asked for; `order` is how lists are sorted; `clock` is the
    field that tells the moment the id was made, so that a filter on it becomes a range of ids.
    """

    name: str
    model: type[Model]
    read: tuple[str, ...]
    write: tuple[str, ...] = ()
    references: dict[str, str] = field(default_factory=dict)
    by: str = "name"  # what a bare selector means: "name" or "id"
    name_field: str = "name"
    large: tuple[str, ...] = ()
    order: str = "name"
    clock: str | None = None
    required: tuple[str, ...] = ("name",)
    has_trash: bool = True
    shapes: dict[str, Any] = field(
        default_factory=dict
    )  # JSON Schemas of what is read and no column; boolean else
    # What its documents hold besides: (record) -> value, by the name under which `create` and `save` take it.
    parts: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    create: Verb | None = None  # (*, by, **fields) -> record
    save: Verb | None = None  # (record, *, by, **fields) -> record
    trash: Verb | None = None  # (record, *, by) -> record
    restore: Verb | None = None  # (record, *, by) -> record
    duplicate: Verb | None = None  # (record, *, by, name) -> record

    @cached_property
    def columns(self) -> dict[str, Field[Any, Any]]:
        """The readable fields that are columns of the table, by the name they are read under."""
        stored = {column.attname: column for column in self.model._meta.concrete_fields}
        return {name: stored[name] for name in self.read if name in stored}

    def rows(self, *, trashed: bool = False) -> QuerySet[Any]:
        """Return the records outside the trash, or (`trashed`) those in it."""
        rows = self.model._default_manager.all()
        if not self.has_trash:
            return rows
        return rows.exclude(deleted_at=None) if trashed else rows.filter(deleted_at=None)

    def snapshot(self, record: Any, fields: Iterable[str] | None = None) -> dict[str, Any]:
        """Return the record's readable fields as a dict, the type first."""
        wanted = self.read if fields is None else tuple(fields)
        return (
            {"type": self.name, **{name: getattr(record, name) for name in wanted}}
            if fields is None
            else {name: getattr(record, name) for name in wanted}
        )


_kinds: dict[str, Kind] = {}
_names: dict[type[Model], str] = {}


def register(kind: Kind) -> Kind:
    """Make a kind known under its name. Called once by each app when it is ready."""
    _kinds[kind.name] = kind
    _names[kind.model] = kind.name
    return kind


def kind_of(name: str) -> Kind:
    """Return the kind with this name. Raises LookupError."""
    return _kinds[name]


def all_kinds() -> list[Kind]:
    """Return every kind, by name."""
    return [_kinds[name] for name in sorted(_kinds)]


def type_name(record: Any) -> str:
    """Return the record type of a record or model: the name of its kind, or of its class where no kind is offered."""
    model = record._meta.model
    return _names.get(model) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model.__name__).lower()


def select(kind: Kind, value: Any, by: str | None = None, rows: QuerySet[Any] | None = None) -> Any:
    """Return the record selected by name or id, or None. A malformed id selects nothing."""
    rows = kind.rows() if rows is None else rows
    if (by or kind.by) == "id":
        key = _as_key(kind, value)
        return None if key is None else rows.filter(pk=key).first()
    return rows.filter(**{kind.name_field: str(value).strip()}).first()


def _as_key(kind: Kind, value: Any) -> Any:
    if isinstance(value, UUID | int):
        return value
    try:
        return kind.model._meta.pk.to_python(value)
    except ValidationError:
        return None


def resolve_references(
    kind: Kind, fields: dict[str, Any], visible: Callable[[QuerySet[Any]], QuerySet[Any]]
) -> dict[str, Any]:
    """Replace `<field>_id` and `<field>_name` by the record they name. Raises ValidationError naming the field."""
    resolved = dict(fields)
    for name, target_name in kind.references.items():
        target = kind_of(target_name)
        for suffix in ("id", "name"):
            alias = f"{name}_{suffix}"
            if alias not in resolved:
                continue
            value = resolved.pop(alias)
            if value is None:
                continue
            found = select(target, value, by=suffix, rows=visible(target.rows()))
            if found is None:
                raise ValidationError({alias: f"There is no {target_name} with this {suffix}: {value!r}."})
            resolved[name] = found
    return resolved
