"""What happens when people sign in and out: the session learns where it began, and the audit log is told."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest

from access import audit, sessions
from access.models import User
from access.sign_in import sign_in_closed


def connect() -> None:
    """Listen from now on. Called once, when the app is ready."""
    user_logged_in.connect(_signed_in)
    user_logged_out.connect(_signed_out)
    sign_in_closed.connect(_closed)


def _signed_in(request: HttpRequest, user: User, **more: Any) -> None:
    sessions.begin(request)
    audit.note("sign in", user, by=user)


def _signed_out(request: HttpRequest, user: User | None, **more: Any) -> None:
    if user is not None:
        audit.note("sign out", user, by=user)


def _closed(username: str, **more: Any) -> None:
    user = User.objects.filter(username=username).first()
    audit.note("lock out", user, by=None, record_type="user", name=username)
