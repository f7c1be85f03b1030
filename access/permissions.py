"""The one answer to "may this identity do this operation on this record". Every door asks here.

A superuser may do everything. All others do what their roles allow: rows of project, record type and operation
(`access.matrix`). Records that belong to a person need no role of theirs.
"""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from access.matrix import matrix_of
from access.models import Operation
from records.kinds import type_name

__all__ = [
    "WORKSPACE",
    "Operation",
    "PermissionRefused",
    "is_unrestricted",
    "may",
    "may_anywhere",
    "may_in_project",
    "project_of",
    "projects_with",
    "require",
    "require_in_project",
    "visible",
]

M = TypeVar("M", bound=Model)
WORKSPACE = "workspace"  # the record type that stands for what concerns all: configuration, maintenance


class PermissionRefused(Exception):
    """The identity may not do this; the message says what is missing."""


def is_unrestricted(identity: Any) -> bool:
    """Tell whether this identity may do everything (an active superuser, and not with chosen roles only)."""
    if not identity or not identity.is_active or not identity.is_superuser:
        return False
    return identity.acting is None or identity.acting.roles is None


def may(identity: Any, operation: Operation, record: Any) -> bool:
    """Tell whether `identity` may do `operation` on `record`.

    A record belongs to the project in its `project_id`; a Project belongs to itself. For a record without a
    project, and for a model or the name of a record type, it must be allowed in all projects.
    """
    if identity is None or not identity.is_active:
        return False
    if is_unrestricted(identity):
        return True
    if isinstance(record, str):
        return matrix_of(identity).allows(operation, record, None)
    if _is_own(identity, operation, record) or _is_common(operation, record):
        return True
    return matrix_of(identity).allows(operation, type_name(record), project_of(record))


# What belongs to a person and to no project: which column names the owner, and what owners may do.
_OWNED = {
    "access.User": ("pk", {Operation.READ}),
    "access.ApiKey": ("user_id", {Operation.READ, Operation.CREATE, Operation.DELETE}),
    "access.IdentityRole": ("identity_id", {Operation.READ}),
}


def _is_own(identity: Any, operation: Operation, record: Any) -> bool:
    if record._meta.label == "access.Role" and operation == Operation.READ and not isinstance(record, type):
        return record.pk in matrix_of(identity).roles or _gives_roles(identity)
    column, operations = _OWNED.get(record._meta.label, ("", set()))
    return operation in operations and not isinstance(record, type) and getattr(record, column) == identity.pk


def _gives_roles(identity: Any) -> bool:
    """Tell whether this identity may give roles somewhere: it then sees all of them, others those they hold."""
    return may_anywhere(identity, Operation.CREATE, "identity_role")


# What everyone may read, wherever it lives: rows that came with a bundle, and in which this column is not empty.
_COMMON = {"schedules.Scheduler": "built_in"}


def _is_common(operation: Operation, record: Any) -> bool:
    column = _COMMON.get(record._meta.label) if operation == Operation.READ else None
    if column is None or isinstance(record, type):
        return False
    return record.bundle_id is not None and bool(getattr(record, column))


def may_in_project(
    identity: Any, operation: Operation, project_id: UUID | None, record_type: str | type[Model]
) -> bool:
    """Tell whether `identity` may do `operation` on records of this type in this project."""
    if is_unrestricted(identity):
        return True
    if identity is None or not identity.is_active or project_id is None:
        return False
    return matrix_of(identity).allows(operation, _name(record_type), project_id)


def require_in_project(
    identity: Any, operation: Operation, project: Any, record_type: str | type[Model]
) -> None:
    """Raise PermissionRefused unless `identity` may do `operation` on records of this type in `project`."""
    if not may_in_project(identity, operation, project.pk, record_type):
        words = _name(record_type).replace("_", " ")
        raise PermissionRefused(
            f"You need {operation} permission on {words}s in the project {project.name!r}."
        )


def projects_with(
    identity: Any, operation: Operation, record_type: str | type[Model]
) -> frozenset[UUID] | None:
    """Return the projects where `identity` may do `operation` on records of this type; None stands for all."""
    if is_unrestricted(identity):
        return None
    if identity is None or not identity.is_active:
        return frozenset()
    return matrix_of(identity).projects_with(operation, _name(record_type))


def may_anywhere(identity: Any, operation: Operation, record_type: str | type[Model]) -> bool:
    """Tell whether there is a place where `identity` may do `operation` on records of this type: to offer it."""
    projects = projects_with(identity, operation, record_type)
    return projects is None or bool(projects)


def project_of(record: Any) -> UUID | None:
    """Return the id of the project that decides about `record`."""
    if isinstance(record, type):
        return None
    if hasattr(record, "project_id"):
        return record.project_id
    return record.pk if record._meta.label == "projects.Project" else None


def require(identity: Any, operation: Operation, record: Any) -> None:
    """Raise PermissionRefused unless `identity` may do `operation` on `record` (or on all of a type)."""
    if not may(identity, operation, record):
        kind = record.replace("_", " ") if isinstance(record, str) else record._meta.verbose_name
        raise PermissionRefused(f"You need {operation} permission on this {kind}.")


def visible(identity: Any, records: "QuerySet[M]", operation: Operation = Operation.READ) -> "QuerySet[M]":
    """Narrow a queryset, in SQL, to the records on which `identity` may do `operation`."""
    projects = projects_with(identity, operation, records.model)
    if projects is None:
        return records
    if identity is None or not identity.is_active:
        return records.none()
    allowed = Q()
    if records.model._meta.label == "access.Role" and operation == Operation.READ:
        if _gives_roles(identity):
            return records
        allowed |= Q(pk__in=list(matrix_of(identity).roles))
    if records.model._meta.label in _OWNED:
        column, operations = _OWNED[records.model._meta.label]
        if operation in operations:
            allowed |= Q(**{column: identity.pk})
    if operation == Operation.READ and (common := _COMMON.get(records.model._meta.label)):
        allowed |= Q(**{f"{common}__gt": "", "bundle__isnull": False})
    if projects and records.model._meta.label == "projects.Project":
        allowed |= Q(pk__in=projects)
    elif projects and any(field.name == "project" for field in records.model._meta.concrete_fields):
        allowed |= Q(project_id__in=projects)
    return records.filter(allowed) if allowed else records.none()


def _name(record_type: str | type[Model]) -> str:
    return record_type if isinstance(record_type, str) else type_name(record_type)
