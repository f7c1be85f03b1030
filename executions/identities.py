"""In whose name the calls of executions are made: the user each acts for, with the roles it was given.

Asked by the host before every call. What a user may do is `access.permissions`' to say.
"""

import time
from typing import Any

from access.identities import identity_for, with_execution
from access.matrix import KEPT_SECONDS, matrix_of
from access.models import IdentityKind, User
from access.permissions import is_unrestricted
from executions.assignments import Assignment


class Identities:
    """The identities of a host's executions. Each is known for some seconds: flows make many calls."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[float, User]] = {}

    def of(self, task: Assignment) -> User | None:
        """Return the execution's identity; None when it has no user."""
        if task.created_by_id is None:
            return None
        holder = (task.starter_kind, task.starter_id) if task.starter_id else None
        key = (task.created_by_id, holder, None if task.roles is None else tuple(task.roles))
        known = self._known.get(key)
        if known is None or known[0] < time.monotonic():
            user = User.objects.filter(pk=task.created_by_id).first()
            if user is None:
                return None
            holder = holder or (IdentityKind.USER.value, user.pk)
            identity = identity_for(
                IdentityKind.EXECUTION, task.id, task.name, user, holder=holder, roles=task.roles
            )
            if not is_unrestricted(identity):
                matrix_of(identity)  # read once for all executions like this one
            known = self._known[key] = (time.monotonic() + KEPT_SECONDS, identity)
        return with_execution(known[1], task.id, task.name)
