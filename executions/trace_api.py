"""REST of what belongs to an execution: log, history, children, tree, script, expiry. It only reads.

The execution itself stands in `executions.api`, its savepoints in `executions.savepoint_api`.
"""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from executions.api import ExecutionView
from executions.kinds import EXECUTION
from executions.models import LogLine, Transition
from executions.retention import expiry_of
from flows.models import Script
from records.listing import PARAMETERS, limited_time, list_page, read_limit, read_number, read_query
from records.openapi import Described, column_shape, list_of, object_of, ref, shape_name

MAX_LOG_LINES = 5_000
MAX_TRANSITIONS = 1_000
_LARGEST_NUMBER = 2**31 - 1
_SHAPE = ref(shape_name(EXECUTION))
_TEXT, _NUMBER, _MOMENT = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date-time"}
_NEXT_NUMBER = {"type": ["integer", "null"]}


class ExecutionLog(ExecutionView):
    """The log, by number. `next` is the number to go on from, or null when this is the end so far."""

    reads = ("after", "limit")

    def describe(self, method: str) -> Described | None:
        row = {
            "type": "object",
            "properties": {
                "number": _NUMBER,
                "at": _MOMENT,
                "level": column_shape(LogLine._meta.get_field("level")),
                "stream": _TEXT,
                "text": _TEXT,
                "data": {},
            },
        }
        return Described("Read the log", list_of(row, _NEXT_NUMBER), errors=(404, 422))

    def get(self, request: Request, key: str) -> Response:
        lines = LogLine.objects.filter(execution_id=self.execution(key).pk)
        fields = ("number", "at", "level", "stream", "text", "data")
        return Response(self._numbered(lines, "number", fields, 500, MAX_LOG_LINES))

    def _numbered(
        self, rows: "QuerySet[Any]", number: str, fields: tuple[str, ...], default: int, highest: int
    ) -> dict[str, Any]:
        """Return the rows behind number `after`, ascending; `next` is the number to go on from, or None."""
        limit = read_limit(self.parameters, default, highest)
        after = read_number(self.parameters, "after", 0, 0, _LARGEST_NUMBER)
        with limited_time():
            found = list(
                rows.filter(**{f"{number}__gt": after}).order_by(number).values(*fields)[: limit + 1]
            )
        page = found[:limit]
        return {"results": page, "next": page[-1][number] if len(found) > limit else None}


class ExecutionTransitions(ExecutionLog):
    """The history of the status, by version."""

    def describe(self, method: str) -> Described | None:
        texts = dict.fromkeys(("old", "new", "reason"), _TEXT)
        row = {
            "type": "object",
            "properties": {"version": _NUMBER, "at": _MOMENT, **texts, "attempt": _NUMBER},
        }
        return Described("Read the history", list_of(row, _NEXT_NUMBER), errors=(404, 422))

    def get(self, request: Request, key: str) -> Response:
        rows = Transition.objects.filter(execution_id=self.execution(key).pk)
        fields = ("version", "at", "old", "new", "reason", "attempt")
        return Response(self._numbered(rows, "version", fields, 500, MAX_TRANSITIONS))


class ExecutionChildren(ExecutionView):
    """The executions that this one started, in the order of their start."""

    reads = PARAMETERS

    def describe(self, method: str) -> Described | None:
        what = type(self).__name__.removeprefix("Execution").lower()
        return Described(f"List the {what}", list_of(_SHAPE), errors=(404, 422))

    def get(self, request: Request, key: str) -> Response:
        return self.family({"parent_id": self.execution(key).pk})

    def family(self, related: dict[str, Any]) -> Response:
        """Return a page of related executions."""
        query = read_query(EXECUTION, self.parameters, "id")
        rows = self.visible(self.kind.rows(trashed=query.trashed))
        return Response(list_page(query, rows.filter(**related)))


class ExecutionTree(ExecutionChildren):
    """All executions of the tree that this one belongs to, from its root down, flat with their parent_id."""

    def get(self, request: Request, key: str) -> Response:
        execution = self.execution(key)
        return self.family({"root_id": execution.root_id or execution.pk})


class ExecutionScript(ExecutionView):
    """The script that this execution is pinned to."""

    def describe(self, method: str) -> Described | None:
        shape = {"type": "object", "properties": {"sha256": _TEXT, "flow_version": _NUMBER, "script": _TEXT}}
        return Described("Read the script", shape, errors=(404,))

    def get(self, request: Request, key: str) -> Response:
        execution = self.execution(key)
        if execution.script_id is None:
            raise Http404(f"An execution of type {execution.type} has no script.")
        text = Script.objects.values_list("text", flat=True).get(pk=execution.script_id)
        return Response(
            {"sha256": execution.script_id, "flow_version": execution.flow_version, "script": text}
        )


class ExecutionExpiry(ExecutionView):
    """When an execution will be removed, and whether it says so itself, or its flow, its project or the workspace."""

    def describe(self, method: str) -> Described:
        said_by = {"type": "string", "enum": ["execution", "flow", "project", "workspace"]}
        moment = {"type": ["string", "null"], "format": "date-time"}
        shape = object_of({"expires_at": moment, "said_by": said_by, "days": {"type": ["number", "null"]}})
        more = "`expires_at` is null for one that has not ended, and for one that is kept for ever."
        return Described("Read the expiry", shape, errors=(404,), more=more)

    def get(self, request: Request, key: str) -> Response:
        expiry = expiry_of(self.execution(key))
        return Response({"expires_at": expiry.at, "said_by": expiry.said_by, "days": expiry.days})


urlpatterns = [
    path("execution/<str:key>/log", ExecutionLog.as_view()),
    path("execution/<str:key>/expiry", ExecutionExpiry.as_view()),
    path("execution/<str:key>/transitions", ExecutionTransitions.as_view()),
    path("execution/<str:key>/children", ExecutionChildren.as_view()),
    path("execution/<str:key>/tree", ExecutionTree.as_view()),
    path("execution/<str:key>/script", ExecutionScript.as_view()),
]
