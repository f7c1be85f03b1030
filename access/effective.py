"""What an identity may do, worked out from the roles it holds: for people to read. `access.permissions` decides.

Pages and REST show it for users; pages of webhooks and schedules can show it for theirs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from access.matrix import HELD
from access.models import ANY_TYPE, Operation, Role


@dataclass(frozen=True)
class Row:
    """One thing that is allowed, where (None: everywhere), and by which roles."""

    project_id: UUID | None
    record_type: str
    operation: str
    roles: tuple[str, ...]

    def snapshot(self) -> dict[str, Any]:
        return {
            "record_type": self.record_type,
            "operation": self.operation,
            "project_id": self.project_id,
            "roles": list(self.roles),
        }


def effective_rows(kind: str, identity_id: UUID, *, only_propagated: bool = False) -> list[Row]:
    """Return what this identity's roles allow, by place, type and operation."""
    with connection.cursor() as cursor:
        cursor.execute(HELD, (str(kind), identity_id, only_propagated, None, None))
        found = cursor.fetchall()
    names = dict(Role.objects.filter(pk__in={row[0] for row in found}).values_list("pk", "name"))
    allowed: dict[tuple[UUID | None, str, str], list[str]] = {}
    for role, _, project, record_type, operation in found:
        if record_type is not None:
            allowed.setdefault((project, record_type, operation), []).append(names[role])
    rows = [Row(*place, tuple(sorted(roles))) for place, roles in allowed.items()]
    return sorted(rows, key=lambda row: (str(row.project_id or ""), row.record_type, row.operation))


@dataclass
class Line:
    """One record type in a table of permissions: its cells by operation, in their order."""

    record_type: str
    label: str
    cells: list[Any] = field(default_factory=list)


@dataclass
class Table:
    """A table of permissions for all projects (`project` None) or for one."""

    project: Any
    lines: list[Line]


OPERATIONS = list(Operation)


def label_of(record_type: str) -> str:
    """Return the words for a record type."""
    if record_type == ANY_TYPE:
        return "Everything"
    words = record_type.replace("_", " ").replace("api ", "API ")
    return words[0].upper() + words[1:]


def effective_tables(rows: Iterable[Row], projects: Iterable[Any]) -> list[Table]:
    """Return the rows as tables, those for everywhere first; places that are not among `projects` are left out."""
    cells: dict[UUID | None, dict[str, dict[str, Row]]] = {}
    for row in rows:
        cells.setdefault(row.project_id, {}).setdefault(row.record_type, {})[row.operation] = row
    places = [None, *projects]
    return [
        Table(place, [_line(kind, found) for kind, found in sorted(types.items(), key=_first_everything)])
        for place in places
        if (types := cells.get(place.pk if place else None))
    ]


def _first_everything(item: tuple[str, Any]) -> tuple[bool, str]:
    return item[0] != ANY_TYPE, item[0]


def _line(record_type: str, found: dict[str, Row]) -> Line:
    return Line(record_type, label_of(record_type), [found.get(operation) for operation in OPERATIONS])
