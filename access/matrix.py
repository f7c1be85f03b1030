"""What an identity may do, as a table in memory: read in one statement, kept on the identity for some seconds.

`access.permissions` asks it; who holds which role is written by `access.operations`.
"""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from access.models import ANY_TYPE, IdentityKind

KEPT_SECONDS = 2.0
Cell = tuple[str, str]  # record type, operation


@dataclass(frozen=True)
class Matrix:
    """Cells that hold everywhere, cells per project, and the roles they come from (and whether each propagates)."""

    everywhere: frozenset[Cell] = frozenset()
    projects: dict[UUID, frozenset[Cell]] = field(default_factory=dict)
    roles: dict[UUID, bool] = field(default_factory=dict)

    def allows(self, operation: str, record_type: str, project_id: UUID | None) -> bool:
        """Tell whether the operation is allowed on this type in this project (None: outside of any)."""
        cells = ((record_type, operation), (ANY_TYPE, operation))
        if not self.everywhere.isdisjoint(cells):
            return True
        return project_id in self.projects and not self.projects[project_id].isdisjoint(cells)

    def projects_with(self, operation: str, record_type: str) -> frozenset[UUID] | None:
        """Return the projects in which the operation is allowed on this type; None stands for everywhere."""
        cells = ((record_type, operation), (ANY_TYPE, operation))
        if not self.everywhere.isdisjoint(cells):
            return None
        return frozenset(key for key, allowed in self.projects.items() if not allowed.isdisjoint(cells))

    def covers(self, other: "Matrix") -> bool:
        """Tell whether everything that the other allows is allowed here, too."""
        return all(self.allows(operation, kind, None) for kind, operation in other.everywhere) and all(
            self.allows(operation, kind, project)
            for project, cells in other.projects.items()
            for kind, operation in cells
        )


NOTHING = Matrix()

# A grant for one project narrows the role's rows to it; a row for another project is void there.
HELD = """
SELECT g.role_id, bool_or(g.propagate), coalesce(g.project_id, p.project_id) AS project, p.record_type, p.operation
FROM access_identityrole g
JOIN access_role r ON r.id = g.role_id AND r.deleted_at IS NULL
LEFT JOIN access_rolepermission p ON p.role_id = g.role_id
    AND (g.project_id IS NULL OR p.project_id IS NULL OR g.project_id = p.project_id)
WHERE g.identity_kind = %s AND g.identity_id = %s
    AND (NOT %s OR g.propagate) AND (%s::uuid[] IS NULL OR g.role_id = ANY(%s::uuid[]))
GROUP BY 1, 3, 4, 5
"""
_OF_ROLES = """
SELECT r.id, true, p.project_id, p.record_type, p.operation
FROM access_role r LEFT JOIN access_rolepermission p ON p.role_id = r.id
WHERE r.id = ANY(%s::uuid[]) AND r.deleted_at IS NULL
"""


def matrix_of(identity: Any) -> Matrix:
    """Return what this identity may do by its roles (a superuser needs none)."""
    known: tuple[float, Matrix] | None = getattr(identity, "_matrix", None)
    if known is None or known[0] < time.monotonic():
        known = identity._matrix = (time.monotonic() + KEPT_SECONDS, _read(identity))
    return known[1]


def forget_matrix(identity: Any) -> None:
    """Let the next question about this identity read its roles anew."""
    identity._matrix = None


def _read(identity: Any) -> Matrix:
    acting = identity.acting
    if acting is None:
        return held_by(IdentityKind.USER, identity.pk)
    if identity.is_superuser:  # what a superuser starts with chosen roles has these and no more
        return of_roles(acting.roles or ())
    is_started = acting.kind == IdentityKind.EXECUTION
    return held_by(*acting.holder, only_propagated=is_started, roles=acting.roles)


_GRANTS = """
SELECT identity_id, role_id, project_id, propagate FROM access_identityrole
WHERE identity_kind = %s AND identity_id = ANY(%s::uuid[])
"""


def read_many(kind: str, identities: Collection[Any]) -> None:
    """Read what these identities of one kind (not executions) may do: those that hold the same roles share it."""
    grants: dict[UUID, list[tuple[Any, ...]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_GRANTS, (str(kind), [identity.acting.id for identity in identities]))
        for identity_id, *grant in cursor.fetchall():
            grants.setdefault(identity_id, []).append(tuple(grant))
    found: dict[frozenset[tuple[Any, ...]], Matrix] = {}
    for identity in identities:
        key = frozenset(grants.get(identity.acting.id, ()))
        if key not in found:
            found[key] = held_by(kind, identity.acting.id) if key else NOTHING
        identity._matrix = (time.monotonic() + KEPT_SECONDS, found[key])


def held_by(
    kind: str, identity_id: UUID, *, only_propagated: bool = False, roles: Iterable[UUID] | None = None
) -> Matrix:
    """Return what this identity's roles allow; `roles` narrows it to these."""
    chosen = None if roles is None else list(roles)
    return _matrix(HELD, (str(kind), identity_id, only_propagated, chosen, chosen))


def of_roles(roles: Iterable[UUID]) -> Matrix:
    """Return what these roles allow to one who holds them everywhere."""
    return _matrix(_OF_ROLES, (list(roles),))


def _matrix(sql: str, parameters: tuple[Any, ...]) -> Matrix:
    everywhere: set[Cell] = set()
    projects: dict[UUID, set[Cell]] = {}
    roles: dict[UUID, bool] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        for role, propagates, project, kind, operation in cursor.fetchall():
            roles[role] = roles.get(role, False) or propagates
            if kind is not None:
                (everywhere if project is None else projects.setdefault(project, set())).add(
                    (kind, operation)
                )
    return Matrix(frozenset(everywhere), {key: frozenset(cells) for key, cells in projects.items()}, roles)
