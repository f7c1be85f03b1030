"""REST of flows: the generic views, versions, and the static check. Starting one is `POST /execution`."""

from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F
from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.rest import Guarded
from flows import operations
from flows.checks import check_script
from flows.kinds import FLOW
from flows.models import FlowVersion
from records.api import RecordDetail, RecordDuplicate, RecordList, RecordRestore, RecordView, read_parameters
from records.cleaning import clean_body
from records.listing import limited_time, read_limit, read_number
from records.openapi import Described, list_of, object_of, ref

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


class FlowView(Guarded):
    """Shows the problems of the script in the answers to writes."""

    kind = FLOW

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        if described is None or method not in ("POST", "PATCH"):
            return described
        # Writes also answer with the problems of the script.
        result = {
            "allOf": [ref("Flow"), {"properties": {"problems": {"type": "array", "items": ref("Problem")}}}]
        }
        return replace(described, result=result)

    def shown_after_write(self, record: Any) -> dict[str, Any]:
        problems = [problem.snapshot() for problem in operations.problems_of(record)]
        return {**self.shown(record), "problems": problems}


class FlowList(FlowView, RecordList):
    """Flows, without script and input_schema unless `fields` asks for them."""


class FlowDetail(FlowView, RecordDetail):
    """One flow."""


class FlowRestore(FlowView, RecordRestore):
    """Takes a flow out of the trash."""


class FlowDuplicate(FlowView, RecordDuplicate):
    """Copies a flow in its project."""


class FlowVersions(FlowView, RecordView):
    """The versions of a flow, newest first, without their scripts. `next` is the `before` of the next page."""

    reads = ("by", "before", "limit")

    def describe(self, method: str) -> Described | None:
        return Described(
            "List the versions", list_of(_VERSION, {"type": ["integer", "null"]}), errors=(404, 422)
        )

    def get(self, request: Request, key: str) -> Response:
        limit = read_limit(self.parameters, 50, MAX_VERSIONS)
        before = read_number(self.parameters, "before", _LARGEST_NUMBER, 1, _LARGEST_NUMBER)
        rows = FlowVersion.objects.filter(flow=self.find(key), number__lt=before).order_by("-number")
        with limited_time():
            found = list(
                rows.values("number", "created_at", "created_by_id", sha256=F("script_id"))[: limit + 1]
            )
        page = found[:limit]
        return Response({"results": page, "next": page[-1]["number"] if len(found) > limit else None})


class FlowVersionDetail(FlowView, RecordView):
    """One version of a flow with its script."""

    reads = ("by",)

    def describe(self, method: str) -> Described | None:
        return Described("Read a version", _VERSION, errors=(404,))

    def get(self, request: Request, key: str, number: int) -> Response:
        versions = FlowVersion.objects.filter(flow=self.find(key), number=min(number, _LARGEST_NUMBER))
        version = versions.select_related("script").first()
        if version is None:
            raise Http404(f"This flow has no version {number}.")
        return Response(
            {**version.snapshot(), "created_by_id": version.created_by_id, "script": version.script.text}
        )


class FlowVersionRestore(FlowView, RecordView):
    """Makes an earlier version's script the newest version."""

    reads = ("by", "fields")

    def describe(self, method: str) -> Described | None:
        return Described("Restore a version", ref("Flow"), errors=(403, 404, 409))

    def post(self, request: Request, key: str, number: int) -> Response:
        clean_body(request.data, ())
        try:
            flow = operations.restore_version(self.find(key), min(number, _LARGEST_NUMBER), by=request.user)
        except FlowVersion.DoesNotExist:
            raise Http404(f"This flow has no version {number}.") from None
        return Response(self.shown_after_write(flow))


class FlowCheck(APIView):
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


urlpatterns = [
    path("flow", FlowList.as_view()),
    path("flow/check", FlowCheck.as_view()),
    path("flow/<str:key>/restore", FlowRestore.as_view()),
    path("flow/<str:key>/duplicate", FlowDuplicate.as_view()),
    path("flow/<str:key>/versions", FlowVersions.as_view()),
    path("flow/<str:key>/versions/<int:number>", FlowVersionDetail.as_view()),
    path("flow/<str:key>/versions/<int:number>/restore", FlowVersionRestore.as_view()),
    path("flow/<path:key>", FlowDetail.as_view()),
]
