"""REST of savepoints: list and read them, go back to one, fork from one. `executions.restoring` decides."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from executions import restoring
from executions.api import ExecutionView
from executions.kinds import EXECUTION
from executions.models import Execution, Savepoint
from executions.savepoint_list import SHOWN_WHOLE, SavepointRow, read_savepoint, read_savepoints
from records.api import RecordRestore
from records.cleaning import clean_body, clean_columns
from records.listing import limited_time, read_limit, read_number
from records.openapi import Described, column_shape, list_of, object_of, ref, shape_name

MAX_SAVEPOINTS = 1_000
_LARGEST_NUMBER = 2**31 - 1
_SHAPE = ref(shape_name(EXECUTION))
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
            "type": "boolean",
            "description": "The answer is too long for a list; read the savepoint by itself",
        },
    },
}


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
        body = object_of({"savepoint": _WHICH, "name": {"type": "string"}}, ("savepoint",))
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


urlpatterns = [
    path("execution/<str:key>/savepoints", ExecutionSavepoints.as_view()),
    path("execution/<str:key>/savepoints/<str:number>", ExecutionSavepoint.as_view()),
    path("execution/<str:key>/restore", ExecutionRestore.as_view()),
    path("execution/<str:key>/fork", ExecutionFork.as_view()),
]
