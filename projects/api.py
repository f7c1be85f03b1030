"""REST of projects, of settings, and of bundles: import, update, delete, what they hold."""

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.rest import Guarded
from projects import bundles
from projects.kinds import BUNDLE, PROJECT, SETTING
from projects.lock_state import lock_state
from projects.shipped_bundles import shipped_bundles
from records.api import (
    RecordDetail,
    RecordDuplicate,
    RecordList,
    RecordRestore,
    RecordView,
    read_parameters,
)
from records.cleaning import clean_body
from records.export_form import Key
from records.openapi import Described, object_of, ref

_KEY = object_of({"type": {"type": "string"}, "name": {"type": "string"}})
_KEYS = {"type": "array", "items": _KEY}
_MOMENT = {"type": "string", "format": "date-time"}
_PLACE = object_of(
    {
        "execution_id": {
            "type": ["string", "null"],
            "format": "uuid",
            "description": "null for one that you may not see",
        },
        "at": _MOMENT,
        "since": {**_MOMENT, "type": ["string", "null"]},
        "depth": {"type": "integer"},
    }
)


class ProjectList(Guarded, RecordList):
    """Projects."""

    kind = PROJECT


class ProjectDetail(Guarded, RecordDetail):
    """One project."""

    kind = PROJECT


class ProjectRestore(Guarded, RecordRestore):
    """Takes a project out of the trash."""

    kind = PROJECT


class SettingList(Guarded, RecordList):
    """Settings, without their values unless `fields` asks for them."""

    kind = SETTING


class SettingDetail(Guarded, RecordDetail):
    """One setting. Its value is written whole."""

    kind = SETTING


class SettingRestore(Guarded, RecordRestore):
    """Takes a setting out of the trash."""

    kind = SETTING


class SettingDuplicate(Guarded, RecordDuplicate):
    """Copies a setting in its project."""

    kind = SETTING


class SettingLock(Guarded, RecordView):
    """Who holds the lock of a setting, and the first hundred of those who wait for it, in their order."""

    kind = SETTING
    reads = ("by",)

    def describe(self, method: str) -> Described:
        result = object_of(
            {"holder": {**_PLACE, "type": ["object", "null"]}, "waiters": {"type": "array", "items": _PLACE}}
        )
        return Described("Read a lock", result, errors=(404,))

    def get(self, request: Request, key: str) -> Response:
        lock = lock_state(self.find(key), by=request.user, most=100)
        holder = lock.holder.snapshot() if lock.holder else None
        return Response({"holder": holder, "waiters": [each.snapshot() for each in lock.waiters]})


class BundleList(Guarded, RecordList):
    """Bundles that are imported. POST imports one of those that ship, by its name."""

    kind = BUNDLE

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        if method != "POST" or described is None:
            return described
        return Described(
            "Import a bundle", described.result, described.body, 201, {"name": "Wrappers"}, errors=(403, 409)
        )


class BundlesAvailable(APIView):
    """The bundles that ship, imported or not."""

    def describe(self, method: str) -> Described:
        texts = {name: {"type": "string"} for name in ("name", "version", "description")}
        row = object_of({**texts, "content": _KEYS})
        return Described(
            "List the bundles that ship",
            {"type": "object", "properties": {"results": {"type": "array", "items": row}}},
        )

    def get(self, request: Request) -> Response:
        read_parameters(request, ())
        rows = [
            {
                "name": bundle.name,
                "version": bundle.version,
                "description": bundle.description,
                "content": _keys(list(bundle.digests())),
            }
            for bundle in shipped_bundles().values()
        ]
        return Response({"results": rows})


class BundleDetail(Guarded, RecordDetail):
    """One imported bundle. PATCH opens its records to changes or closes them; DELETE puts them into the trash."""

    kind = BUNDLE

    def describe(self, method: str) -> Described | None:
        if method == "PATCH":
            body, example = object_of({"is_readonly": {"type": "boolean"}}), {"is_readonly": False}
            return Described("Open or close a bundle", ref("Bundle"), body, 200, example, errors=(403, 404))
        if method == "DELETE":
            return Described("Delete a bundle", status=204, errors=(403, 404, 409))
        return super().describe(method)


class BundleUpdate(Guarded, RecordView):
    """POST brings the records of a bundle to what ships now, and answers what that added, changed and removed."""

    kind = BUNDLE
    reads = ("by",)

    def describe(self, method: str) -> Described:
        result = object_of({"added": _KEYS, "changed": _KEYS, "removed": _KEYS})
        return Described("Update a bundle", result, errors=(403, 404, 409))

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        done = bundles.update_bundle(self.find(key), by=request.user)
        return Response({name: _keys(getattr(done, name)) for name in ("added", "changed", "removed")})


class BundleContent(Guarded, RecordView):
    """The records of a bundle, and which of them were changed here since it was imported."""

    kind = BUNDLE
    reads = ("by",)

    def describe(self, method: str) -> Described:
        properties = {**_KEY["properties"], "id": {"type": "string"}, "is_changed": {"type": "boolean"}}
        rows = {"type": "array", "items": object_of(properties)}
        return Described(
            "List what a bundle holds", {"type": "object", "properties": {"results": rows}}, errors=(404,)
        )

    def get(self, request: Request, key: str) -> Response:
        bundle = self.find(key)
        changed = bundle.changed_here()
        rows: list[dict[str, Any]] = [
            {"type": key[0], "name": key[1], "id": record.pk, "is_changed": key in changed}
            for key, (_, record) in bundle.held().items()
        ]
        return Response({"results": rows})


def _keys(keys: list[Key]) -> list[dict[str, str]]:
    return [{"type": type_name, "name": name} for type_name, name in keys]


urlpatterns = [
    path("bundle", BundleList.as_view()),
    path("bundle/available", BundlesAvailable.as_view()),
    path("bundle/<str:key>/update", BundleUpdate.as_view()),
    path("bundle/<str:key>/content", BundleContent.as_view()),
    path("bundle/<path:key>", BundleDetail.as_view()),
    path("project", ProjectList.as_view()),
    path("project/<str:key>/restore", ProjectRestore.as_view()),
    path("project/<path:key>", ProjectDetail.as_view()),
    path("setting", SettingList.as_view()),
    path("setting/<str:key>/restore", SettingRestore.as_view()),
    path("setting/<str:key>/duplicate", SettingDuplicate.as_view()),
    path("setting/<str:key>/lock", SettingLock.as_view()),
    path("setting/<path:key>", SettingDetail.as_view()),
]
