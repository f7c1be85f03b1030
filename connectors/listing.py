"""The connectors that a list shows, with their latest connections; asked in one statement per page.

`connectors.views` calls it. It checks no permission beyond what its caller passes in.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from connectors.models import Connector
from records.identifiers import as_uuid
from records.paging import KeyPage, page_by_key

LATEST_SHOWN = 6


def list_connectors(connectors: "QuerySet[Connector]", parameters: Mapping[str, Any]) -> KeyPage[Connector]:
    """Return a page of connectors, filtered by the parameters q, project, type and trash."""
    in_trash = "trash" in parameters
    connectors = (
        connectors.exclude(deleted_at=None)
        if in_trash
        else connectors.filter(deleted_at=None, project__deleted_at=None)
    )
    if text := parameters.get("q", "").strip():
        connectors = connectors.filter(name__icontains=text)
    if project_id := as_uuid(parameters.get("project", "")):
        connectors = connectors.filter(project_id=project_id)
    if type_name := parameters.get("type", ""):
        connectors = connectors.filter(connector_type=type_name)
    connectors = connectors.select_related("project", "bundle", "modified_by", "deleted_by")
    connectors = connectors.annotate(latest=ArraySubquery(_latest_executions()))
    if in_trash:
        return page_by_key(connectors, parameters, "id", descending=True)
    return page_by_key(connectors, parameters, "name")


def _latest_executions() -> "QuerySet[Any]":
    # Through the relation: connectors may not import executions, which come later in the order of apps.
    executions = Connector._meta.get_field("executions").related_model
    rows = executions._default_manager.filter(connector=OuterRef("pk"), deleted_at=None).order_by("-id")
    return rows.values(seen=JSONObject(id="id", status="status"))[:LATEST_SHOWN]
