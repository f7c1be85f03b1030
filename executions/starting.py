"""Starting an execution: what may be asked for, how it is checked, and the row that is written.

Doors, flows, schedules and webhooks come here with a `Start`. What is done with an execution that is there already
stands in `executions.operations`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from access import audit
from access.identities import holder_of, roles_to_pass_on
from access.models import IdentityKind
from access.permissions import Operation, PermissionRefused, may_in_project, require
from connectors.models import Connector
from connectors.types import MODULES
from connectors.types.base import Inputs
from executions import moves
from executions.database import together
from executions.lifecycle import Status
from executions.models import Execution, SavepointRetention
from executions.reading import as_execution, reading
from executions.retention import own_expiry
from executions.sealed_inputs import seal_inputs, secret_inputs_of, store_sealed
from executions.wrapping import wrap
from flows.models import Flow, Script, Wrapper
from projects.models import Project
from records.forms import find_faults, in_words
from records.identifiers import uuid7
from records.models import NAME_LENGTH


class KeyReused(Exception):
    """The idempotency key was used before, for a request that asked for something else."""


@dataclass(frozen=True)
class Start:
    """What is to be started and how. Exactly one of `flow`, `script`, `connector`, `connector_type` and `wrapper`.

    `roles` (names or ids) are the roles it acts with, among those that its starter holds and that propagate; None
    stands for all of them. Its starter is whoever `by` is: a user, another execution (whose roles it then has at
    most), or a webhook or schedule (`access.identities.identity_for`, whose owner becomes `created_by`).

    The execution of a schedule itself (`is_schedule`) has a script or none; `schedule_id` alone says which schedule
    starts it.
    """

    flow: Flow | None = None
    script: str | None = None
    connector: Connector | None = None
    connector_type: str = ""
    secret_inputs: Inputs = field(default_factory=dict, repr=False)  # of a connection, besides `inputs`
    wrapper: Wrapper | None = None  # with inputs that say what it wraps: see `executions.wrapping`
    # To run through: [{"name", "inputs"}], the outermost first; and those of flow or connector unless `unwrapped`.
    wrappers: Sequence[Mapping[str, Any]] = ()
    unwrapped: bool = False
    schedule_id: UUID | None = None
    is_schedule: bool = False
    inputs: dict[str, Any] | None = None
    name: str = ""
    description: str = ""
    project: Project | None = None
    is_productive: bool = True
    priority: int | None = None
    scheduled_for: datetime | None = None
    max_runtime_minutes: float | None = None
    run: bool = True
    is_paused: bool = False  # from the beginning: resuming lets it start
    parent: Execution | None = None
    orphan: bool = True
    rerun_of: UUID | None = None
    roles: Collection[Any] | None = None
    idempotency_key: str | None = None
    idempotency_digest: str | None = None  # of the request: the same key must come with the same one
    script_hash: str | None = None  # a pinned script that is not the flow's present one
    flow_version: int | None = None
    savepoint_retention: str | None = None
    retention_seconds: float | None = None
    seed: UUID | None = None
    forked_from: UUID | None = None


def start_execution(start: Start, *, by: Any, origin: str) -> tuple[Execution, bool]:
    """Write an execution down and queue it. Returns it and whether it is new (an idempotency key may find one).

    Raises ValidationError naming the field, PermissionRefused, KeyReused.
    """
    columns, status = prepare(start, by=by, origin=origin)
    try:
        *_, written = together(
            [*moves.creation(status, columns, also=start_noted(columns, by)), reading(columns["id"])]
        )
    except IntegrityError:
        found = find_started(start.idempotency_key, start.idempotency_digest, by=by)
        if found is None:
            raise
        return found, False
    return as_execution(written), True


def start_noted(columns: dict[str, Any], by: Any) -> tuple[str, dict[str, Any]] | None:
    """Return the audit entry of a start by a person; what flows, webhooks and schedules start tells of itself."""
    if by.acting is not None:
        return None
    values = audit.entry(
        "start",
        by=by,
        record_type="execution",
        record_id=columns["id"],
        name=columns["name"],
        project_id=columns["project_id"],
    )
    return audit.PART, values


def find_started(key: str | None, digest: str | None, *, by: Any) -> Execution | None:
    """Return the execution that this user started with this idempotency key. Raises KeyReused.

    Doors ask before they look anything up: a repeated request is answered though its flow is gone by now.
    """
    if key is None:
        return None
    found: Execution | None = Execution.objects.filter(created_by=by, idempotency_key=key).first()
    if found is not None and found.idempotency_digest != digest:
        raise KeyReused(
            "This Idempotency-Key was used for another request. Send a new key with a new request."
        )
    return found


def prepare(start: Start, *, by: Any, origin: str) -> tuple[dict[str, Any], Status]:
    """Check a start and return the columns of its row and its first status, for `moves.create`. Writes nothing.

    "script_text" is among them when the script may not be stored yet.
    """
    if wanted := start.flow or start.connector:
        require(by, Operation.RUN, wanted)
    if start.connector_type not in ("", *MODULES):
        raise ValidationError({"connector_type": f"Give one of: {', '.join(MODULES)}."})
    start = wrap(start, by)
    project_id = _place(start, by)
    roles = roles_to_pass_on(by, start.roles)
    starter_kind, starter_id = holder_of(by)
    is_users = starter_kind == IdentityKind.USER
    if start.forked_from is None:  # a fork's input was good when it was given
        _check_input(start)
    if start.scheduled_for and timezone.is_naive(start.scheduled_for):
        raise ValidationError(
            {"scheduled_for": "Give the time with a zone, for example 2030-01-31T08:30:00Z."}
        )
    flow, wrapper, connector = start.flow, start.wrapper, start.connector
    kept = flow or wrapper
    connector_type = connector.connector_type if connector else start.connector_type
    script_hash, script_text = start.script_hash, None
    if script_hash is None and kept:
        script_hash = kept.pinned_id
    elif script_hash is None and not connector_type and not start.is_schedule:
        script_text = _script_text(start)
        script_hash = Script.digest(script_text)
    elif script_hash and start.script:  # of another execution, which may be removed meanwhile
        script_text = start.script
    if start.is_paused and not start.run:
        raise ValidationError(
            {"is_paused": "Give is_paused=true or run=false, not both: neither lets it begin."}
        )
    if start.savepoint_retention not in (None, *SavepointRetention.values):
        allowed = ", ".join(SavepointRetention.values)
        raise ValidationError({"savepoint_retention": f"Give one of: {allowed}."})
    named = kept or connector
    name = start.name.strip() or (named.name if named else connector_type or "script")
    runtime = start.max_runtime_minutes
    if runtime is None and flow:
        runtime = flow.max_runtime_minutes
    if runtime is not None and not 0 < runtime <= 5_256_000:
        raise ValidationError(
            {"max_runtime_minutes": "Give a number of minutes above 0 and up to ten years."}
        )
    priority = start.priority if start.priority is not None else (flow.priority if flow else 0)
    if not -32768 <= priority <= 32767:
        raise ValidationError({"priority": "Give a whole number from -32768 to 32767; higher runs sooner."})
    execution_id = uuid7()
    columns = {
        "id": execution_id,
        "name": name[:NAME_LENGTH],
        "description": start.description,
        "type": str(_type(start)),
        "project_id": project_id,
        "flow_id": flow.pk if flow else None,
        "flow_version": start.flow_version or (flow.version if flow else None),
        "script_id": script_hash,
        "connector_id": connector.pk if connector else None,
        "connector_type": connector_type,
        "schedule_id": start.schedule_id,
        "is_productive": start.is_productive,
        "priority": priority,
        "input_value": start.inputs,
        "message": "",
        "origin": str(origin),
        "created_by_id": by.pk,
        "roles": roles,
        "starter_kind": "" if is_users else starter_kind,
        "starter_id": None if is_users else starter_id,
        "parent_id": start.parent.pk if start.parent else None,
        "root_id": (start.parent.root_id or start.parent.pk) if start.parent else execution_id,
        "orphan": start.orphan,
        "rerun_of_id": start.rerun_of,
        "seed": start.seed or uuid4(),
        "forked_from_id": start.forked_from,
        "savepoint_retention": start.savepoint_retention or str(SavepointRetention.UNTIL_EXPIRY),
        "reason": "",
        "attempt": 0,
        "host_id": None,
        "scheduled_for": start.scheduled_for,
        "max_runtime_minutes": runtime,
        "idempotency_key": start.idempotency_key,
        "idempotency_digest": start.idempotency_digest,
    }
    if script_text is not None:
        columns["script_text"] = script_text
    if wrapper:
        columns["wrapper_id"] = wrapper.pk
    if connector_type:
        seal_inputs(columns, start.secret_inputs)
    elif start.secret_inputs:  # of a connection that is wrapped
        store_sealed(columns, start.secret_inputs)
    if start.retention_seconds is not None:
        columns |= own_expiry(None, start.retention_seconds, None)
    return columns, _first_status(start)


def _type(start: Start) -> Execution.Type:
    if start.is_schedule:
        return Execution.Type.SCHEDULE
    if start.wrapper:
        return Execution.Type.WRAPPER
    if start.connector or start.connector_type:
        return Execution.Type.CONNECTION
    return Execution.Type.FLOW if start.flow else Execution.Type.SCRIPT


def _first_status(start: Start) -> Status:
    if not start.run:
        return Status.CREATED
    if start.is_paused:
        return Status.PAUSED
    if start.scheduled_for and start.scheduled_for > timezone.now():
        return Status.SCHEDULED
    return Status.QUEUED


def _script_text(start: Start) -> str:
    if not start.script or not start.script.strip():
        raise ValidationError({"script": "Give a flow (flow_id or flow_name) or a script."})
    if "\0" in start.script:
        raise ValidationError({"script": "A script may not contain null characters."})
    return start.script


def _place(start: Start, by: Any) -> UUID:
    """Return the project the execution runs in: the given one, else the flow's, else the parent's, else Default."""
    used = start.flow or start.connector
    if start.project is not None:
        project_id = start.project.pk
    elif used is not None:
        project_id = used.project_id
    elif start.parent is not None:
        project_id = start.parent.project_id
    else:
        project_id = Project.default_id()
    if not may_in_project(by, Operation.CREATE, project_id, Execution):
        raise PermissionRefused("You need CREATE permission on executions in the project it is to run in.")
    return project_id


def _check_input(start: Start) -> None:
    if start.inputs is not None and not isinstance(start.inputs, dict):
        raise ValidationError({"input_value": 'Give an object, for example {"name": "value"}.'})
    schema = start.flow.input_schema if start.flow else None
    if schema is None:
        return
    if faults := find_faults(schema, start.inputs or {}):
        raise ValidationError({"input_value": in_words(faults, "inputs")}, code="input_invalid")


def like(execution: Execution, *, by: Any) -> Start:
    """Return the start of another execution with the same script, inputs and options.

    Whoever started it keeps the roles it has, as far as they are still held; somebody else runs it with their own.
    Raises ValidationError for the execution of a schedule, of which there is one.
    """
    if execution.type == Execution.Type.SCHEDULE:
        raise ValidationError("The execution of a schedule cannot be repeated: the schedule keeps one alive.")
    starter = (
        execution.starter_kind or IdentityKind.USER.value,
        execution.starter_id or execution.created_by_id,
    )
    passed_on = roles_to_pass_on(by)
    roles = execution.roles if starter == holder_of(by) else None
    if roles is not None and passed_on is not None:
        roles = [key for key in roles if key in passed_on]
    return Start(
        flow=execution.flow,
        wrapper=execution.wrapper,
        unwrapped=True,  # if it was wrapped, that was another execution
        script=execution.script.text if execution.script else None,
        script_hash=execution.script_id,
        connector=execution.connector,
        connector_type=execution.connector_type,
        secret_inputs=secret_inputs_of(execution),
        flow_version=execution.flow_version,
        inputs=execution.input_value,
        name=execution.name,
        description=execution.description,
        project=execution.project,
        is_productive=execution.is_productive,
        priority=execution.priority,
        max_runtime_minutes=execution.max_runtime_minutes,
        savepoint_retention=execution.savepoint_retention,
        roles=roles,
        retention_seconds=execution.retention_seconds,
    )


def try_connector(connector: Connector, *, by: Any, origin: str) -> Execution:
    """Start a connection that does something harmless, to see whether the connector works: without its wrappers."""
    start = Start(
        connector=connector, inputs={"trial": True}, name=f"Test of {connector.name}", unwrapped=True
    )
    return start_execution(start, by=by, origin=origin)[0]
