"""Pages of flows: what they have beyond those of all scripts."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from access.permissions import Operation, may, may_in_project, projects_with, visible
from flows.kinds import FLOW
from flows.listing import list_flows
from flows.models import Flow
from flows.scripted_views import Page, ScriptedPages
from flows.wrapping_views import kept_wrappers
from projects.retention import read_retention
from records import forms
from records.paging import KeyPage


class FlowPages(ScriptedPages):
    """Flows: they can be run, and lists show their latest executions."""

    kind = FLOW

    def rows(self, request: HttpRequest) -> KeyPage[Flow]:
        return list_flows(visible(request.user, Flow.objects.all()), request.GET)

    def more_in_list(self, request: HttpRequest) -> dict[str, Any]:
        runnable = projects_with(request.user, Operation.RUN, Flow)
        return {"may_run_all": runnable is None, "runnable": runnable or ()}

    def more(self, request: HttpRequest, record: Flow) -> dict[str, Any]:
        return {
            "may_run": not record.is_deleted
            and may(request.user, Operation.RUN, record)
            and may_in_project(request.user, Operation.CREATE, record.project_id, "execution"),
            "needs_inputs": forms.has_fields(record.input_schema),
        }

    def pages(self) -> list[Page]:
        return [
            *super().pages(),
            ("<uuid:key>/wrappers/", "wrappers", self.wrappers, ["GET", "HEAD", "POST"]),
        ]

    def wrappers(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Show the wrappers that the flow runs through; by POST change them."""
        flow = self._find(request, key)
        return kept_wrappers(request, FLOW, flow, self._context(request, flow, "wrappers"))

    def read_details(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "max_runtime_minutes": _whole_number(given.get("max_runtime_minutes", ""), "max_runtime_minutes"),
            "priority": _whole_number(given.get("priority", ""), "priority") or 0,
            "retention": read_retention(given),
        }


def _whole_number(text: str, field: str) -> int | None:
    try:
        return int(text) if text.strip() else None
    except ValueError:
        raise ValidationError({field: "Give a whole number."}) from None
