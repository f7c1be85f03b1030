"""REST of sign-in, sign-out and API keys. Users, roles and the audit log have modules of their own."""

from datetime import datetime
from typing import Any

from django.contrib.auth import authenticate, login, logout
from django.core.exceptions import ValidationError
from django.middleware.csrf import get_token
from django.urls import path
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access import accounts
from access.api_keys import create_api_key
from access.kinds import API_KEY, USER
from access.models import User
from access.rest import Guarded
from access.sign_in import address_of, check_limit
from records.api import RecordDetail, RecordList, read_parameters
from records.cleaning import clean_body, clean_columns
from records.kinds import select
from records.openapi import Described, object_of, ref

_TEXT = {"type": "string"}


class ApiKeyList(Guarded, RecordList):
    """API keys: a caller's own; who may read keys sees all. POST makes one and shows its text, this once."""

    kind = API_KEY

    def describe(self, method: str) -> Described | None:
        if method != "POST":
            return super().describe(method)
        moment = {"type": "string", "format": "date-time"}
        body = object_of({"name": _TEXT, "expires_at": moment, "user_id": _TEXT}, ("name",))
        result = {"allOf": [ref("ApiKey"), {"properties": {"key": _TEXT}}]}
        more = "`key` is shown here and never again. Another user_id takes the right to change that account."
        return Described("Make an API key", result, body, 201, {"name": "Laptop"}, errors=(403,), more=more)

    def post(self, request: Request) -> Response:
        body = clean_body(request.data, ("name", "expires_at", "user_id"), ("name",))
        given = clean_columns(API_KEY.model, body)
        key, text = create_api_key(
            self._owner(given),
            given["name"],
            _future(given.get("expires_at")),
            by=request.user,  # type: ignore[arg-type]
        )
        answer = self.created(key, {**self.shown(key), "key": text})
        answer["Cache-Control"] = "no-store"
        return answer

    def _owner(self, given: dict[str, Any]) -> User:
        asking: Any = self.request.user
        if given.get("user_id") in (None, str(asking.pk)):
            return asking
        owner = select(
            USER, given["user_id"], by="id", rows=self.visible(User.objects.filter(is_active=True))
        )
        if owner is not None:
            accounts.require_over(asking, owner)  # a key acts as its user
        else:
            raise ValidationError({"user_id": f"There is no active user with this id: {given['user_id']!r}."})
        return owner


class ApiKeyDetail(Guarded, RecordDetail):
    """One API key; DELETE revokes it."""

    kind = API_KEY
    http_method_names = ["get", "delete", "head", "options"]

    def describe(self, method: str) -> Described | None:
        if method == "DELETE":
            return Described("Revoke an API key", status=204, errors=(404,))
        return super().describe(method)

    def delete(self, request: Request, key: str) -> Response:
        accounts.revoke_key(self.find(key), by=request.user)
        return Response(status=204)


class Login(APIView):
    """Signs in by user name and password; the answer sets the session cookie."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def describe(self, method: str) -> Described | None:
        body = object_of({"user_name": _TEXT, "username": _TEXT, "password": _TEXT}, ("password",))
        result = {"type": "object", "properties": {"user": ref("User"), "csrf_token": _TEXT}}
        example = {"user_name": "alice", "password": "…"}
        more = "Send `csrf_token` as the header X-CSRFToken with whatever changes something."
        return Described("Sign in", result, body, 200, example, errors=(429,), more=more)

    def post(self, request: Request) -> Response:
        read_parameters(request, ())
        body = clean_body(request.data, ("user_name", "username", "password"), ("password",))
        username, password = body.get("user_name") or body.get("username"), body["password"]
        if not isinstance(username, str) or not isinstance(password, str):
            raise ValidationError({"user_name": "Give user_name and password as text."})
        check_limit(username, address_of(request._request))
        user = authenticate(request._request, username=username, password=password)
        if user is None:
            raise AuthenticationFailed("User name or password is wrong.")
        login(request._request, user)
        shown = {name: getattr(user, name) for name in USER.read}
        return Response({"user": shown, "csrf_token": get_token(request._request)})

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="engine"'


class Logout(APIView):
    """Ends the session. An API key stays valid: revoke it with DELETE."""

    def describe(self, method: str) -> Described | None:
        return Described("Sign out", status=204)

    def post(self, request: Request) -> Response:
        read_parameters(request, ())
        clean_body(request.data, ())
        logout(request._request)
        return Response(status=204)


def _future(moment: datetime | None) -> datetime | None:
    if moment is not None and moment <= timezone.now():
        raise ValidationError({"expires_at": "Give a time that lies ahead."})
    return moment


urlpatterns = [
    path("auth/login", Login.as_view()),
    path("auth/logout", Logout.as_view()),
    path("api_key", ApiKeyList.as_view()),
    path("api_key/<str:key>", ApiKeyDetail.as_view()),
]
