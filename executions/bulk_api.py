"""REST of what is done with many executions at once: cancel, pause, resume, rerun, delete.

`executions.bulk` does it; what is done with one stands in `executions.api` and `executions.control_api`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from executions import bulk
from executions.api import ExecutionView
from executions.kinds import EXECUTION
from executions.models import Execution
from records.api import outside_trashed_projects
from records.cleaning import clean_body
from records.identifiers import as_uuid
from records.listing import ListQuery, list_page, read_filter, read_query
from records.openapi import Described, list_of, object_of, ref

_TEXT, _UUID, _OBJECT = {"type": "string"}, {"type": "string", "format": "uuid"}, {"type": "object"}
_ACT: dict[str, Callable[..., list[bulk.Answer]]] = {
    "cancel": bulk.cancel_many,
    "rerun": partial(bulk.rerun_many, origin=Execution.Origin.API),
    "delete": bulk.trash_many,
    "pause": bulk.pause_many,
    "resume": bulk.resume_many,
}


class BulkVerb(ExecutionView):
    """POST does something with many executions, named by ids or selected by a filter; at most 1,000 per call."""

    verb: ClassVar[str]

    def describe(self, method: str) -> Described | None:
        row = {
            "type": "object",
            "properties": {"id": _UUID, "done": {"type": "boolean"}, "error": ref("Failure")},
        }
        result = list_of(row)
        result["properties"] |= {"done": {"type": "integer"}, "refused": {"type": "integer"}}
        if self.verb == "rerun":
            row["properties"]["new_id"] = _UUID  # type: ignore[index]
        ids = {"type": "array", "items": _UUID, "maxItems": bulk.AT_MOST}
        body = object_of({"ids": ids, "filter": _OBJECT, "cursor": _TEXT})
        example = {"filter": {"field": "name", "op": "like", "value": "daily-%"}}
        more = (
            "Give ids or a filter. With more matches than one call takes, `next` is the cursor to go on from."
        )
        return Described(f"{self.verb.title()} many executions", result, body, 200, example, more=more)

    def post(self, request: Request) -> Response:
        body = clean_body(request.data, ("ids", "filter", "cursor"))
        if ("ids" in body) == ("filter" in body):
            raise ValidationError({"ids": "Give either ids or a filter."})
        ids, following = (_read_ids(body["ids"]), None) if "ids" in body else self._matching(body)
        answers = _ACT[self.verb](ids, by=request.user)
        done = sum(answer.done for answer in answers)
        return Response(
            {
                "results": [_shown_answer(answer) for answer in answers],
                "done": done,
                "refused": len(answers) - done,
                "next": following,
            }
        )

    def _matching(self, body: dict[str, Any]) -> tuple[list[UUID], str | None]:
        cursor = body.get("cursor")
        if not isinstance(body["filter"], dict) or not isinstance(cursor, str | None):
            raise ValidationError({"filter": "Give a filter as an object, and cursor as text."})
        after = read_query(EXECUTION, {"cursor": cursor or ""}).after
        query = ListQuery(
            EXECUTION, bulk.AT_MOST, "-id", ("id",), read_filter(EXECUTION, body["filter"]), after=after
        )
        rows = outside_trashed_projects(self.visible(self.kind.rows()))
        page = list_page(query, rows.filter(bulk.open_to(self.verb)))
        return [row["id"] for row in page["results"]], page["next"]


class CancelMany(BulkVerb):
    """Asks for the end of many executions."""

    verb = "cancel"


class RerunMany(BulkVerb):
    """Starts new executions like many others."""

    verb = "rerun"


class DeleteMany(BulkVerb):
    """Puts many ended executions into the trash."""

    verb = "delete"


class PauseMany(BulkVerb):
    """Pauses many executions."""

    verb = "pause"


class ResumeMany(BulkVerb):
    """Lets many paused executions go on."""

    verb = "resume"


def _read_ids(given: Any) -> list[UUID]:
    if not isinstance(given, list) or not given or len(given) > bulk.AT_MOST:
        raise ValidationError({"ids": f"Give a list of 1 to {bulk.AT_MOST:,} ids."})
    ids: list[UUID] = []
    for number, text in enumerate(given):
        key = as_uuid(text)
        if key is None:
            raise ValidationError({"ids": f"[{number}]: {text!r} is not an id."})
        ids.append(key)
    return ids


def _shown_answer(answer: bulk.Answer) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": answer.id, "done": answer.done}
    if answer.new_id is not None:
        shown["new_id"] = answer.new_id
    if answer.code:
        shown["error"] = {"code": answer.code, "message": answer.words, "details": {}}
    return shown


urlpatterns = [
    path("execution/cancel", CancelMany.as_view()),
    path("execution/rerun", RerunMany.as_view()),
    path("execution/delete", DeleteMany.as_view()),
    path("execution/pause", PauseMany.as_view()),
    path("execution/resume", ResumeMany.as_view()),
]
