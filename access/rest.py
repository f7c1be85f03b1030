"""What every REST view asks of access: which records the caller may see. All apps' `api.py` derive from it.

It decides nothing: `access.permissions` does. Signing in by key or session stands in `access.authentication`.
"""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from access import trash
from access.permissions import Operation, require, visible
from records.api import RecordView


class Guarded(RecordView):
    """Shows a caller only what they may read; what they may not read is not there (404)."""

    def visible(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        return visible(self.request.user, rows)

    def purge(self, record: Any) -> None:
        trash.purge(record, by=self.request.user)

    def empty_trash(self) -> dict[str, Any]:
        done = trash.empty_trash(self.kind, by=self.request.user)
        kept = [{"id": record.pk, "name": str(record), "why": words} for record, words in done.kept]
        return {"removed": done.removed, "kept": kept, "has_more": done.has_more}


class StaffOnly(Guarded):
    """Refuses everyone else with 403, for record types that belong to no project."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        require(request.user, Operation.READ, self.kind.model)
