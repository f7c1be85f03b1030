"""REST of executions and processes: start, wait, cancel, run, rerun, bulk verbs, log, children, tree, history.

The hot way is `POST /execution`: one statement each for the key, the flow, the row and reading it back.
"""

import hashlib
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from access.permissions import Operation, PermissionRefused, may
from access.rest import Guarded, StaffOnly
from executions import bulk, operations
from executions.kinds import EXECUTION, PROCESS
from executions.lifecycle import ENDED
from executions.live import wait_ended
from executions.models import Execution, LogLine, Transition
from executions.reading import read_execution
from executions.retention import expiry_of
from executions.start_body import START_BODY, read_start
from executions.starting import find_started, start_execution
from flows.models import Flow, Script
from records.api import RecordDetail, RecordList, outside_trashed_projects
from records.cleaning import clean_body, clean_columns
from records.identifiers import as_uuid
from records.listing import (
    PARAMETERS,
    ListQuery,
    limited_time,
    list_page,
    read_filter,
    read_limit,
    read_number,
    read_query,
)
from records.openapi import Described, column_shape, list_of, object_of, ref, shape_name

MAX_WAIT_SECONDS = 300
MAX_LOG_LINES = 5_000
MAX_TRANSITIONS = 1_000
_LARGEST_NUMBER = 2**31 - 1
_KEY = "Idempotency-Key"
_SHAPE = ref(shape_name(EXECUTION))
_TEXT, _UUID, _OBJECT = {"type": "string"}, {"type": "string", "format": "uuid"}, {"type": "object"}
_NUMBER, _MOMENT = {"type": "integer"}, {"type": "string", "format": "date-time"}
_NEXT_NUMBER = {"type": ["integer", "null"]}
# Written out, for the hot way. The script is pinned by its hash: reading a long one would be most of a start.
_FLOW = """
SELECT id, name, project_id, version, pinned_id, input_schema, max_runtime_minutes, priority, wrappers
FROM flows_flow WHERE id = %s AND deleted_at IS NULL
"""
_CHANGEABLE = ("name", "description", "expires_at", "retention_seconds")


class ExecutionView(Guarded):
    """What the views of executions share."""

    kind = EXECUTION

    def execution(self, key: str) -> Execution:
        """Return the visible execution with this id."""
        found: Execution = self.find(key, self.kind.rows())
        return found

    def answered(
        self, execution: Execution, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        """Return the execution; with `?wait=` as soon as it has ended, or as it is when the time is up (202)."""
        seconds = self._wait_seconds
        if seconds is not None and execution.status not in ENDED:
            if not wait_ended(execution.pk, seconds):
                status = 202
            try:
                execution = read_execution(execution.pk)
            except Execution.DoesNotExist:
                raise Http404("It was removed while you waited.") from None
        return Response(self.shown(execution), status=status, headers=headers)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._wait_seconds = _read_wait(self.parameters.get("wait"))


class ExecutionList(ExecutionView, RecordList):
    """GET lists executions, newest first, without their inputs and outputs; POST starts one."""

    reads_headers: ClassVar[dict[str, dict[str, str]]] = {
        "POST": {_KEY: "The same key starts one execution, however often the request is sent."}
    }

    def reads_of(self, method: str) -> tuple[str, ...]:
        return ("wait", "fields") if method == "POST" else super().reads_of(method)

    def describe(self, method: str) -> Described | None:
        if method != "POST":
            return super().describe(method)
        example = {"flow_name": "Daily report", "input_value": {"day": "2030-01-31"}}
        more = (
            "Give exactly one of flow_id, flow_name, script, connector_id, connector_name and connector_type."
            " With `wait`, 202 means that it has not ended yet."
        )
        return Described("Start an execution", _SHAPE, START_BODY, 201, example, errors=(403, 409), more=more)

    def post(self, request: Request) -> Response:
        body = clean_body(request.data, START_BODY["properties"])
        key, digest = self._idempotency(body)
        found = find_started(key, digest, by=request.user)
        if found is not None:
            return self.answered(found, headers={"Idempotent-Replay": "true"})
        asked = read_start(body, self.resolved)
        start = replace(asked, idempotency_key=key, idempotency_digest=digest)
        try:
            execution, is_new = start_execution(start, by=request.user, origin=Execution.Origin.API)
        except PermissionRefused:
            # Asked only now: who may run a flow may see it.
            if start.flow is not None and not may(request.user, Operation.READ, start.flow):
                raise _no_flow(start.flow.pk) from None
            raise
        if not is_new:
            return self.answered(execution, headers={"Idempotent-Replay": "true"})
        return self.answered(execution, 201, {"Location": f"{request.path}/{execution.pk}"})

    def resolved(self, fields: dict[str, Any]) -> dict[str, Any]:
        key = fields.pop("flow_id", None)
        resolved = super().resolved(fields)
        if key is not None:
            resolved["flow"] = self._flow(key)
        return resolved

    def _flow(self, key: Any) -> Flow:
        flow_id = as_uuid(key)
        found = next(iter(Flow.objects.raw(_FLOW, [flow_id])), None) if flow_id else None
        if found is None:
            raise _no_flow(key)
        return found

    def _idempotency(self, body: dict[str, Any]) -> tuple[str | None, str | None]:
        key = self.request.headers.get(_KEY)
        if key is None:
            return None, None
        if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
            raise ValidationError({_KEY: "Give 1 to 255 printable ASCII characters."})
        return key, hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


class ExecutionDetail(ExecutionView, RecordDetail):
    """One execution. PATCH sets name, description and its own expiry; DELETE puts an ended one into the trash."""

    reads = ("fields", "trashed", "wait")

    def get(self, request: Request, key: str) -> Response:
        return self.answered(self.find(key))

    def describe(self, method: str) -> Described | None:
        if method == "PATCH":
            body = object_of({name: column_shape(EXECUTION.columns[name]) for name in _CHANGEABLE})
            return Described("Change an execution", _SHAPE, body, 200, {"name": "Better"}, errors=(403, 404))
        return super().describe(method)

    def written(self, request: Request, required: tuple[str, ...] = ()) -> dict[str, Any]:
        return clean_columns(Execution, clean_body(request.data, _CHANGEABLE))


class ExecutionVerb(ExecutionView):
    """POST does something with one execution."""

    reads = ("fields", "wait")
    status: ClassVar[int] = 200

    def describe(self, method: str) -> Described | None:
        summary = type(self).__name__.removeprefix("Execution") + " an execution"
        return Described(summary, _SHAPE, status=self.status, errors=(403, 404, 409))

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        return self.act(self.execution(key))

    def act(self, execution: Execution) -> Response:
        """Do it and answer."""
        raise NotImplementedError


class ExecutionCancel(ExecutionVerb):
    """Asks for the end of an execution and of the children that belong to it."""

    def act(self, execution: Execution) -> Response:
        return self.answered(operations.cancel_execution(execution, by=self.request.user))


class ExecutionRun(ExecutionVerb):
    """Starts an execution that was only written down."""

    def act(self, execution: Execution) -> Response:
        return self.answered(operations.run_execution(execution, by=self.request.user))


class ExecutionRerun(ExecutionVerb):
    """Starts a new execution with the same inputs and options, on the script that is current now."""

    status = 201

    def act(self, execution: Execution) -> Response:
        new = operations.rerun_execution(execution, by=self.request.user, origin=Execution.Origin.API)
        base = self.request.path.rsplit("/", 2)[0]
        return self.answered(new, 201, {"Location": f"{base}/{new.pk}"})


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
        answers = self.act(ids)
        done = sum(answer.done for answer in answers)
        return Response(
            {
                "results": [_shown_answer(answer) for answer in answers],
                "done": done,
                "refused": len(answers) - done,
                "next": following,
            }
        )

    def act(self, ids: list[UUID]) -> list[bulk.Answer]:
        """Do it to all of them."""
        user = self.request.user
        if self.verb == "cancel":
            return bulk.cancel_many(ids, by=user)
        if self.verb == "delete":
            return bulk.trash_many(ids, by=user)
        return bulk.rerun_many(ids, by=user, origin=Execution.Origin.API)

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


class ProcessList(StaffOnly, RecordList):
    """The processes of this site."""

    kind = PROCESS
    http_method_names = ["get", "head", "options"]


class ProcessDetail(StaffOnly, RecordDetail):
    """One process."""

    kind = PROCESS
    http_method_names = ["get", "head", "options"]


def _no_flow(key: Any) -> ValidationError:
    return ValidationError({"flow_id": f"There is no flow with this id: {str(key)!r}."})


def _read_wait(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise ValidationError({"wait": f"Give a number of seconds from 0 to {MAX_WAIT_SECONDS}."})
    return seconds


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
    path("execution", ExecutionList.as_view()),
    path("execution/cancel", CancelMany.as_view()),
    path("execution/rerun", RerunMany.as_view()),
    path("execution/delete", DeleteMany.as_view()),
    path("execution/<str:key>/cancel", ExecutionCancel.as_view()),
    path("execution/<str:key>/run", ExecutionRun.as_view()),
    path("execution/<str:key>/rerun", ExecutionRerun.as_view()),
    path("execution/<str:key>/log", ExecutionLog.as_view()),
    path("execution/<str:key>/expiry", ExecutionExpiry.as_view()),
    path("execution/<str:key>/transitions", ExecutionTransitions.as_view()),
    path("execution/<str:key>/children", ExecutionChildren.as_view()),
    path("execution/<str:key>/tree", ExecutionTree.as_view()),
    path("execution/<str:key>/script", ExecutionScript.as_view()),
    path("execution/<str:key>", ExecutionDetail.as_view()),
    path("process", ProcessList.as_view()),
    path("process/<str:key>", ProcessDetail.as_view()),
]
