"""The operator's door to projects. All changes go through the operations."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.decorators import display

from access.admin_forms import AUDIT, OperatedAdmin
from access.admin_lists import ReadOnlyAdmin, TrashFilter
from access.admin_parts import link_to_list
from access.models import IdentityRole
from projects import operations, setting
from projects.models import Bundle, Project, Setting


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
        return (
            link_to_list(IdentityRole, "Show who holds roles here", project=project.pk) if project.pk else "–"
        )

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


@admin.register(Setting)
class SettingAdmin(OperatedAdmin):
    """Settings: named values in JSON."""

    list_display = ("name", "project", "modified_at", "modified_by")
    list_select_related = ("project", "modified_by")
    list_filter = (TrashFilter,)
    list_lookups = ("project",)
    search_fields = ("name__icontains",)
    search_help_text = "Any part of the name"
    raw_id_fields = ("project",)
    readonly_fields = AUDIT
    fieldsets = (
        (None, {"fields": ("name", "project", "description", "value", "is_readonly")}),
        ("History", {"fields": AUDIT}),
    )
    actions = ("trash_chosen", "restore_chosen")

    def create(self, request: HttpRequest, fields: dict[str, Any]) -> Setting:
        return setting.create_setting(by=request.user, **fields)

    def store(self, request: HttpRequest, record: Setting, fields: dict[str, Any]) -> Setting:
        return setting.save_setting(record, by=request.user, **fields)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Setting]":
        settings = super().get_queryset(request)
        if getattr(request.resolver_match, "url_name", "").endswith("_changelist"):
            settings = settings.defer("value", "project__description")
        return settings

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"project": Project.default().pk} | super().get_changeform_initial_data(request)

    @admin.action(description="Move the chosen to the trash")
    def trash_chosen(self, request: HttpRequest, settings: "QuerySet[Setting]") -> None:
        self.do_to_each(
            request,
            settings,
            lambda each: setting.trash_setting(each, by=request.user),
            "Moved to the trash:",
        )

    @admin.action(description="Take the chosen out of the trash")
    def restore_chosen(self, request: HttpRequest, settings: "QuerySet[Setting]") -> None:
        self.do_to_each(
            request, settings, lambda each: setting.restore_setting(each, by=request.user), "Restored"
        )
