"""The operator's door to the manual values of the configuration. The page Configuration changes them."""

from django.contrib import admin

from access.admin_lists import ReadOnlyAdmin
from records.models import ManualValue


@admin.register(ManualValue)
class ManualValueAdmin(ReadOnlyAdmin):
    """What people set by hand."""

    list_display = ("name", "value", "modified_at", "modified_by")
    list_select_related = ("modified_by",)
    ordering = ("name",)
