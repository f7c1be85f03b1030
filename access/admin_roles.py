"""The operator's door to roles and to who holds them. All changes go through the operations."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from unfold.decorators import display

from access import operations
from access.admin_forms import AUDIT, OperatedAdmin
from access.admin_lists import ReadOnlyAdmin, TrashFilter
from access.admin_parts import link_to_list
from access.models import IdentityRole, Role, RolePermission, User
from records.identifiers import as_uuid


@admin.register(Role)
class RoleAdmin(OperatedAdmin):
    """Roles. What one allows is edited on its own page of the site."""

    list_display = ("name", "description", "is_readonly", "modified_at", "deleted_at")
    list_filter = (TrashFilter,)
    search_fields = ("name__istartswith",)
    search_help_text = "Name, from its beginning"
    readonly_fields = ("allows", "holders", *AUDIT)
    fieldsets = (
        (None, {"fields": ("name", "description", "is_readonly", "allows", "holders")}),
        ("History", {"fields": AUDIT}),
    )
    actions = ("trash_chosen", "restore_chosen")

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Role:
        return operations.create_role(by=request.user, **fields)

    def store(self, request: HttpRequest, record: Role, fields: dict[str, Any]) -> Role:
        return operations.save_role(record, by=request.user, **fields)

    @display(description="Allows")
    def allows(self, role: Role) -> str:
        rows = role.permissions.select_related("project").order_by("record_type", "operation")
        words = (f"{row}" + (f" in {row.project}" if row.project_id else "") for row in rows)
        return ", ".join(words) if role.pk else "–"

    @display(description="Held by")
    def holders(self, role: Role) -> str:
        return link_to_list(IdentityRole, "Show who holds it", role=role.pk) if role.pk else "–"

    @admin.action(description="Move the chosen to the trash")
    def trash_chosen(self, request: HttpRequest, roles: "QuerySet[Role]") -> None:
        self.do_to_each(
            request, roles, lambda role: operations.trash_role(role, by=request.user), "Moved to the trash:"
        )

    @admin.action(description="Take the chosen out of the trash")
    def restore_chosen(self, request: HttpRequest, roles: "QuerySet[Role]") -> None:
        self.do_to_each(
            request, roles, lambda role: operations.restore_role(role, by=request.user), "Restored"
        )


@admin.register(RolePermission)
class RolePermissionAdmin(ReadOnlyAdmin):
    """What roles allow, row by row; read only."""

    list_display = ("role", "project", "record_type", "operation")
    list_select_related = ("role", "project")
    list_filter = ("operation",)
    list_lookups = ("role", "project")
    search_fields = ("record_type__istartswith",)
    search_help_text = "Record type, from its beginning"
    fields = ("role", "project", "record_type", "operation")


@admin.register(IdentityRole)
class IdentityRoleAdmin(OperatedAdmin):
    """Who holds which role, everywhere or in one project."""

    list_display = ("holder", "role", "project", "propagate", "created_at")
    list_select_related = ("role", "project")
    list_filter = ("identity_kind",)
    list_lookups = ("identity_id", "role", "project")
    search_fields = ("identity_id",)
    search_help_text = "Id of a user, webhook or schedule"
    raw_id_fields = ("project", "role")
    actions = ("take_chosen",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[IdentityRole]":
        user = User.objects.filter(pk=OuterRef("identity_id")).values("username")
        return super().get_queryset(request).annotate(user_name=Subquery(user))

    def get_readonly_fields(self, request: HttpRequest, obj: IdentityRole | None = None) -> tuple[str, ...]:
        return ("identity_kind", "identity_id", "role", "project") if obj else ()

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> IdentityRole:
        kind, key = fields.pop("identity_kind"), fields.pop("identity_id")
        return operations.give_role(kind, key, fields.pop("role"), by=request.user, **fields)

    def store(self, request: HttpRequest, record: IdentityRole, fields: dict[str, Any]) -> IdentityRole:
        return operations.save_identity_role(record, by=request.user, **fields)

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[IdentityRole]", search_term: str
    ) -> tuple["QuerySet[IdentityRole]", bool]:
        key = as_uuid(search_term.strip())
        return (queryset.filter(identity_id=key) if key else queryset), False

    @display(description="Who")
    def holder(self, held: IdentityRole) -> str:
        return f"{held.get_identity_kind_display()} {getattr(held, 'user_name', None) or held.identity_id}"

    @admin.action(description="Take the chosen away")
    def take_chosen(self, request: HttpRequest, held: "QuerySet[IdentityRole]") -> None:
        self.do_to_each(request, held, lambda row: operations.take_role(row, by=request.user), "Took away")
