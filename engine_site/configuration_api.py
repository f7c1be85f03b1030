"""REST of the workspace's configuration: what is in force and why, setting by hand, resetting."""

from typing import Any

from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine_site import workspace
from records.api import read_parameters
from records.cleaning import clean_body
from records.configuration import Configured
from records.openapi import Described, object_of

_ANY = {"description": "A number, text, truth or list of texts, as the option takes"}
_TEXT, _MOMENT = {"type": "string"}, {"type": ["string", "null"], "format": "date-time"}
_SHAPE = object_of(
    {
        "name": _TEXT,
        "group": _TEXT,
        "description": _TEXT,
        "default": _ANY,
        "environment": _ANY,
        "manual": _ANY,
        "effective": _ANY,
        "source": {"type": "string", "enum": ["default", "environment", "manual"]},
        "modified_at": _MOMENT,
        "modified_by_id": {"type": ["string", "null"], "format": "uuid"},
        "lapses_at": _MOMENT,
    }
)


class ConfigurationList(APIView):
    """Every option of the workspace: its default, the environment's and the manual value, and which is in force."""

    def describe(self, method: str) -> Described:
        result = {"type": "object", "properties": {"results": {"type": "array", "items": _SHAPE}}}
        return Described("List the configuration", result, errors=(403,))

    def get(self, request: Request) -> Response:
        read_parameters(request, ())
        return Response({"results": [_shown(each) for each in workspace.read_all(by=request.user)]})


class ConfigurationDetail(APIView):
    """One option by its name. PATCH sets it by hand, in force within seconds; DELETE takes the manual value away."""

    def describe(self, method: str) -> Described:
        if method == "PATCH":
            body = object_of({"value": _ANY}, ("value",))
            return Described("Set an option", _SHAPE, body, 200, {"value": 30}, errors=(403, 404))
        if method == "DELETE":
            return Described("Reset an option", _SHAPE, errors=(403, 404))
        return Described("Read an option", _SHAPE, errors=(403, 404))

    def get(self, request: Request, key: str) -> Response:
        read_parameters(request, ())
        return self._answered(lambda: workspace.read_one(key, by=request.user), key)

    def patch(self, request: Request, key: str) -> Response:
        read_parameters(request, ())
        given = clean_body(request.data, ("value",), ("value",))["value"]
        return self._answered(lambda: workspace.set_by_hand(key, given, by=request.user), key)

    def delete(self, request: Request, key: str) -> Response:
        read_parameters(request, ())
        return self._answered(lambda: workspace.reset(key, by=request.user), key)

    def _answered(self, work: Any, key: str) -> Response:
        try:
            return Response(_shown(work()))
        except LookupError:
            raise Http404(f"There is no option {key!r}.") from None


def _shown(found: Configured) -> dict[str, Any]:
    option, manual = found.option, found.manual
    return {
        "name": option.name,
        "group": option.group,
        "description": option.description,
        "default": option.parse(option.default),
        "environment": None if option.environment is None else option.parse(option.environment),
        "manual": None if manual is None else option.parse(manual.value),
        "effective": found.value,
        "source": found.source,
        "modified_at": manual and manual.modified_at,
        "modified_by_id": manual and manual.modified_by_id,
        "lapses_at": found.lapses_at,
    }


urlpatterns = [
    path("workspace_config", ConfigurationList.as_view()),
    path("workspace_config/<str:key>", ConfigurationDetail.as_view()),
]
