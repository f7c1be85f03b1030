"""REST of executions and processes: list, start, wait, read, change, cancel, run, rerun.

What belongs to an execution stands in `executions.trace_api`, verbs for many in `bulk_api`, pauses in `control_api`.
The hot way is `POST /execution`: one statement each for the key, the flow, the row and reading it back.
"""

import hashlib
from dataclasses import replace
from typing import Any, ClassVar

import orjson
from django.core.exceptions import ValidationError
from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from access.permissions import Operation, PermissionRefused, may
from access.rest import Guarded, StaffOnly
from executions import operations
from executions.end_waiting import wait_ended
from executions.kinds import EXECUTION, PROCESS
from executions.lifecycle import ENDED
from executions.models import Execution
from executions.reading import read_execution
from executions.start_body import START_BODY, read_start
from executions.starting import find_started, start_execution
from flows.models import Flow
from records.api import RecordDetail, RecordList
from records.cleaning import clean_body, clean_columns
from records.identifiers import as_uuid
from records.openapi import Described, column_shape, object_of, ref, shape_name

MAX_WAIT_SECONDS = 300
_KEY = "Idempotency-Key"
_SHAPE = ref(shape_name(EXECUTION))
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


urlpatterns = [
    path("execution", ExecutionList.as_view()),
    path("execution/<str:key>/cancel", ExecutionCancel.as_view()),
    path("execution/<str:key>/run", ExecutionRun.as_view()),
    path("execution/<str:key>/rerun", ExecutionRerun.as_view()),
    path("execution/<str:key>", ExecutionDetail.as_view()),
    path("process", ProcessList.as_view()),
    path("process/<str:key>", ProcessDetail.as_view()),
]
