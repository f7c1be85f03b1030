"""What a host is told of an execution that it is to run."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from executions.database import fetch, from_jsonb
from executions.lifecycle import Status
from executions.models import SavepointRetention


@dataclass(frozen=True)
class Assignment:
    """What a host needs to run one execution."""

    id: UUID
    attempt: int
    name: str
    type: str
    status: str
    script_id: str | None
    script: str | None
    inputs: dict[str, Any] | None
    project_id: UUID
    project_name: str
    parent_id: UUID | None
    is_productive: bool
    created_by_id: UUID | None
    roles: list[UUID] | None
    starter_kind: str
    starter_id: UUID | None
    user_name: str | None
    user_email: str | None
    flow_id: UUID | None
    max_runtime_minutes: float | None
    deadline_in: float | None
    cancel_requested: bool
    pause_requested: bool
    seed: UUID
    root_id: UUID
    keeps_savepoints: bool
    has_journal: bool
    connector_id: UUID | None
    connector_type: str
    sealed_inputs: str | None
    secrets_used: list[UUID]  # the connectors whose secrets were used in its tree
    losses: int  # how often its host was lost


# From rows of executions, be it the table or what a statement has just moved.
ASSIGNMENTS = """
SELECT e.id, e.attempt, e.name, e.type, e.status, e.script_id, s.text, e.input_value, e.project_id, p.name,
    e.parent_id, e.is_productive, e.created_by_id, e.roles, e.starter_kind, e.starter_id,
    u.username, u.email, e.flow_id, e.max_runtime_minutes,
    extract(epoch FROM e.deadline_at - clock_timestamp())::float8, e.cancel_requested_at IS NOT NULL,
    e.pause_requested_at IS NOT NULL, e.seed, coalesce(e.root_id, e.id), e.savepoint_retention <> 'none',
    e.attempt > 1 OR e.forked_from_id IS NOT NULL,
    e.connector_id, e.connector_type, e.sealed_inputs,
    ARRAY(SELECT connector_id FROM connectors_secretuse u WHERE u.root_id = coalesce(e.root_id, e.id)), e.losses
FROM {rows} e JOIN projects_project p ON p.id = e.project_id
LEFT JOIN flows_script s ON s.sha256 = e.script_id LEFT JOIN access_user u ON u.id = e.created_by_id
"""
_HELD = (
    ASSIGNMENTS.format(rows="executions_execution")
    + "WHERE e.id = ANY(%s) AND e.host_id = %s AND e.status = 'RUNNING'"
)


def assignments(host_id: int, ids: list[UUID]) -> list[Assignment]:
    """Return what is needed to run these executions, for those that this host really holds."""
    return assigned(fetch(_HELD, (ids, host_id)))


def assigned(rows: list[tuple[Any, ...]]) -> list[Assignment]:
    """Return what rows of ASSIGNMENTS say."""
    return [Assignment(*row[:7], *(from_jsonb(row[7]), *row[8:])) for row in rows]


def assignment_of_child(parent: Assignment, columns: dict[str, Any]) -> Assignment | None:
    """Return the same of a child that was just begun beside its parent, from the columns of its row.

    None when more must be read. The secrets that were used in its tree are known where its parent runs.
    """
    alike = ("project_id", "created_by_id")
    if any(columns[name] != getattr(parent, name) for name in alike):
        return None
    runtime = columns["max_runtime_minutes"]
    script = columns.get("script_text")
    if script is None and columns["script_id"] is not None:
        script = _script_text(columns["script_id"])
    return Assignment(
        **{name: columns[name] for name in _SAME},
        status=str(Status.RUNNING),
        script=script,
        inputs=columns["input_value"],
        project_name=parent.project_name,
        user_name=parent.user_name,
        user_email=parent.user_email,
        deadline_in=None if runtime is None else runtime * 60.0,
        cancel_requested=False,
        pause_requested=False,
        keeps_savepoints=columns["savepoint_retention"] != SavepointRetention.NONE,
        has_journal=False,
        sealed_inputs=columns.get("sealed_inputs"),
        secrets_used=[],
        losses=0,
    )


_SAME = (
    "id", "attempt", "name", "type", "script_id", "project_id", "parent_id", "is_productive", "created_by_id",
    "roles", "starter_kind", "starter_id", "flow_id", "max_runtime_minutes", "seed", "root_id", "connector_id",
    "connector_type",
)  # fmt: skip


@lru_cache(maxsize=128)
def _script_text(sha256: str) -> str | None:
    """Return a stored script; one never changes."""
    rows = fetch("SELECT text FROM flows_script WHERE sha256 = %s", (sha256,))
    return rows[0][0] if rows else None
