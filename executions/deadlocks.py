"""Waits that would never be over, as those who wait stand in a circle: found before the last of them begins to wait.

An execution waits for others to end, or for whoever holds a lock. Waits with a time limit end by themselves and are
no part of a circle; nor are those for the first of several, unless one is left.
"""

from typing import Any
from uuid import UUID

from executions.calls.base import Caller, CallRefused, names_of
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

Edge = tuple[UUID, UUID, UUID | None]  # who waits for whom, and the setting if it is for a lock


def refuse_circle(caller: Caller, targets: list[UUID], setting: UUID | None = None) -> None:
    """Raise CallRefused, naming all who wait for each other, if the caller could never stop waiting for `targets`.

    `setting`: whose lock the target holds. To be called in the transaction that writes the wait down: two that
    would close a circle together look one after the other.
    """
    fetch("SELECT pg_advisory_xact_lock(%s, 0)", (_ONE_AT_A_TIME,))
    edges = fetch(_WAITS, {"waiter": caller.id, "targets": targets, "setting": setting})
    if not edges:
        return
    circle = _circle([(row[0], row[1], row[2]) for row in edges], caller.id)
    kind = "LockDeadlockError" if any(each[2] for each in circle) else "DeadlockError"
    words, data = _told(circle, caller)
    raise CallRefused(kind, words, data)


def _circle(edges: list[Edge], start: UUID) -> list[Edge]:
    """Return the shortest way from `start` back to it; there is one."""
    ways: list[list[Edge]] = [[]]
    seen: set[Edge] = set()
    while True:
        longer = []
        for way in ways:
            end = way[-1][1] if way else start
            for edge in edges:
                if edge[0] != end or edge in seen:
                    continue
                if edge[1] == start:
                    return [*way, edge]
                seen.add(edge)
                longer.append([*way, edge])
        ways = longer


def _told(circle: list[Edge], caller: Caller) -> tuple[str, dict[str, Any]]:
    """Return the circle in words, and as data."""
    names = names_of([waiter for waiter, _, _ in circle], caller.user)
    ids = [setting for _, _, setting in circle if setting]
    settings = dict(fetch("SELECT id, name FROM projects_setting WHERE id = ANY(%s)", (ids,)))

    def name(key: UUID) -> str:
        return "this execution" if key == caller.id else f"{names[key]} ({key})"

    words, data = [], []
    for waiter, target, setting in circle:
        held = f"the lock of {settings[setting]!r}, which {name(target)} holds" if setting else ""
        words.append(f"{name(waiter)} waits for {held or f'the end of {name(target)}'}")
        lock = settings[setting] if setting else None
        data.append({"execution_id": waiter, "waits_for": target, "setting": lock})
    return f"This wait would never be over: {'; '.join(words)}.", {"circle": data}
