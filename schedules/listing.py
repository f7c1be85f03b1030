"""The schedules that a list shows, with what became of their latest times; asked in one statement per page.

`schedules.views` calls it. It checks no permission beyond what its caller passes in.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from records.identifiers import as_uuid
from records.paging import KeyPage, page_by_key
from schedules.models import Firing, Schedule

LATEST_SHOWN = 6


def list_schedules(schedules: "QuerySet[Schedule]", parameters: Mapping[str, Any]) -> KeyPage[Schedule]:
    """Return a page of schedules, filtered by the parameters q, project, flow, show and trash."""
    in_trash = "trash" in parameters
    if in_trash:
        schedules = schedules.exclude(deleted_at=None)
    else:
        schedules = schedules.filter(deleted_at=None, project__deleted_at=None)
    if text := parameters.get("q", "").strip():
        schedules = schedules.filter(name__icontains=text)
    for name in ("project", "flow"):
        if key := as_uuid(parameters.get(name, "")):
            schedules = schedules.filter(**{f"{name}_id": key})
    if parameters.get("show") in ("enabled", "disabled"):
        schedules = schedules.filter(is_enabled=parameters["show"] == "enabled")
    schedules = schedules.select_related("project", "scheduler", "flow", "bundle", "deleted_by")
    schedules = schedules.defer("scheduler__script", "flow__script", "flow__input_schema", "input_value")
    schedules = schedules.annotate(latest=ArraySubquery(_latest_firings()))
    if in_trash:
        return page_by_key(schedules, parameters, "id", descending=True)
    return page_by_key(schedules, parameters, "name")


def _latest_firings() -> "QuerySet[Any]":
    rows = Firing.objects.filter(schedule=OuterRef("pk")).order_by("-nominal_at")
    shown = JSONObject(outcome="outcome", execution_id="execution_id", status="execution__status")
    return rows.values(seen=shown)[:LATEST_SHOWN]
