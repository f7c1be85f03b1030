"""Which executions are kept no longer, and their removal in small batches that leave the queue alone.

How long one is kept is worked out when it is looked for, so that a changed setting holds for all that have ended:
its own word, else its flow's, else the project's, else the workspace's. Nothing that lives is ever removed.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from executions.database import fetch
from executions.hour_counts import KEPT_DAYS, lock_figures
from executions.lifecycle import Status
from executions.models import Execution
from projects.retention import MOST_DAYS, OUTCOMES
from records import configuration
from records.purging import StillNeeded, TooMuchAtOnce, offer_remover

BATCH = 250  # executions in one transaction
_PIECE = 5_000  # log lines and the like in one statement
_STATUS = {
    "success": Status.ENDED_SUCCESS,
    "error": Status.ENDED_ERROR,
    "cancelled": Status.ENDED_CANCELLED,
}
_OUTCOME = {str(status): outcome for outcome, status in _STATUS.items()}


@dataclass(frozen=True)
class Expiry:
    """When an execution is removed (None: never, or its end is not known yet), and who says so."""

    at: datetime | None
    said_by: str  # execution, flow, project or workspace
    days: float | None = None


def workspace_days() -> dict[str, float]:
    """Return the days that the workspace keeps what ended so; 0 for ever."""
    return {outcome: configuration.value(f"RETENTION_{outcome.upper()}_DAYS") for outcome in OUTCOMES}


def expiry_of(execution: Execution) -> Expiry:
    """Return when this execution expires."""
    if execution.expires_at or execution.retention_seconds is not None:
        return Expiry(execution.expires_at, "execution")
    outcome = _OUTCOME.get(execution.status)
    if outcome is None:
        return Expiry(None, "workspace")
    flow = execution.flow
    project = flow.project if flow else execution.project
    for said_by, given in (("flow", flow.retention if flow else {}), ("project", project.retention)):
        if outcome in given:
            return _after(execution, given[outcome], said_by)
    return _after(execution, workspace_days()[outcome], "workspace")


def _after(execution: Execution, days: float, said_by: str) -> Expiry:
    ended_at = execution.ended_at
    return Expiry(ended_at + timedelta(days=days) if days and ended_at else None, said_by, days)


# -- Finding --------------------------------------------------------------------------------------------------

# One look into the index per flow or project and outcome, whatever lies beside it and is kept for longer.
_EXPIRED = """
WITH outcome(status, word, days) AS (VALUES
    ('ENDED_SUCCESS', 'success', %(success)s::float8), ('ENDED_ERROR', 'error', %(error)s::float8),
    ('ENDED_CANCELLED', 'cancelled', %(cancelled)s::float8)
), policy AS (
    SELECT f.id AS owner, o.status,
        coalesce((f.retention->>o.word)::float8, (p.retention->>o.word)::float8, o.days) AS days
    FROM flows_flow f JOIN projects_project p ON p.id = f.project_id CROSS JOIN outcome o
    UNION ALL
    SELECT p.id, o.status, coalesce((p.retention->>o.word)::float8, o.days)
    FROM projects_project p CROSS JOIN outcome o
)
SELECT e.id FROM policy CROSS JOIN LATERAL (
    SELECT id FROM executions_execution x
    WHERE coalesce(x.flow_id, x.project_id) = policy.owner AND x.status = policy.status
        AND x.ended_at < now() - policy.days * interval '1 day' AND x.ended_at IS NOT NULL AND x.expires_at IS NULL
    ORDER BY x.ended_at LIMIT %(most)s
) e WHERE policy.days > 0 LIMIT %(most)s
"""
_BY_THEIR_OWN_WORD = """
SELECT id FROM executions_execution WHERE expires_at < now() AND ended_at IS NOT NULL
ORDER BY expires_at LIMIT %(most)s
"""
_LONG_IN_THE_TRASH = """
SELECT id FROM executions_execution WHERE deleted_at < now() - %(days)s * interval '1 day'
    AND (ended_at IS NOT NULL OR status = 'CREATED') ORDER BY deleted_at LIMIT %(most)s
"""


def find_expired(most: int) -> list[UUID]:
    """Return executions that are to be removed, up to `most`."""
    found = fetch(_EXPIRED, {**workspace_days(), "most": most})
    found += fetch(_BY_THEIR_OWN_WORD, {"most": most})
    days = configuration.value("TRASH_DAYS")
    if days:
        found += fetch(_LONG_IN_THE_TRASH, {"most": most, "days": days})
    return list(dict.fromkeys(row[0] for row in found))[:most]


# -- Removing -------------------------------------------------------------------------------------------------


def remove_executions(ids: list[UUID]) -> Iterator[int]:
    """Remove these executions with all that belongs to them, those that live excepted.

    Yields after each of its short transactions how many executions that removed, so that a caller may rest or stop.
    """
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        for table in ("executions_logline", "executions_savepoint", "executions_transition"):
            while _trim(table, some) == _PIECE:
                yield 0
        yield _remove(some)


def _trim(table: str, ids: list[UUID]) -> int:
    """Remove some of the rows that belong to those of these executions that live no more."""
    return len(
        fetch(
            f"""
            DELETE FROM {table} WHERE id = ANY(ARRAY(
                SELECT t.id FROM {table} t JOIN executions_execution e ON e.id = t.execution_id
                WHERE t.execution_id = ANY(%(ids)s) AND (e.ended_at IS NOT NULL OR e.status = 'CREATED')
                LIMIT %(most)s
            )) RETURNING 1
            """,
            {"ids": ids, "most": _PIECE},
        )
    )


_LOCK = """
SELECT id FROM executions_execution WHERE id = ANY(%s) AND (ended_at IS NOT NULL OR status = 'CREATED')
ORDER BY id FOR UPDATE SKIP LOCKED
"""
# What charts still show stays in their figures.
_NOTE_FIGURES = """
INSERT INTO executions_hourcount (project_id, hour, status, counted, removed)
SELECT project_id, date_trunc('hour', created_at, 'UTC') AS hour, status, 0, count(*) FROM executions_execution
WHERE id = ANY(%(ids)s) AND ended_at IS NOT NULL AND created_at > now() - %(days)s * interval '1 day'
GROUP BY project_id, hour, status ORDER BY project_id, hour, status
ON CONFLICT (project_id, hour, status) DO UPDATE SET removed = executions_hourcount.removed + excluded.removed,
    counted = greatest(executions_hourcount.counted - excluded.removed, 0)
"""


def _remove(ids: list[UUID]) -> int:
    with transaction.atomic():
        ids = [row[0] for row in fetch(_LOCK, (ids,))]
        if ids:
            lock_figures(alone=False)
            fetch(_NOTE_FIGURES, {"ids": ids, "days": KEPT_DAYS + 1})
            # By Django, which knows what other parts have pointing here.
            Execution.objects.filter(pk__in=ids).only("pk").delete()
    return len(ids)


def _remove_rows(rows: "QuerySet[Any]", until: float) -> None:
    """Remove these rows on somebody's word, batch by batch. Raises StillNeeded for those that live."""
    living = rows.filter(ended_at=None).exclude(status=Status.CREATED)
    if (one := living.only("name").first()) is not None:
        raise StillNeeded(f"The execution {one.name!r} lives. Cancel it first.")
    while keys := list(rows.values_list("pk", flat=True)[: 4 * BATCH]):
        removed = 0
        for number in remove_executions(keys):
            removed += number
            if time.monotonic() > until:
                raise TooMuchAtOnce
        if not removed:
            raise StillNeeded("Somebody else is changing these executions. Try again.")


offer_remover(Execution, _remove_rows)


_FREE_PAYLOADS = "SELECT sha256 FROM executions_payload p WHERE {unused} LIMIT %s FOR UPDATE SKIP LOCKED"
_UNUSED = "NOT EXISTS (SELECT 1 FROM executions_savepoint s WHERE s.payload_id = p.sha256)"


def remove_payloads(most: int = BATCH) -> int:
    """Remove recorded values that no savepoint needs any more, up to `most`; returns how many."""
    with transaction.atomic():
        found = [row[0] for row in fetch(_FREE_PAYLOADS.format(unused=_UNUSED), (most,))]
        # A statement of its own after the lock: only then does it see who took one up meanwhile.
        fetch(f"DELETE FROM executions_payload p WHERE sha256 = ANY(%s) AND {_UNUSED}", (found,))
    return len(found)


def own_expiry(
    expires_at: datetime | None, seconds: float | None, ended_at: datetime | None
) -> dict[str, Any]:
    """Return the columns of an own expiry: a moment, or so many seconds after the end; without both, none of its own.

    Raises ValidationError.
    """
    if seconds is not None and not 0 <= seconds <= MOST_DAYS * 86_400:
        raise ValidationError(
            {"retention_seconds": f"Give a number of seconds from 0 to {MOST_DAYS * 86_400:,}."}
        )
    if expires_at is None and seconds is not None and ended_at is not None:
        expires_at = ended_at + timedelta(seconds=seconds)
    return {"expires_at": expires_at, "retention_seconds": seconds}
