"""REST of roles and of who holds them."""

from dataclasses import replace
from typing import Any

from django.urls import path
from rest_framework.request import Request

from access.kinds import IDENTITY_ROLE, ROLE
from access.models import Operation
from access.operations import permissions_of
from access.rest import Guarded
from records.api import RecordDetail, RecordDuplicate, RecordList, RecordRestore
from records.openapi import Described, object_of, ref

_ROW = object_of(
    {
        "project_id": {"type": ["string", "null"], "format": "uuid", "description": "null: in all projects"},
        "record_type": {"type": "string", "description": "The name of a record type, or * for all"},
        "operation": {"type": "string", "enum": Operation.values},
    },
    ("record_type", "operation"),
)
_ROWS = {"type": "array", "items": _ROW}
_EXAMPLE = [{"project_id": None, "record_type": "flow", "operation": "READ"}]


class RoleView(Guarded):
    """Shows what a role allows where one role is read, and takes it where one is written."""

    kind = ROLE

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        if (
            described is None
            or described.result is None
            or "results" in described.result.get("properties", {})
        ):
            return described
        result = {"allOf": [ref("Role"), {"properties": {"permissions": _ROWS}}]}
        if not self._takes_permissions(method) or described.body is None:
            return replace(described, result=result)
        properties = {**described.body["properties"], "permissions": _ROWS}
        body = {**described.body, "properties": properties}
        more = "`permissions` replaces all rows. Nobody can put more into a role than they may do themselves."
        return replace(
            described,
            result=result,
            body=body,
            example={**described.example, "permissions": _EXAMPLE},
            more=more,
        )

    def _takes_permissions(self, method: str) -> bool:
        return method == "PATCH" or (method == "POST" and isinstance(self, RecordList))

    def written(self, request: Request, required: tuple[str, ...] = ()) -> dict[str, Any]:
        data = request.data
        if not isinstance(data, dict) or "permissions" not in data:
            return super().written(request, required)
        others = {name: value for name, value in data.items() if name != "permissions"}
        return {**self.cleaned(others, required), "permissions": data["permissions"]}

    def shown(self, record: Any) -> dict[str, Any]:
        shown = super().shown(record)
        return shown if self.parameters.get("fields") else {**shown, "permissions": permissions_of(record)}


class RoleList(RoleView, RecordList):
    """Roles, without what they allow; read one to see that."""


class RoleDetail(RoleView, RecordDetail):
    """One role with what it allows."""


class RoleRestore(RoleView, RecordRestore):
    """Takes a role out of the trash; its holders may do again what it allows."""


class RoleDuplicate(RoleView, RecordDuplicate):
    """Copies a role with what it allows, to be changed."""


class IdentityRoleList(Guarded, RecordList):
    """Who holds which role: everywhere, or in one project. POST gives a role."""

    kind = IDENTITY_ROLE

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        if described is None or method != "POST":
            return described
        example = {
            "identity_kind": "user",
            "identity_id": "0191…",
            "role_name": "User",
            "project_name": "Attic",
        }
        more = "Without a project it is held everywhere. Giving it again changes `propagate`."
        return replace(described, summary="Give a role", example=example, more=more)


class IdentityRoleDetail(Guarded, RecordDetail):
    """One held role; DELETE takes it away at once and for good."""

    kind = IDENTITY_ROLE

    def describe(self, method: str) -> Described | None:
        described = super().describe(method)
        if described is not None and method == "DELETE":
            return replace(described, summary="Take a role away")
        if described is not None and method == "PATCH":
            return replace(
                described, body=object_of({"propagate": {"type": "boolean"}}), example={"propagate": False}
            )
        return described


urlpatterns = [
    path("role", RoleList.as_view()),
    path("role/<str:key>/restore", RoleRestore.as_view()),
    path("role/<str:key>/duplicate", RoleDuplicate.as_view()),
    path("role/<path:key>", RoleDetail.as_view()),
    path("identity_role", IdentityRoleList.as_view()),
    path("identity_role/<str:key>", IdentityRoleDetail.as_view()),
]
