"""The flows and wrappers that a list shows; asked in one statement per page, with the latest executions of flows.

The views call it. It checks no permission beyond what its caller passes in.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from flows.models import Flow, ScriptRecord
from records.identifiers import as_uuid
from records.paging import KeyPage, page_by_key

R = TypeVar("R", bound=ScriptRecord)
LATEST_SHOWN = 6


def list_flows(flows: "QuerySet[Flow]", parameters: Mapping[str, Any]) -> KeyPage[Flow]:
    """Return a page of flows with their latest executions, filtered as `list_scripted` says."""
    return list_scripted(flows.annotate(latest=ArraySubquery(_latest_executions())), parameters)


def list_scripted(records: "QuerySet[R]", parameters: Mapping[str, Any]) -> KeyPage[R]:
    """Return a page of records with scripts, filtered by the parameters q, project, problems and trash."""
    in_trash = "trash" in parameters
    records = (
        records.exclude(deleted_at=None)
        if in_trash
        else records.filter(deleted_at=None, project__deleted_at=None)
    )
    if text := parameters.get("q", "").strip():
        records = records.filter(name__icontains=text)
    if project_id := as_uuid(parameters.get("project", "")):
        records = records.filter(project_id=project_id)
    if "problems" in parameters:
        records = records.filter(has_syntax_error=True)
    records = records.select_related("project", "bundle", "modified_by", "deleted_by")
    records = records.defer("script", "input_schema")
    if in_trash:
        return page_by_key(records, parameters, "id", descending=True)
    return page_by_key(records, parameters, "name")


def _latest_executions() -> "QuerySet[Any]":
    # Through the relation: flows may not import executions, which come later in the order of apps.
    executions = Flow._meta.get_field("executions").related_model
    rows = executions._default_manager.filter(flow=OuterRef("pk"), deleted_at=None).order_by("-id")
    return rows.values(seen=JSONObject(id="id", status="status"))[:LATEST_SHOWN]
