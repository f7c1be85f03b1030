"""What can be done with accounts: invite, change, switch off and on, links to set a password, sessions, unlocking.

Doors call these. Nobody can touch the account of somebody who may do more than they may themselves: a link to it would
be a way to these rights.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access import audit
from access.matrix import held_by, matrix_of
from access.models import ApiKey, IdentityKind, Role, SignInFailure, User, UserSession
from access.operations import give_role
from access.permissions import Operation, PermissionRefused, is_unrestricted, require
from access.sign_in import key_of
from records.models import NAME_TAKEN

LINK_IS_VALID = timedelta(days=3)
OWN_FIELDS = {"first_name", "last_name", "email"}  # what people may change of themselves
_FOR_SUPERUSERS = {"is_superuser", "is_staff"}
_FIELDS = OWN_FIELDS | _FOR_SUPERUSERS | {"username", "is_active"}


class LinkIsInvalid(Exception):
    """The link to set a password is unknown, used, or its time is over; ask for another one."""


def require_over(by: Any, user: User) -> None:
    """Raise PermissionRefused unless `by` may change the account: takes UPDATE on users, and all that it may do."""
    require(by, Operation.UPDATE, user)
    if is_unrestricted(by):
        return
    if user.is_superuser or not matrix_of(by).covers(held_by(IdentityKind.USER, user.pk)):
        raise PermissionRefused(
            f"{user.username} may do more than you: only somebody who may do all that can change the account."
        )


def create_user(*, by: Any, username: str, roles: Iterable[tuple[Role, Any]] = (), **fields: Any) -> User:
    """Invite a person: make an account without a password, give it roles (with a project or None), and make a link.

    The link's secret is in `link_secret` of what is returned, this once.
    """
    require(by, Operation.CREATE, User)
    _check_fields(fields, by)
    with transaction.atomic():
        user = User(username=username.strip(), **fields)
        user.set_unusable_password()
        _store(user)
        audit.note("create", user, by=by, changes={name: (None, value) for name, value in fields.items()})
        for role, project in roles:
            give_role(IdentityKind.USER, user.pk, role, by=by, project=project)
        user.link_secret = _new_link(user)  # type: ignore[attr-defined]
    return user


def save_user(user: User, *, by: Any, **fields: Any) -> User:
    """Change an account. People may change their own name and address; the rest takes UPDATE on users.

    Somebody switched off is signed out everywhere at once, and their keys are refused.
    """
    is_self = by.acting is None and by.pk == user.pk
    if not (is_self and set(fields) <= OWN_FIELDS):
        require_over(by, user)
    _check_fields(fields, by)
    if is_self and fields.get("is_active") is False:
        raise ValidationError({"is_active": "You cannot switch off your own account."})
    before = {name: getattr(user, name) for name in fields}
    changes = {name: (before[name], value) for name, value in fields.items() if before[name] != value}
    for name, value in fields.items():
        setattr(user, name, value.strip() if isinstance(value, str) else value)
    with transaction.atomic():
        _store(user)
        if not User.objects.filter(is_superuser=True, is_active=True).exists():
            raise ValidationError("Nobody would be left who may do everything: keep one active superuser.")
        if not user.is_active:
            UserSession.objects.filter(user=user).delete()
        if changes:
            audit.note("update", user, by=by, changes=changes)
    return user


def _check_fields(fields: dict[str, Any], by: Any) -> None:
    if unknown := sorted(set(fields) - _FIELDS):
        raise ValidationError(dict.fromkeys(unknown, "This field of a user cannot be set."))
    if not is_unrestricted(by) and (wanted := sorted(_FOR_SUPERUSERS & set(fields))):
        raise PermissionRefused(f"Only superusers may set {' and '.join(wanted)}.")


def _store(user: User) -> None:
    taken = User.objects.filter(username__iexact=user.username).exclude(pk=user.pk)
    if user.username and taken.exists():
        words = f"There is already a user named {user.username!r}."
        raise ValidationError({"username": ValidationError(words, code=NAME_TAKEN)})
    user.full_clean(exclude=["password"])
    user.save()


# -- Links -------------------------------------------------------------------------------------------------


def make_link(user: User, *, by: Any) -> str:
    """Return the secret of a new link by which the person sets a password; an earlier link is void."""
    require_over(by, user)
    if not user.is_active:
        raise ValidationError("The account is switched off: switch it on first.")
    with transaction.atomic():
        secret = _new_link(user)
        audit.note("make link", user, by=by)
    return secret


def _new_link(user: User) -> str:
    secret = secrets.token_urlsafe(32)
    user.link_digest, user.link_deadline = _digest(secret), timezone.now() + LINK_IS_VALID
    user.save(update_fields=["link_digest", "link_deadline"])
    return secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def user_of_link(secret: str) -> User:
    """Return the active user that this link is for. Raises LinkIsInvalid."""
    found = User.objects.filter(
        link_digest=_digest(secret), link_deadline__gt=timezone.now(), is_active=True
    ).first()
    if not secret or found is None:
        raise LinkIsInvalid
    return found


def use_link(secret: str, password: str) -> User:
    """Set the password by a link, which is void afterwards. Raises LinkIsInvalid, ValidationError."""
    with transaction.atomic():
        user = user_of_link(secret)
        user = User.objects.select_for_update().get(pk=user.pk)
        if user.link_digest != _digest(secret):  # used at the same moment
            raise LinkIsInvalid
        user.link_digest, user.link_deadline = "", None
        _set_password(user, password, "set password")
        SignInFailure.objects.filter(username=key_of(user.username)).delete()
    return user


# -- Passwords and sessions ------------------------------------------------------------------------------------


def change_password(user: User, old: str, new: str) -> User:
    """Change one's own password; all other sessions end. Raises ValidationError."""
    if not user.check_password(old):
        raise ValidationError({"old_password": "This is not your present password."})
    with transaction.atomic():
        _set_password(user, new, "change password")
    return user


def _set_password(user: User, password: str, action: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error
    user.set_password(password)
    user.save()
    UserSession.objects.filter(user=user).delete()
    audit.note(action, user, by=user)


def end_session(session: UserSession, *, by: Any) -> None:
    """Sign a browser out; people end their own sessions, others' take the same as changing the account."""
    if by.acting is not None or session.user_id != by.pk:
        require_over(by, session.user)  # type: ignore[arg-type]
    with transaction.atomic():
        session.delete()
        audit.note("end session", session.user, by=by, changes={"address": (session.address, None)})


def revoke_key(key: ApiKey, *, by: Any) -> None:
    """Take a key away for good; people revoke their own keys, others' take the same as changing the account."""
    if by.acting is not None or key.user_id != by.pk:
        require_over(by, key.user)
    with transaction.atomic():
        audit.note("revoke", key, by=by)
        key.delete()


def unlock_user(user: User, *, by: Any) -> bool:
    """Let a person who was locked out try again at once; tells whether there was anything to forget."""
    require(by, Operation.UPDATE, user)
    with transaction.atomic():
        was_locked = SignInFailure.objects.filter(username=key_of(user.username)).delete()[0] > 0
        if was_locked:
            audit.note("unlock", user, by=by)
    return was_locked
