"""What all calls share: who asks, the ways a call can be answered, and finding what the arguments name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from access.models import User
from access.permissions import Operation, PermissionRefused, may, may_in_project, visible
from executions.database import fetch, from_jsonb
from executions.endings import ALL_ENDED, ALL_SUCCEEDED, FIRST_ENDED
from executions.models import Execution
from executions.reading import read_execution
from projects.models import Project
from records.cleaning import as_moment
from records.kinds import Kind, kind_of, select
from records.operations import Conflict

RETURN_WHEN = (ALL_SUCCEEDED, ALL_ENDED, FIRST_ENDED)


class CallRefused(Exception):
    """The call cannot be answered with a value; `type` names the exception to raise in the flow."""

    def __init__(self, type: str, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.type, self.message, self.data = type, message, data or {}

    def as_error(self) -> dict[str, Any]:
        return {"type": self.type, "message": self.message, "data": self.data}


@dataclass
class Caller:
    """The execution that asks, in the attempt that its host holds. `user` is its identity: its user with its roles."""

    id: UUID
    host_id: int
    attempt: int
    project_id: UUID
    root_id: UUID
    is_productive: bool
    user: User | None
    is_maintenance: bool = False
    has_room: bool = False  # its host seems to have a free slot
    has_ties: bool = True  # False as long as it certainly has no child, lock or message that ends with it
    pending: tuple[int, dict[str, Any]] | None = None  # the recorded call that waits, and for what

    @cached_property
    def as_parent(self) -> Execution:
        """This execution as far as its children need it: a model with all its fields is dear to make."""
        return Execution(pk=self.id, project_id=self.project_id, root_id=self.root_id)

    def row(self) -> Execution:
        return Execution.objects.get(pk=self.id)


@dataclass(frozen=True)
class Parked:
    """The answer comes later; `wait` says what it waits for, as it is written into the savepoint.

    `wake_in`: seconds after which the wait ends at the latest. `child`: the columns of one to run on this host at once.
    """

    wait: dict[str, Any]
    wake_in: float | None = None
    child: dict[str, Any] | None = None


@dataclass(frozen=True)
class Started:
    """Answered at once, and a child with these columns is to be run on this host."""

    value: dict[str, Any]
    child: dict[str, Any]


@dataclass(frozen=True)
class PutDown:
    """The execution leaves memory with this call: `leave` takes it from RUNNING once the call is recorded."""

    leave: Callable[[], object]


def refusal(error: Exception) -> CallRefused:
    """Return the named error a flow sees for an operation's exception."""
    if isinstance(error, PermissionRefused):
        return CallRefused("PermissionDenied", str(error))
    if isinstance(error, Conflict):
        return CallRefused("EngineException", str(error))
    assert isinstance(error, ValidationError)
    if hasattr(error, "error_dict"):
        words = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
    else:
        words = " ".join(error.messages)
    return CallRefused("InvalidInputError", words)


SNAPSHOT = (
    "id", "name", "type", "status", "reason", "message", "output_value", "project_id", "flow_id", "parent_id",
    "is_productive", "created_at", "ended_at",
)  # fmt: skip


SNAPSHOT_SQL = "jsonb_build_object({})".format(", ".join(f"'{name}', e.{name}" for name in SNAPSHOT))


def snapshot(execution: Execution) -> dict[str, Any]:
    """Return what a flow may see of an execution when it is handed one."""
    return {name: getattr(execution, name) for name in SNAPSHOT}


def lock_snapshots(ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the snapshots of these executions; an end that happens now waits for the caller's commit."""
    rows = fetch(
        f"SELECT {', '.join(SNAPSHOT)} FROM executions_execution WHERE id = ANY(%s) ORDER BY id FOR SHARE",
        (ids,),
    )
    found = {}
    for row in rows:
        found[row[0]] = dict(zip(SNAPSHOT, row, strict=True))
        found[row[0]]["output_value"] = from_jsonb(found[row[0]]["output_value"])
    return found


def names_of(ids: list[UUID], by: Any) -> dict[UUID, str]:
    """Return what error messages call these executions; the names of those that `by` may not see are not told."""
    seen = visible(by, Execution.objects.filter(pk__in=ids)).values_list("pk", "name")
    return dict.fromkeys(ids, "an execution that you may not see") | {key: repr(name) for key, name in seen}


# -- Finding -----------------------------------------------------------------------------------------------


def kind_named(arguments: dict[str, Any]) -> Kind:
    try:
        return kind_of(arguments["type"])
    except KeyError as error:
        raise CallRefused("EngineException", f"There is no record type {arguments.get('type')!r}.") from error


def find_record(
    caller: Caller, arguments: dict[str, Any], operation: Operation = Operation.READ, trashed: bool = False
) -> Any:
    kind = kind_named(arguments)
    record = None
    if arguments.get("allow_normal", True) and not trashed:
        record = _select(kind, arguments["select"], arguments.get("by"))
    if record is None and kind.has_trash and (trashed or arguments.get("allow_deleted")):
        record = select(kind, arguments["select"], arguments.get("by"), rows=kind.rows(trashed=True))
    if record is None or not _sees(caller, record):
        raise CallRefused("ResourceNotFoundError", f"There is no {kind.name} {arguments['select']!r}.")
    if operation != Operation.READ and not may(caller.user, operation, record):
        raise CallRefused("PermissionDenied", f"You need {operation} permission on this {kind.name}.")
    return record


def _select(kind: Kind, value: Any, by: str | None) -> Any:
    if kind.model is not Execution or by == "name":
        return select(kind, value, by)
    # What flows read most: themselves and their children.
    key = select_id(value)
    try:
        execution = None if key is None else read_execution(key)
    except Execution.DoesNotExist:
        return None
    return None if execution is None or execution.deleted_at else execution


def _sees(caller: Caller, record: Any) -> bool:
    """An execution always sees itself and the user it acts for."""
    if record.pk in (caller.id, getattr(caller.user, "pk", None)):
        return True
    return may(caller.user, Operation.READ, record)


def find_flow(caller: Caller, arguments: dict[str, Any]) -> Any:
    return find_record(caller, {"type": "flow", "select": arguments.get("select"), "by": arguments.get("by")})


def find_project(caller: Caller, fields: dict[str, Any]) -> Project | None:
    key, name = fields.pop("project_id", None), fields.pop("project_name", None)
    if key is None and name is None:
        return None
    by, value = ("id", key) if key is not None else ("name", name)
    project: Project = find_record(caller, {"type": "project", "select": value, "by": by})
    return project


def find_execution(caller: Caller, key: Any, operation: Operation) -> Execution:
    execution: Execution = find_record(caller, {"type": "execution", "select": key, "by": "id"}, operation)
    return execution


# -- Reading arguments -------------------------------------------------------------------------------------


def find_executions(caller: Caller, keys: list[Any]) -> list[UUID]:
    """Return the ids of these executions, in order and once each, if the caller may see all of them."""
    wanted = {str(key): select_id(key) for key in keys}
    known = [key for key in wanted.values() if key is not None]
    places = dict(Execution.objects.filter(pk__in=known, deleted_at=None).values_list("pk", "project_id"))
    seen = {
        place: may_in_project(caller.user, Operation.READ, place, Execution) for place in set(places.values())
    }
    for text, key in wanted.items():
        if key is None or key not in places or not (seen[places[key]] or key == caller.id):
            raise CallRefused("ResourceNotFoundError", f"There is no execution {text!r}.")
    return [key for key in wanted.values() if key is not None]


def select_id(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def return_when_of(value: Any) -> str | None:
    if value is None or value in RETURN_WHEN:
        return value
    raise CallRefused(
        "InvalidInputError", f"{value!r} is no way to wait; there are: {', '.join(RETURN_WHEN)}."
    )


def number_of(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CallRefused("InvalidInputError", f"{name} takes a number, not {value!r}.")
    return float(value)


def whole_of(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise CallRefused("InvalidInputError", f"{name} takes a whole number, not {value!r}.")
    return value


def moment_of(value: Any, name: str) -> datetime | None:
    if value is None:
        return None
    try:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        moment = datetime.fromtimestamp(value, tz=UTC) if is_number else as_moment(str(value))
    except (ValueError, OverflowError, OSError):  # a number that is no time
        moment = None
    if moment is None:
        raise CallRefused(
            "InvalidInputError", f"{name} takes a time such as 2030-01-31T08:30:00Z, not {value!r}."
        )
    return moment
