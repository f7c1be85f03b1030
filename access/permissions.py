"""The one answer to "may this identity do this operation on this record". Every door asks here.

Staff and superusers may do everything. Others act through their membership in the record's project.
"""

from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from access.models import Membership, User

M = TypeVar("M", bound=Model)


class Operation(StrEnum):
    """What can be asked for. RUN starts executions and controls them (cancel, rerun)."""

    READ = "READ"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    RUN = "RUN"


_ROLES = {
    Operation.READ: (Membership.Role.VIEWER, Membership.Role.OPERATOR, Membership.Role.EDITOR),
    Operation.RUN: (Membership.Role.OPERATOR, Membership.Role.EDITOR),
    Operation.CREATE: (Membership.Role.EDITOR,),
    Operation.UPDATE: (Membership.Role.EDITOR,),
    Operation.DELETE: (Membership.Role.EDITOR,),
}


class PermissionRefused(Exception):
    """The identity may not do this; the message says what is missing."""


def is_unrestricted(identity: Any) -> bool:
    """Tell whether this identity may do everything (active staff or superuser)."""
    return bool(identity and identity.is_active and (identity.is_staff or identity.is_superuser))


def may(identity: Any, operation: Operation, record: Any) -> bool:
    """Tell whether `identity` (a User) may do `operation` on `record`.

    A record belongs to the project in its `project_id`; a Project belongs to itself; a record without a
    project (and any class given instead of a record) is for staff only.
    """
    if identity is None or not identity.is_active:
        return False
    if is_unrestricted(identity):
        return True
    if _is_own(identity, operation, record):
        return True
    return may_in_project(identity, operation, project_of(record))


# What belongs to a person and to no project: which column names the owner, and what owners may do.
_OWNED = {
    "access.User": ("pk", {Operation.READ}),
    "access.ApiKey": ("user_id", {Operation.READ, Operation.CREATE, Operation.DELETE}),
}


def _is_own(identity: Any, operation: Operation, record: Any) -> bool:
    column, operations = _OWNED.get(record._meta.label, ("", set()))
    return operation in operations and not isinstance(record, type) and getattr(record, column) == identity.pk


def may_in_project(identity: Any, operation: Operation, project_id: UUID | None) -> bool:
    """Tell whether `identity` may do `operation` on records of this project."""
    if is_unrestricted(identity):
        return True
    if identity is None or not identity.is_active or project_id is None:
        return False
    return Membership.objects.filter(
        user_id=identity.pk, project_id=project_id, role__in=_ROLES[operation]
    ).exists()


def project_of(record: Any) -> UUID | None:
    """Return the id of the project that decides about `record`."""
    if isinstance(record, type):
        return None
    if hasattr(record, "project_id"):
        return record.project_id
    return record.pk if record._meta.label == "projects.Project" else None


def require(identity: Any, operation: Operation, record: Any) -> None:
    """Raise PermissionRefused unless `identity` may do `operation` on `record`."""
    if not may(identity, operation, record):
        kind = record._meta.verbose_name
        raise PermissionRefused(f"You need {operation} permission on this {kind}.")


def visible(
    identity: User | Any, records: "QuerySet[M]", operation: Operation = Operation.READ
) -> "QuerySet[M]":
    """Narrow a queryset, in SQL, to the records on which `identity` may do `operation`."""
    if is_unrestricted(identity):
        return records
    if identity is None or not identity.is_active:
        return records.none()
    if records.model._meta.label in _OWNED:
        column, operations = _OWNED[records.model._meta.label]
        return records.filter(**{column: identity.pk}) if operation in operations else records.none()
    projects = Membership.objects.filter(user_id=identity.pk, role__in=_ROLES[operation]).values("project_id")
    fields = {field.name for field in records.model._meta.get_fields()}
    if "project" in fields:
        return records.filter(Q(project_id__in=projects))
    if records.model._meta.label == "projects.Project":
        return records.filter(pk__in=projects)
    return records.none()
