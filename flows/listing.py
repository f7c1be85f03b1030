"""The flows that a list shows, with their latest executions; asked in one statement per page.

`flows.views` calls it. It checks no permission beyond what its caller passes in.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from flows.models import Flow
from records.paging import KeyPage, page_by_key

LATEST_SHOWN = 6


def list_flows(flows: "QuerySet[Flow]", parameters: Mapping[str, Any]) -> KeyPage[Flow]:
    """Return a page of flows, filtered by the parameters q, project, problems and trash."""
    in_trash = "trash" in parameters
    flows = (
        flows.exclude(deleted_at=None)
        if in_trash
        else flows.filter(deleted_at=None, project__deleted_at=None)
    )
    if text := parameters.get("q", "").strip():
        flows = flows.filter(name__icontains=text)
    if project_id := _uuid(parameters.get("project", "")):
        flows = flows.filter(project_id=project_id)
    if "problems" in parameters:
        flows = flows.filter(has_syntax_error=True)
    flows = flows.select_related("project", "bundle", "modified_by", "deleted_by").defer(
        "script", "input_schema"
    )
    flows = flows.annotate(latest=ArraySubquery(_latest_executions()))
    if in_trash:
        return page_by_key(flows, parameters, "id", descending=True)
    return page_by_key(flows, parameters, "name")


def _latest_executions() -> "QuerySet[Any]":
    # Through the relation: flows may not import executions, which come later in the order of apps.
    executions = Flow._meta.get_field("executions").related_model
    rows = executions._default_manager.filter(flow=OuterRef("pk"), deleted_at=None).order_by("-id")
    return rows.values(seen=JSONObject(id="id", status="status"))[:LATEST_SHOWN]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
