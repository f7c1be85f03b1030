"""How a REST request says who sends it: an API key in `Authorization: Bearer eng_…`, else the browser's session.

Listed in the settings of the REST framework. Sessions must bring the CSRF token on unsafe requests.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from access.api_keys import find_api_key
from access.models import ApiKey, User


class ApiKeyAuthentication(BaseAuthentication):
    """Signs the request in as the user of its API key. Another scheme than Bearer is refused, not ignored."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("Send an API key as: Authorization: Bearer eng_…")
        key = find_api_key(text.strip()) if text.isascii() and "\0" not in text else None
        if key is None:
            raise AuthenticationFailed("This API key is unknown, revoked or expired.")
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="engine"'


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Says in the API's description how keys are sent."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: `eng_<prefix>_<secret>`."}


__all__ = ["ApiKeyAuthentication", "SessionAuthentication"]
