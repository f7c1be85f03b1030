"""Middleware that says through which door a request comes, so that the audit log can tell."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from access.audit import through
from access.models import AuditEntry
from access.sessions import touch
from access.sign_in import address_of


class DoorMiddleware:
    """Names the door of each request: admin, REST or page. Calls of webhooks come another way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with through(_door_of(request.path), address_of(request)):
            response = self.get_response(request)
        touch(request)
        return response


def _door_of(path: str) -> str:
    if path.startswith("/admin/"):
        return AuditEntry.Door.ADMIN
    if path.startswith("/api/"):
        return AuditEntry.Door.REST
    return AuditEntry.Door.PAGE
