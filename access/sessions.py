"""Sessions that know whose they are, where they were begun and when they were last used.

Named in the settings as the session engine. Everything else reads them as `access.models.UserSession`.
"""

from datetime import UTC, datetime
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as StoredSessions
from django.http import HttpRequest
from django.utils import timezone

from access.models import UserSession
from access.sign_in import address_of

SEEN_PRECISION = 300  # seconds: a write per request would be the dearest part of it


class SessionStore(StoredSessions):
    """A session in the database, with its facts in columns of their own."""

    @classmethod
    def get_model_class(cls) -> type[UserSession]:
        return UserSession

    def create_model_instance(self, data: Any) -> UserSession:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get("_auth_user_id")
        row.address, row.agent = data.get("address", ""), data.get("agent", "")
        if "begun" in data:
            row.begun_at = datetime.fromtimestamp(data["begun"], UTC)
        return row


def begin(request: HttpRequest) -> None:
    """Note where a session begins. Called when somebody has signed in."""
    request.session["begun"] = request.session["seen"] = int(timezone.now().timestamp())
    request.session["address"] = address_of(request)
    request.session["agent"] = request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:200]


def touch(request: HttpRequest) -> None:
    """Note now and then that a session is used, if this request used one."""
    session = getattr(request, "session", None)
    if session is None or not session.accessed or "_auth_user_id" not in session:
        return
    now = int(timezone.now().timestamp())
    if now - session.get("seen", 0) > SEEN_PRECISION:
        session["seen"] = now
