"""REST of control: pause and resume of one execution or a whole project, maintenance, housekeeping.

What is started, read and cancelled stands in `executions.api`, what goes back in `executions.savepoint_api`.
"""

from typing import Any

from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.permissions import WORKSPACE, Operation, require
from access.rest import Guarded
from executions import housekeeping, pausing
from executions.api import ExecutionVerb
from executions.models import Execution, Maintenance
from projects.kinds import PROJECT
from records.api import read_parameters
from records.cleaning import clean_body, clean_columns
from records.openapi import Described, object_of

_TEXT, _TRUTH, _NUMBER = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}
_MOMENT = {"type": "string", "format": "date-time"}


class ExecutionPause(ExecutionVerb):
    """Pauses an execution and the children that belong to it. One that runs pauses at its next call."""

    def act(self, execution: Execution) -> Response:
        return self.answered(pausing.pause_execution(execution, by=self.request.user))


class ExecutionResume(ExecutionVerb):
    """Lets a paused execution, and the children that belong to it, go on from its last savepoint."""

    def act(self, execution: Execution) -> Response:
        return self.answered(pausing.resume_execution(execution, by=self.request.user))


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
    path("execution/<str:key>/pause", ExecutionPause.as_view()),
    path("execution/<str:key>/resume", ExecutionResume.as_view()),
    path("project/<str:key>/pause", ProjectPause.as_view()),
    path("project/<str:key>/resume", ProjectResume.as_view()),
    path("maintenance", MaintenanceSwitch.as_view()),
    path("housework", HouseworkList.as_view()),
    path("housework/<str:key>/run", HouseworkRun.as_view()),
]
