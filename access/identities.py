"""Who acts: a person, or an execution, webhook or schedule in the name of the user who owns it.

Everything that takes `by` or an identity takes a User. One with `acting` set is a copy of the owner that has the
roles of what it stands for; `created_by` and the like become the owner. Made by `identity_for`.
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q

from access.matrix import matrix_of
from access.models import Acting, IdentityKind, IdentityRole, Role, User
from access.permissions import PermissionRefused, is_unrestricted
from records.kinds import kind_of


def identity_for(
    kind: str,
    identity_id: UUID,
    name: str,
    owner: User,
    *,
    holder: tuple[str, UUID] | None = None,
    roles: Collection[UUID] | None = None,
) -> User:
    """Return the identity of a webhook, schedule or execution, to be given as `by` to any operation.

    It may do what its own roles allow (`access.operations.give_role`), whatever its owner may, and also when the
    owner is disabled. An execution has no roles of its own but those of `holder`, the identity that started it
    (kind and id), that propagate and are among `roles`; a superuser's execution without `roles` may do everything.
    """
    acting = Acting(
        kind=str(kind),
        id=identity_id,
        name=name,
        holder=holder or (str(kind), identity_id),
        roles=None if roles is None else frozenset(roles),
    )
    is_users = acting.holder == (IdentityKind.USER, owner.pk)
    identity = _copy(owner, acting)
    identity.is_superuser = owner.is_superuser and is_users
    identity.is_active = owner.is_active or not is_users
    return identity


def with_execution(identity: User, execution_id: UUID, name: str) -> User:
    """Return the identity of another execution with the same starter and roles, without asking the database."""
    acting = identity.acting
    assert acting is not None
    copy = _copy(identity, Acting(acting.kind, execution_id, name, acting.holder, acting.roles))
    copy._matrix = getattr(identity, "_matrix", None)  # type: ignore[attr-defined]
    return copy


def _copy(user: User, acting: Acting) -> User:
    copy = User.__new__(User)
    copy.__dict__.update(vars(getattr(user, "_wrapped", user)))  # `request.user` is wrapped
    copy._matrix = None  # type: ignore[attr-defined]
    copy.acting = acting  # type: ignore[misc]
    return copy


def who(identity: Any) -> tuple[str, UUID, str]:
    """Return kind, id and name of the one that acts."""
    acting = identity.acting
    return (
        (IdentityKind.USER.value, identity.pk, identity.username)
        if acting is None
        else (acting.kind, acting.id, acting.name)
    )


def name_of(kind: str, identity_id: UUID) -> str:
    """Return the name of a user, webhook, schedule or execution; its id when it is not there."""
    try:
        found = kind_of(kind).model._default_manager.filter(pk=identity_id).first()
    except LookupError:
        found = None
    return str(found or identity_id)


def names_of(held: Iterable[IdentityRole]) -> dict[tuple[str, UUID], str]:
    """Return the names of those who hold these roles, by kind and id, as far as they are there."""
    wanted: dict[str, set[UUID]] = {}
    for each in held:
        wanted.setdefault(each.identity_kind, set()).add(each.identity_id)
    names = {}
    for kind, ids in wanted.items():
        try:
            found = kind_of(kind).model._default_manager.in_bulk(ids)
        except LookupError:
            continue
        names.update({(kind, key): str(record) for key, record in found.items()})
    return names


def holder_of(identity: Any) -> tuple[str, UUID]:
    """Return kind and id of the identity whose roles an execution started by this one has."""
    return (IdentityKind.USER.value, identity.pk) if identity.acting is None else identity.acting.holder


def roles_of(identity: Any) -> list[Role]:
    """Return the roles that the identity holds, by name; a superuser's are not what limits it."""
    return list(Role.objects.alive().filter(pk__in=matrix_of(identity).roles).order_by("name"))


def roles_to_pass_on(identity: Any, asked: Collection[Any] | None = None) -> list[UUID] | None:
    """Return the roles for an execution that `identity` starts: those asked for (names or ids), else all it can.

    None stands for everything: a superuser's. Asking for a role that it does not hold, or that does not
    propagate, raises PermissionRefused; for one that does not exist, ValidationError.
    """
    if asked is None and is_unrestricted(identity):
        return None
    held = () if is_unrestricted(identity) else matrix_of(identity).roles
    passed_on = [key for key in held if matrix_of(identity).roles[key]]
    if asked is None:
        return passed_on
    found = _find_roles(asked)
    if not is_unrestricted(identity):
        for role in found:
            if role.pk not in passed_on:
                why = "it does not propagate" if role.pk in held else "you do not hold it"
                raise PermissionRefused(f"The role {role.name!r} cannot be passed on: {why}.")
    return [role.pk for role in found]


def _find_roles(asked: Collection[Any]) -> list[Role]:
    if isinstance(asked, str) or not isinstance(asked, list | tuple | set | frozenset):
        raise ValidationError({"roles": 'Give a list of names or ids of roles, for example ["User"].'})
    names = {str(value).strip() for value in asked}
    roles = {
        key: role for role in Role.objects.alive().filter(_named(names)) for key in (role.name, str(role.pk))
    }
    for name in sorted(names):
        if name not in roles:
            raise ValidationError({"roles": f"There is no role {name!r}."})
    return list({roles[name].pk: roles[name] for name in sorted(names)}.values())


def _named(names: set[str]) -> Q:
    ids = []
    for name in names:
        try:
            ids.append(UUID(name))
        except ValueError:
            continue
    return Q(name__in=names) | Q(pk__in=ids)
