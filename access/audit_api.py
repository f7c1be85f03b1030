"""REST of the audit log: it can be read."""

from django.urls import path

from access.kinds import AUDIT_ENTRY
from access.rest import Guarded
from records.api import RecordDetail, RecordList


class AuditEntryList(Guarded, RecordList):
    """The audit log, newest first: who did what, through which door, and what changed."""

    kind = AUDIT_ENTRY
    http_method_names = ["get", "head", "options"]


class AuditEntryDetail(Guarded, RecordDetail):
    """One entry of the audit log."""

    kind = AUDIT_ENTRY
    http_method_names = ["get", "head", "options"]


urlpatterns = [
    path("audit_entry", AuditEntryList.as_view()),
    path("audit_entry/<str:key>", AuditEntryDetail.as_view()),
]
