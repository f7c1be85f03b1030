"""REST of users: read, invite, change, links to set a password, unlock, and what one may do."""

from dataclasses import replace
from typing import Any

from django.urls import path, reverse
from rest_framework.request import Request
from rest_framework.response import Response

from access import accounts
from access.effective import effective_rows
from access.kinds import USER
from access.models import IdentityKind, User
from access.rest import Guarded
from records.api import RecordDetail, RecordList, RecordView
from records.cleaning import clean_body
from records.openapi import Described, object_of, ref

_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}
_LINK = object_of({"link": _TEXT, "valid_until": _MOMENT})
_ROW = {
    "type": "object",
    "properties": {
        "record_type": _TEXT,
        "operation": _TEXT,
        "project_id": {
            "type": ["string", "null"],
            "description": "null: in all projects, and outside of them",
        },
        "roles": {"type": "array", "items": _TEXT, "description": "The roles that allow it"},
    },
}


class UserView(Guarded):
    """What the views of users share; the id `me` is whoever asks."""

    kind = USER

    def clean_key(self, key: str) -> Any:
        return self.request.user.pk if key == "me" else super().clean_key(key)

    def link(self, secret: str) -> str:
        return self.request.build_absolute_uri(reverse("set-password", args=[secret]))


class UserList(UserView, RecordList):
    """Users. Those who may read users see all of them, others see themselves. POST invites one."""

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        if described is None or method != "POST":
            return described
        result = {"allOf": [ref("User"), {"properties": {"link": _TEXT}}]}
        more = "`link` is where the person sets a password, within three days. It is shown here, this once."
        example = {"username": "dora", "email": "dora@example.org"}
        return replace(described, summary="Invite a user", result=result, example=example, more=more)

    def post(self, request: Request) -> Response:
        user = accounts.create_user(by=request.user, **self.written(request, self.kind.required))
        answer = self.created(user, {**self.shown(user), "link": self.link(user.link_secret)})  # type: ignore[attr-defined]
        answer["Cache-Control"] = "no-store"
        return answer


class UserDetail(UserView, RecordDetail):
    """One user. Accounts are switched off (`is_active`), never removed."""

    http_method_names = ["get", "patch", "head", "options"]


class UserLink(UserView, RecordView):
    """Makes a new link by which the person sets a password; an earlier one is void."""

    reads = ("by",)

    def describe(self, method: str) -> Described | None:
        return Described("Make a link to set a password", _LINK, object_of({}), 201, {}, errors=(403, 404))

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        user = self.find(key)
        link = self.link(accounts.make_link(user, by=request.user))
        answer = Response({"link": link, "valid_until": user.link_deadline}, status=201)
        answer["Cache-Control"] = "no-store"
        return answer


class UserUnlock(UserView, RecordView):
    """Forgets failed sign-ins: somebody who was locked out can try again at once."""

    reads = ("by",)

    def describe(self, method: str) -> Described | None:
        return Described("Unlock a user", status=204, errors=(403, 404))

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        accounts.unlock_user(self.find(key), by=request.user)
        return Response(status=204)


class UserPermissions(UserView, RecordView):
    """What a user may do, worked out from all roles. A superuser may do everything: `is_unrestricted`."""

    reads = ("by",)

    def describe(self, method: str) -> Described | None:
        rows = {"type": "array", "items": _ROW}
        result = object_of({"is_unrestricted": {"type": "boolean"}, "permissions": rows})
        return Described("Read what a user may do", result, errors=(404,))

    def get(self, request: Request, key: str) -> Response:
        user: User = self.find(key)
        rows = effective_rows(IdentityKind.USER, user.pk)
        return Response(
            {"is_unrestricted": user.is_superuser, "permissions": [row.snapshot() for row in rows]}
        )


urlpatterns = [
    path("user", UserList.as_view()),
    path("user/<str:key>/link", UserLink.as_view()),
    path("user/<str:key>/unlock", UserUnlock.as_view()),
    path("user/<str:key>/permissions", UserPermissions.as_view()),
    path("user/<path:key>", UserDetail.as_view()),
]
