"""REST of flows and wrappers: the generic views, versions, and the static check. Starting is `POST /execution`."""

from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F
from django.http import Http404
from django.urls import URLPattern, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.rest import Guarded
from flows import scripted
from flows.checks import check_script
from flows.kinds import FLOW, WRAPPER
from records.api import RecordDetail, RecordDuplicate, RecordList, RecordRestore, RecordView, read_parameters
from records.cleaning import clean_body
from records.kinds import Kind
from records.listing import limited_time, read_limit, read_number
from records.openapi import Described, list_of, object_of, ref, shape_name

MAX_VERSIONS = 500
_LARGEST_NUMBER = 2**31 - 1
_VERSION = {
    "type": "object",
    "properties": {
        "number": {"type": "integer"},
        "sha256": {"type": "string"},
        "created_at": {"type": "string", "format": "date-time"},
        "created_by_id": {"type": ["string", "null"], "format": "uuid"},
        "script": {"type": "string", "description": "only when one version is read"},
    },
}


class ScriptedView(Guarded):
    """Shows the problems of the script in the answers to writes."""

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        if described is None or method not in ("POST", "PATCH"):
            return described
        # Writes also answer with the problems of the script.
        problems = {"properties": {"problems": {"type": "array", "items": ref("Problem")}}}
        return replace(described, result={"allOf": [ref(shape_name(self.kind)), problems]})

    def shown_after_write(self, record: Any) -> dict[str, Any]:
        problems = [problem.snapshot() for problem in scripted.problems_of(record)]
        return {**self.shown(record), "problems": problems}


class ScriptedList(ScriptedView, RecordList):
    """All of them, without script and input_schema unless `fields` asks for them."""


class ScriptedDetail(ScriptedView, RecordDetail):
    """One of them."""


class ScriptedRestore(ScriptedView, RecordRestore):
    """Takes it out of the trash."""


class ScriptedDuplicate(ScriptedView, RecordDuplicate):
    """Copies it in its project."""


class Versions(ScriptedView, RecordView):
    """Its versions, newest first, without their scripts. `next` is the `before` of the next page."""

    reads = ("by", "before", "limit")

    def describe(self, method: str) -> Described | None:
        return Described(
            "List the versions", list_of(_VERSION, {"type": ["integer", "null"]}), errors=(404, 422)
        )

    def get(self, request: Request, key: str) -> Response:
        limit = read_limit(self.parameters, 50, MAX_VERSIONS)
        before = read_number(self.parameters, "before", _LARGEST_NUMBER, 1, _LARGEST_NUMBER)
        rows = self.find(key).versions.filter(number__lt=before).order_by("-number")
        with limited_time():
            found = list(
                rows.values("number", "created_at", "created_by_id", sha256=F("script_id"))[: limit + 1]
            )
        page = found[:limit]
        return Response({"results": page, "next": page[-1]["number"] if len(found) > limit else None})


class VersionView(ScriptedView, RecordView):
    """What the views of one version share."""

    def version(self, key: str, number: int) -> Any:
        """Return the version with its script. Raises Http404."""
        versions = self.find(key).versions.filter(number=min(number, _LARGEST_NUMBER))
        version = versions.select_related("script").first()
        if version is None:
            raise Http404(f"This {self.kind.name} has no version {number}.")
        return version


class VersionDetail(VersionView):
    """One version with its script."""

    reads = ("by",)

    def describe(self, method: str) -> Described | None:
        return Described("Read a version", _VERSION, errors=(404,))

    def get(self, request: Request, key: str, number: int) -> Response:
        version = self.version(key, number)
        return Response(
            {**version.snapshot(), "created_by_id": version.created_by_id, "script": version.script.text}
        )


class VersionRestore(VersionView):
    """Makes an earlier version's script the newest version."""

    reads = ("by", "fields")

    def describe(self, method: str) -> Described | None:
        return Described("Restore a version", ref(shape_name(self.kind)), errors=(403, 404, 409))

    def post(self, request: Request, key: str, number: int) -> Response:
        clean_body(request.data, ())
        version = self.version(key, number)
        record = scripted.restore_version(self.find(key), version.number, by=request.user)
        return Response(self.shown_after_write(record))


class Check(APIView):
    """Checks a script without storing it."""

    def describe(self, method: str) -> Described | None:
        problems = {"type": "array", "items": ref("Problem")}
        result = {
            "type": "object",
            "properties": {"problems": problems, "has_syntax_error": {"type": "boolean"}},
        }
        body = object_of({"script": {"type": "string"}}, ("script",))
        shown = {"problems": [check_script("x = = 1")[0].snapshot()], "has_syntax_error": True}
        return Described("Check a script", result, body, 200, {"script": "x = = 1"}, shown)

    def post(self, request: Request) -> Response:
        read_parameters(request, ())
        script = clean_body(request.data, ("script",), ("script",))["script"]
        if not isinstance(script, str):
            raise ValidationError({"script": "Give text."})
        problems = [problem.snapshot() for problem in check_script(script)]
        return Response({"problems": problems, "has_syntax_error": bool(problems)})


def addresses_of(kind: Kind) -> list[URLPattern]:
    """Return the addresses of a record type that has scripts."""

    def view(base: type[ScriptedView]) -> Any:
        return type(base.__name__, (base,), {"kind": kind, "__doc__": base.__doc__}).as_view()  # type: ignore[attr-defined]

    return [
        path(kind.name, view(ScriptedList)),
        path(f"{kind.name}/<str:key>/restore", view(ScriptedRestore)),
        path(f"{kind.name}/<str:key>/duplicate", view(ScriptedDuplicate)),
        path(f"{kind.name}/<str:key>/versions", view(Versions)),
        path(f"{kind.name}/<str:key>/versions/<int:number>", view(VersionDetail)),
        path(f"{kind.name}/<str:key>/versions/<int:number>/restore", view(VersionRestore)),
        path(f"{kind.name}/<path:key>", view(ScriptedDetail)),
    ]


urlpatterns = [path("flow/check", Check.as_view()), *addresses_of(FLOW), *addresses_of(WRAPPER)]
