"""What can be done with roles: make and change them, give them to identities and take them away.

Nobody can hand out more than they may do themselves: neither by giving a role nor by widening one.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from access import audit
from access.identities import name_of
from access.matrix import Matrix, forget_matrix, matrix_of
from access.models import ANY_TYPE, IdentityKind, IdentityRole, Operation, Role, RolePermission
from access.permissions import PermissionRefused, is_unrestricted, require, require_in_project
from records.kinds import all_kinds, kind_of
from records.models import NAME_LENGTH
from records.operations import restore_record, save_record, trash_record

Row = tuple[UUID | None, str, str]  # project, record type, operation


def create_role(*, by: Any, name: str, permissions: Iterable[Any] = (), **fields: Any) -> Role:
    """Make a role with these permissions: rows of {project_id, record_type, operation}."""
    require(by, Operation.CREATE, Role)
    rows = read_rows(permissions)
    with transaction.atomic():
        role = save_record(Role(), by=by, name=name, **fields)
        _write_rows(role, rows, by)
    return role


def save_role(role: Role, *, by: Any, permissions: Iterable[Any] | None = None, **fields: Any) -> Role:
    """Change a role's fields, and replace its permissions when they are given."""
    require(by, Operation.UPDATE, role)
    rows = None if permissions is None else read_rows(permissions)
    with transaction.atomic():
        save_record(role, by=by, **fields)
        if rows is not None:
            _write_rows(role, rows, by)
    return role


def trash_role(role: Role, *, by: Any) -> Role:
    """Put a role into the trash. Its holders keep it, but it allows nothing until it is restored."""
    require(by, Operation.DELETE, role)
    return trash_record(role, by=by)


def restore_role(role: Role, *, by: Any) -> Role:
    """Take a role out of the trash; its holders may do again what it allows."""
    require(by, Operation.DELETE, role)
    if not covers_role(by, role):
        raise PermissionRefused(f"You cannot restore the role {role.name!r}: it allows more than you may do.")
    return restore_record(role, by=by)


def duplicate_role(role: Role, *, by: Any, name: str | None = None) -> Role:
    """Make a role that allows the same, under a new name: to be changed where a default role does not fit."""
    require(by, Operation.READ, role)
    return create_role(
        by=by,
        name=name or _free_name(role.name),
        description=role.description,
        permissions=permissions_of(role),
    )


def _free_name(taken: str) -> str:
    for number in range(1, 1000):
        tail = " copy" if number == 1 else f" copy {number}"
        name = taken[: NAME_LENGTH - len(tail)] + tail
        if not Role.objects.alive().filter(name=name).exists():
            return name
    raise ValidationError({"name": "Give the copy a name."})


def permissions_of(role: Role) -> list[dict[str, Any]]:
    """Return what the role allows, as callers read and give it."""
    return in_order(role.permissions.values_list("project_id", "record_type", "operation"))


def in_order(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return these permissions as callers read and give them, the same ones always in the same order."""
    names = ("project_id", "record_type", "operation")
    ordered = sorted(rows, key=lambda row: (row[0] is None, str(row[0]), *row[1:]))
    return [dict(zip(names, row, strict=True)) for row in ordered]


def rows_of(role: Role) -> set[Row]:
    """Return what the role allows."""
    return set(role.permissions.values_list("project_id", "record_type", "operation"))


def read_rows(given: Iterable[Any]) -> set[Row]:
    """Return permissions as callers give them. Raises ValidationError naming the row and what is wrong with it."""
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise ValidationError({"permissions": "Give a list of objects."})
    return {_read_row(number, row) for number, row in enumerate(given, start=1)}


def _read_row(number: int, row: Any) -> Row:
    example = '{"project_id": null, "record_type": "flow", "operation": "READ"}'
    if not isinstance(row, Mapping) or set(row) - {"project_id", "record_type", "operation"}:
        raise ValidationError({"permissions": f"Row {number}: give an object such as {example}."})
    kind, operation, project = row.get("record_type"), row.get("operation"), row.get("project_id")
    if not isinstance(kind, str) or not 0 < len(kind) <= 64 or "\0" in kind:
        raise ValidationError({"permissions": f"Row {number}: record_type is the name of one, or *."})
    if operation not in Operation.values:
        known = ", ".join(Operation.values)
        raise ValidationError(
            {"permissions": f"Row {number}: {operation!r} is no operation; there are: {known}."}
        )
    try:
        return (None if project is None else UUID(str(project))), kind, str(operation)
    except ValueError:
        raise ValidationError({"permissions": f"Row {number}: {project!r} is no id of a project."}) from None


def _write_rows(role: Role, rows: set[Row], by: Any) -> None:
    found = {(p.project_id, p.record_type, p.operation): p.pk for p in role.permissions.all()}
    new, gone = rows - set(found), set(found) - rows
    _check_rows(new)
    if not is_unrestricted(by) and not matrix_of(by).covers(matrix_from(new)):
        raise PermissionRefused("You cannot put more into a role than you may do yourself.")
    RolePermission.objects.filter(pk__in=[found[row] for row in gone]).delete()
    RolePermission.objects.bulk_create(
        RolePermission(role=role, project_id=project, record_type=kind, operation=operation)
        for project, kind, operation in sorted(new, key=str)
    )
    if new or gone:
        audit.note("update", role, by=by, changes={"permissions": (_in_words(gone), _in_words(new))})


def _in_words(rows: set[Row]) -> list[str]:
    return sorted(
        f"{operation} {kind}" + (f" in {project}" if project else "") for project, kind, operation in rows
    )


def _check_rows(rows: set[Row]) -> None:
    known = {ANY_TYPE, *record_types()}
    for _, kind, _ in rows:
        if kind not in known:
            raise ValidationError({"permissions": f"There is no record type {kind!r}."})
    projects = RolePermission._meta.get_field("project").related_model._default_manager
    wanted = {project for project, _, _ in rows if project is not None}
    if missing := wanted - set(projects.filter(pk__in=wanted).values_list("pk", flat=True)):
        raise ValidationError({"permissions": f"There is no project with the id {min(missing)}."})


def record_types() -> list[str]:
    """Return the record types that a permission can name."""
    return sorted({kind.name for kind in all_kinds()} | {"api_key", "identity_role", "role", "workspace"})


def matrix_from(rows: Iterable[Row], project_id: UUID | None = None) -> Matrix:
    """Return what these rows allow, to one who holds them in this project (None: everywhere)."""
    everywhere: set[tuple[str, str]] = set()
    projects: dict[UUID, set[tuple[str, str]]] = {}
    for project, kind, operation in rows:
        if project and project_id and project != project_id:
            continue
        place = project or project_id
        (everywhere if place is None else projects.setdefault(place, set())).add((kind, operation))
    return Matrix(frozenset(everywhere), {key: frozenset(cells) for key, cells in projects.items()})


# -- Who holds which role --------------------------------------------------------------------------------------


def give_role(
    kind: str,
    identity_id: UUID,
    role: Role,
    *,
    by: Any,
    project: Any = None,
    propagate: bool = True,
) -> IdentityRole:
    """Give an identity a role, everywhere or in one project. Giving it again changes `propagate`.

    Takes CREATE permission on identity roles there, and everything that the role allows there.
    """
    _require_to_place(by, Operation.CREATE, project)
    if not covers_role(by, role, project):
        raise PermissionRefused(f"You cannot give the role {role.name!r}: it allows more than you may do.")
    with transaction.atomic():
        held, _ = IdentityRole.objects.update_or_create(
            identity_kind=str(kind),
            identity_id=identity_id,
            role=role,
            project=project,
            defaults={"propagate": propagate},
            create_defaults={"propagate": propagate, "created_by_id": by.pk},
        )
        _note_role("give role", held, by, (None, _in_full(held)))
    return held


def _in_full(held: IdentityRole, propagate: bool | None = None) -> str:
    is_passed_on = held.propagate if propagate is None else propagate
    return str(held) if is_passed_on else f"{held}, not for executions"


def covers_role(by: Any, role: Role, project: Any = None) -> bool:
    """Tell whether `by` may do all that the role allows to one who holds it there: only then it can be given."""
    if is_unrestricted(by):
        return True
    return matrix_of(by).covers(matrix_from(rows_of(role), None if project is None else project.pk))


def give_first_role(kind: str, identity_id: UUID, name: str, *, by: Any, projects: Iterable[Any]) -> None:
    """Let what `by` has just made hold a default role in these projects, as far as `by` may do there what it allows."""
    role = Role.objects.alive().filter(name=name).first()
    if role is None:
        return
    for project in projects:
        if covers_role(by, role, project):
            IdentityRole.objects.get_or_create(
                identity_kind=str(kind),
                identity_id=identity_id,
                role=role,
                project=project,
                defaults={"created_by_id": by.pk},
            )


def _note_role(action: str, held: IdentityRole, by: Any, change: tuple[Any, Any]) -> None:
    """Write it down as something that happened to the identity."""
    audit.note(
        action,
        by=by,
        record_type=held.identity_kind,
        record_id=held.identity_id,
        name=name_of(held.identity_kind, held.identity_id),
        project_id=held.project_id,
        changes={"role": change},
    )


def create_identity_role(
    *,
    by: Any,
    identity_kind: str,
    identity_id: UUID,
    role: Role | None = None,
    project: Any = None,
    propagate: bool = True,
) -> IdentityRole:
    """Give a role, as REST and flows ask for it. Raises ValidationError naming what is wrong."""
    if role is None:
        raise ValidationError({"role_id": "Give role_id or role_name."})
    if identity_kind not in IdentityKind.values:
        raise ValidationError({"identity_kind": f"Give one of: {', '.join(IdentityKind.values)}."})
    if identity_kind == IdentityKind.EXECUTION:
        raise ValidationError(
            {"identity_kind": "An execution has roles of its starter: give them at its start."}
        )
    if not kind_of(identity_kind).model._default_manager.filter(pk=identity_id).exists():
        raise ValidationError({"identity_id": f"There is no {identity_kind} with this id: '{identity_id}'."})
    return give_role(identity_kind, identity_id, role, by=by, project=project, propagate=propagate)


def save_identity_role(held: IdentityRole, *, by: Any, **fields: Any) -> IdentityRole:
    """Change whether a held role propagates; who holds which role where is given and taken, not changed."""
    if fixed := sorted(set(fields) - {"propagate"}):
        raise ValidationError({fixed[0]: "This cannot be changed: give another role and take this one away."})
    _require_to_place(by, Operation.UPDATE, held.project)
    propagate = fields.get("propagate", held.propagate)
    if propagate and not covers_role(by, held.role, held.project):
        raise PermissionRefused(
            f"You cannot pass the role {held.role.name!r} on: it allows more than you may do."
        )
    if propagate != held.propagate:
        with transaction.atomic():
            _note_role("give role", held, by, (_in_full(held), _in_full(held, propagate)))
            held.propagate = propagate
            held.save(update_fields=["propagate"])
    return held


def take_role(held: IdentityRole, *, by: Any) -> None:
    """Take a role away from an identity. Takes DELETE permission on identity roles there."""
    _require_to_place(by, Operation.DELETE, held.project)
    with transaction.atomic():
        _note_role("take role", held, by, (str(held), None))
        held.delete()
    forget_matrix(by)  # who may have taken it from themselves


def _require_to_place(by: Any, operation: Operation, project: Any) -> None:
    if project is None:
        require(by, operation, IdentityRole)
    else:
        require_in_project(by, operation, project, IdentityRole)


def roles_held(kind: str, identity_id: UUID) -> "Any":
    """Return what an identity holds, as rows of IdentityRole."""
    rows = IdentityRole.objects.filter(identity_kind=str(kind), identity_id=identity_id)
    return rows.select_related("role", "project").order_by("role__name", "project__name")


def user_roles(user_id: UUID) -> "Any":
    """Return what a user holds, as rows of IdentityRole."""
    return roles_held(IdentityKind.USER, user_id)
