"""The operator's door to projects and to who may do what in them. All changes go through the operations."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.decorators import display

from access.admin_forms import AUDIT, OperatedAdmin
from access.admin_lists import ReadOnlyAdmin, TrashFilter
from access.admin_parts import link_to_list
from access.models import Membership
from projects import operations
from projects.models import Bundle, Project


@admin.register(Project)
class ProjectAdmin(OperatedAdmin):
    """Projects. The Default project can be neither renamed nor put into the trash."""

    list_display = ("name", "description", "protection", "created_at", "deleted_at")
    list_filter = (TrashFilter,)
    search_fields = ("name__istartswith",)
    search_help_text = "Name, from its beginning"
    readonly_fields = ("members", *AUDIT)
    fieldsets = (
        (None, {"fields": ("name", "description", "is_readonly", "members")}),
        ("History", {"fields": AUDIT}),
    )
    actions = ("trash_chosen", "restore_chosen")

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Project:
        return operations.create_project(by=request.user, **fields)

    def store(self, request: HttpRequest, record: Project, fields: dict[str, Any]) -> Project:
        return operations.save_project(record, by=request.user, **fields)

    def view_on_site(self, project: Project) -> str:
        return reverse("project-detail", args=[project.pk])

    @display(description="Protection")
    def protection(self, project: Project) -> str:
        return "Read-only" if project.is_readonly else "–"

    @display(description="Members")
    def members(self, project: Project) -> str:
        return link_to_list(Membership, "Show the members", project=project.pk) if project.pk else "–"

    @admin.action(description="Move the chosen to the trash")
    def trash_chosen(self, request: HttpRequest, projects: "QuerySet[Project]") -> None:
        self.do_to_each(
            request,
            projects,
            lambda project: operations.trash_project(project, by=request.user),
            "Moved to the trash:",
        )

    @admin.action(description="Take the chosen out of the trash")
    def restore_chosen(self, request: HttpRequest, projects: "QuerySet[Project]") -> None:
        self.do_to_each(
            request,
            projects,
            lambda project: operations.restore_project(project, by=request.user),
            "Restored",
        )


@admin.register(Bundle)
class BundleAdmin(ReadOnlyAdmin):
    """Bundles that are imported. The bundle manager imports, updates and deletes them."""

    list_display = ("name", "version", "project", "is_readonly", "modified_at", "modified_by")
    list_select_related = ("project", "modified_by")
    search_fields = ("name__istartswith",)
    search_help_text = "Name, from its beginning"

    def view_on_site(self, bundle: Bundle) -> str:
        return reverse("bundle-detail", args=[bundle.name])


@admin.register(Membership)
class MembershipAdmin(OperatedAdmin):
    """Who may do what in which project."""

    list_display = ("user", "project", "role")
    list_select_related = ("user", "project")
    list_filter = ("role",)
    list_lookups = ("user", "project")
    search_fields = ("user__username__istartswith",)
    search_help_text = "User name, from its beginning"
    raw_id_fields = ("user", "project")
    actions = ("remove_chosen",)

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("user", "project") if obj else ()

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Membership:
        return operations.set_member(fields["project"], fields["user"], fields["role"], by=request.user)

    def store(self, request: HttpRequest, record: Membership, fields: dict[str, Any]) -> Membership:
        role = fields.get("role", record.role)
        return operations.set_member(record.project, record.user, role, by=request.user)

    @admin.action(description="Remove the chosen")
    def remove_chosen(self, request: HttpRequest, memberships: "QuerySet[Membership]") -> None:
        def remove(membership: Membership) -> None:
            operations.remove_member(membership.project, membership.user, by=request.user)

        self.do_to_each(request, memberships.select_related("user", "project"), remove, "Removed")
