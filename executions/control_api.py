"""REST of control: pause, resume, savepoints, restore, fork, whole projects, and maintenance.

What is started, read and cancelled stands in `executions.api`.
"""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.permissions import WORKSPACE, Operation, require
from access.rest import Guarded
from executions import bulk, housekeeping, pausing, restoring
from executions.api import BulkVerb, ExecutionVerb, ExecutionView
from executions.kinds import EXECUTION
from executions.models import Execution, Maintenance, Savepoint
from executions.savepoint_list import SHOWN_WHOLE, SavepointRow, read_savepoint, read_savepoints
from projects.kinds import PROJECT
from records.api import RecordRestore, read_parameters
from records.cleaning import clean_body, clean_columns
from records.listing import limited_time, read_limit, read_number
from records.openapi import Described, column_shape, list_of, object_of, ref, shape_name

MAX_SAVEPOINTS = 1_000
_LARGEST_NUMBER = 2**31 - 1
_SHAPE = ref(shape_name(EXECUTION))
_TEXT, _TRUTH, _NUMBER = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}
_MOMENT = {"type": "string", "format": "date-time"}
_WHICH = {"type": ["integer", "string"], "description": "Its number, or the name it was given"}
_NAMES = ("number", "call", "line", "digest", "name", "is_pending", "at", "attempt")
_COLUMNS = [column for column in Savepoint._meta.concrete_fields if column.name in _NAMES]
_SAVEPOINT = {
    "type": "object",
    "properties": {
        **{column.name: column_shape(column) for column in _COLUMNS},
        "value": {"description": "The answer of the call; of a pending one, what it waits for"},
        "error": {"type": ["object", "null"], "description": "What the call raised"},
        "is_cut": {
            **_TRUTH,
            "description": "The answer is too long for a list; read the savepoint by itself",
        },
    },
}


class ExecutionPause(ExecutionVerb):
    """Pauses an execution and the children that belong to it. One that runs pauses at its next call."""

    def act(self, execution: Execution) -> Response:
        return self.answered(pausing.pause_execution(execution, by=self.request.user))


class ExecutionResume(ExecutionVerb):
    """Lets a paused execution, and the children that belong to it, go on from its last savepoint."""

    def act(self, execution: Execution) -> Response:
        return self.answered(pausing.resume_execution(execution, by=self.request.user))


class PauseMany(BulkVerb):
    """Pauses many executions."""

    verb = "pause"

    def act(self, ids: list[UUID]) -> list[bulk.Answer]:
        return bulk.pause_many(ids, by=self.request.user)


class ResumeMany(BulkVerb):
    """Lets many paused executions go on."""

    verb = "resume"

    def act(self, ids: list[UUID]) -> list[bulk.Answer]:
        return bulk.resume_many(ids, by=self.request.user)


class ExecutionSavepoints(ExecutionView):
    """The savepoints, by number: every call the script made, with its answer. `next` is as in the log."""

    reads = ("after", "limit")

    def describe(self, method: str) -> Described | None:
        following = {"type": ["integer", "null"]}
        more = f"Answers of more than {SHOWN_WHOLE:,} characters are left out here (`is_cut`)."
        return Described("List the savepoints", list_of(_SAVEPOINT, following), errors=(404, 422), more=more)

    def get(self, request: Request, key: str) -> Response:
        limit = read_limit(self.parameters, 100, MAX_SAVEPOINTS)
        after = read_number(self.parameters, "after", 0, 0, _LARGEST_NUMBER)
        execution = self.execution(key)
        with limited_time():
            found = read_savepoints(execution.pk, after=after, limit=limit + 1)
        page = found[:limit]
        return Response({"results": page, "next": page[-1]["number"] if len(found) > limit else None})


class ExecutionSavepoint(ExecutionView):
    """One savepoint, by its number, with its whole answer."""

    def describe(self, method: str) -> Described | None:
        return Described("Read a savepoint", _SAVEPOINT, errors=(404,))

    def get(self, request: Request, key: str, number: str) -> Response:
        found: SavepointRow | None = None
        if number.isdecimal() and len(number) < 11:
            found = read_savepoint(self.execution(key).pk, int(number))
        if found is None:
            raise Http404(f"There is no savepoint {number!r} here.")
        return Response(found)


class ExecutionRestore(ExecutionView, RecordRestore):
    """Takes a living execution back to a savepoint: later ones are dropped and it goes on from there.

    Without a savepoint it takes an execution out of the trash.
    """

    reads = ("fields",)

    def describe(self, method: str) -> Described | None:
        body = object_of({"savepoint": _WHICH})
        more = (
            "What it did since stays done: children, records, effects outside. One that has ended cannot go"
            " back; fork it. Without `savepoint`, an execution is taken out of the trash."
        )
        return Described(
            "Restore an execution", _SHAPE, body, 200, {"savepoint": 3}, errors=(403, 404, 409), more=more
        )

    def post(self, request: Request, key: str) -> Response:
        body = clean_body(request.data, ("savepoint",))
        if "savepoint" not in body:
            return super().post(request, key)
        execution = self.execution(key)
        number = _number_of(execution, body["savepoint"])
        return Response(self.shown(restoring.restore_execution(execution, number, by=request.user)))


class ExecutionFork(ExecutionView):
    """Starts a new execution that goes on from a savepoint of this one, whether it lives or has ended."""

    reads = ("fields", "wait")

    def describe(self, method: str) -> Described | None:
        body = object_of({"savepoint": _WHICH, "name": _TEXT}, ("savepoint",))
        more = "The new one runs on the script that this one is pinned to."
        return Described(
            "Fork an execution", _SHAPE, body, 201, {"savepoint": 3}, errors=(403, 404), more=more
        )

    def post(self, request: Request, key: str) -> Response:
        body = clean_body(request.data, ("savepoint", "name"), ("savepoint",))
        given = clean_columns(Execution, {name: text for name, text in body.items() if text is not None})
        execution = self.execution(key)
        new = restoring.fork_execution(
            execution,
            _number_of(execution, body["savepoint"]),
            by=request.user,
            origin=Execution.Origin.API,
            name=given.get("name", "").strip(),
        )
        base = request.path.rsplit("/", 2)[0]
        return self.answered(new, 201, {"Location": f"{base}/{new.pk}"})


def _number_of(execution: Execution, selected: Any) -> int:
    """Return the number of a savepoint given by number or name. Raises ValidationError, NoSuchSavepoint."""
    if isinstance(selected, bool) or not isinstance(selected, int | str):
        raise ValidationError({"savepoint": "Give its number, or its name as text."})
    by = "id" if isinstance(selected, int) else "name"
    number = restoring.find_savepoint(execution.pk, selected, by=by)
    if number is None:
        raise restoring.NoSuchSavepoint(
            f"{execution.name!r} has no savepoint {selected!r}, or it is not kept any more."
        )
    return number


class ProjectVerb(Guarded):
    """POST does something with all that lives in a project."""

    kind = PROJECT
    reads = ("by",)
    verb = ""

    def describe(self, method: str) -> Described | None:
        result = {
            "type": "object",
            "properties": {"executions": {**_NUMBER, "description": "How many it was done to"}},
        }
        return Described(f"{self.verb.title()} a project", result, errors=(403, 404))

    def post(self, request: Request, key: str) -> Response:
        clean_body(request.data, ())
        act = pausing.pause_project if self.verb == "pause" else pausing.resume_project
        return Response({"executions": act(self.find(key), by=request.user)})


class ProjectPause(ProjectVerb):
    """Pauses all executions that live in a project. What is started afterwards runs."""

    verb = "pause"


class ProjectResume(ProjectVerb):
    """Lets all executions that are paused in a project go on."""

    verb = "resume"


class MaintenanceSwitch(APIView):
    """Maintenance: while it is on, no worker takes on or resumes executions. What runs goes on to its next wait."""

    def describe(self, method: str) -> Described | None:
        texts = {"started_at": {**_MOMENT, "type": ["string", "null"]}, "note": _TEXT}
        state = {
            "type": "object",
            "properties": {"is_on": _TRUTH, **texts, "started_by_id": {"type": ["string", "null"]}},
        }
        more = "Needs UPDATE permission on the workspace."
        if method == "GET":
            return Described("Read whether maintenance is on", state, errors=(403,), more=more)
        if method == "DELETE":
            return Described("End maintenance", status=204, errors=(403,), more=more)
        body = object_of({"note": {**_TEXT, "maxLength": 200}})
        more += " When it is on already, nothing changes."
        return Described(
            "Start maintenance", state, body, 200, {"note": "New disks"}, errors=(403,), more=more
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        read_parameters(request, ())
        require(request.user, Operation.UPDATE, WORKSPACE)

    def get(self, request: Request) -> Response:
        return Response(_shown(pausing.maintenance()))

    def post(self, request: Request) -> Response:
        given = clean_columns(Maintenance, clean_body(request.data, ("note",)))
        return Response(_shown(pausing.start_maintenance(by=request.user, note=given.get("note", ""))))

    def delete(self, request: Request) -> Response:
        pausing.end_maintenance(by=request.user)
        return Response(status=204)


class HouseworkList(APIView):
    """The jobs of the housekeeping: what each does, when it is due, and what it did last."""

    def describe(self, method: str) -> Described:
        moment = {"type": ["string", "null"], "format": "date-time"}
        row = object_of(
            {
                "name": _TEXT,
                "description": _TEXT,
                "every_seconds": {"type": "integer"},
                "next_at": moment,
                "ran_at": moment,
                "took_seconds": {"type": ["number", "null"]},
                "done": {"type": "integer"},
                "note": _TEXT,
            }
        )
        result = {"type": "object", "properties": {"results": {"type": "array", "items": row}}}
        return Described("List the housekeeping's jobs", result, errors=(403,))

    def get(self, request: Request) -> Response:
        read_parameters(request, ())
        rows = [
            {
                "name": job.name,
                "description": job.words,
                "every_seconds": job.every_seconds,
                "next_at": known and known.next_at,
                "ran_at": known and known.ran_at,
                "took_seconds": known and known.took_seconds,
                "done": known.done if known else 0,
                "note": known.note if known else "",
            }
            for job, known in housekeeping.overview(by=request.user)
        ]
        return Response({"results": rows})


class HouseworkRun(APIView):
    """Lets a worker do a job of the housekeeping within seconds."""

    def describe(self, method: str) -> Described:
        return Described("Run a job soon", status=204, errors=(403, 404))

    def post(self, request: Request, key: str) -> Response:
        read_parameters(request, ())
        clean_body(request.data, ())
        try:
            housekeeping.request_run(key, by=request.user)
        except LookupError:
            raise Http404(f"There is no job {key!r}.") from None
        return Response(status=204)


def _shown(found: Maintenance | None) -> dict[str, Any]:
    return {
        "is_on": found is not None,
        "started_at": found.started_at if found else None,
        "started_by_id": found.started_by_id if found else None,
        "note": found.note if found else "",
    }


urlpatterns = [
    path("execution/pause", PauseMany.as_view()),
    path("execution/resume", ResumeMany.as_view()),
    path("execution/<str:key>/pause", ExecutionPause.as_view()),
    path("execution/<str:key>/resume", ExecutionResume.as_view()),
    path("execution/<str:key>/savepoints", ExecutionSavepoints.as_view()),
    path("execution/<str:key>/savepoints/<str:number>", ExecutionSavepoint.as_view()),
    path("execution/<str:key>/restore", ExecutionRestore.as_view()),
    path("execution/<str:key>/fork", ExecutionFork.as_view()),
    path("project/<str:key>/pause", ProjectPause.as_view()),
    path("project/<str:key>/resume", ProjectResume.as_view()),
    path("maintenance", MaintenanceSwitch.as_view()),
    path("housework", HouseworkList.as_view()),
    path("housework/<str:key>/run", HouseworkRun.as_view()),
]
