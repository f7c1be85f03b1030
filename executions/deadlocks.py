"""Waits that would never be over, as those who wait stand in a circle: found before the last of them begins to wait.

An execution waits for others to end, or for whoever holds a lock. Waits with a time limit end by themselves and are
no part of a circle; nor are those for the first of several, unless one is left.
"""

from typing import Any
from uuid import UUID

from executions.calls.base import CallRefused
from executions.database import fetch
from executions.lifecycle import Status

WAITING = frozenset({Status.WAITING_FOR_DEPENDENCY, Status.WAITING_FOR_LOCK})
_ONE_AT_A_TIME = 0x456E68  # the first key of the advisory lock, next to that of the leases

# Whoever waits now, from those that are to be waited for on. Rows are (waiter, target, setting of the lock).
_WAITS = """
WITH RECURSIVE waits(waiter, target, setting) AS (
    SELECT %(waiter)s::uuid, unnest(%(targets)s::uuid[]), %(setting)s::uuid
    UNION
    SELECT e.id, further.target, further.setting
    FROM waits JOIN executions_execution e ON e.id = waits.target AND e.ready_at IS NULL
        AND e.cancel_requested_at IS NULL
    CROSS JOIN LATERAL (
        SELECT w.target_id, NULL::uuid FROM executions_wait w
        WHERE w.waiter_id = e.id AND e.status = 'WAITING_FOR_DEPENDENCY'
        AND (e.waiting_for->>'return_when' <> 'FIRST_ENDED' OR e.waiting_for->'count' = '1')
        UNION ALL
        SELECT held.execution_id, place.setting_id FROM executions_lock place
        JOIN executions_lock held ON held.setting_id = place.setting_id AND held.since IS NOT NULL
        WHERE place.execution_id = e.id AND place.since IS NULL AND e.status = 'WAITING_FOR_LOCK'
    ) AS further(target, setting)
)
SELECT waiter, target, setting FROM waits WHERE EXISTS (SELECT 1 FROM waits WHERE target = %(waiter)s)
"""

Wait = tuple[UUID, UUID, UUID | None]


def refuse_circle(waiter: UUID, targets: list[UUID], setting: UUID | None = None) -> None:
    """Raise CallRefused, naming all who wait for each other, if `waiter` could never stop waiting for `targets`.

    `setting`: whose lock the target holds. To be called in the transaction that writes the wait down: two that
    would close a circle together look one after the other.
    """
    fetch("SELECT pg_advisory_xact_lock(%s, 0)", (_ONE_AT_A_TIME,))
    waits = fetch(_WAITS, {"waiter": waiter, "targets": targets, "setting": setting})
    if not waits:
        return
    circle = _circle([(row[0], row[1], row[2]) for row in waits], waiter)
    kind = "LockDeadlockError" if any(each[2] for each in circle) else "DeadlockError"
    words, data = _told(circle)
    raise CallRefused(kind, words, data)


def _circle(waits: list[Wait], start: UUID) -> list[Wait]:
    """Return the shortest way from `start` back to it."""
    ways: list[list[Wait]] = [[]]
    seen = set()
    while True:
        longer = []
        for way in ways:
            end = way[-1][1] if way else start
            for each in waits:
                if each[0] != end or each in seen:
                    continue
                seen.add(each)
                if each[1] == start:
                    return [*way, each]
                longer.append([*way, each])
        assert longer, "the query has found that there is one"
        ways = longer


def _told(circle: list[Wait]) -> tuple[str, dict[str, Any]]:
    """Return the circle in words, and as data."""
    executions = _names("executions_execution", [waiter for waiter, _, _ in circle])
    settings = _names("projects_setting", [setting for _, _, setting in circle if setting])

    def name(key: UUID) -> str:
        return "this execution" if key == circle[0][0] else f"{executions[key]!r} ({key})"

    words, data = [], []
    for waiter, target, setting in circle:
        held = f"the lock of {settings[setting]!r}, which {name(target)} holds" if setting else ""
        words.append(f"{name(waiter)} waits for {held or f'the end of {name(target)}'}")
        data.append(
            {
                "execution_id": waiter,
                "name": executions[waiter],
                "waits_for": target,
                "setting": settings[setting] if setting else None,
            }
        )
    return f"This wait would never be over: {'; '.join(words)}.", {"circle": data}


def _names(table: str, ids: list[UUID]) -> dict[UUID, str]:
    return dict(fetch(f"SELECT id, name FROM {table} WHERE id = ANY(%s)", (ids,)))
