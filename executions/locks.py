"""The locks of settings: who holds one, who queues for it, and who is next. Calls of flows and ends of executions
come here, in their transactions; what is returned are the executions that hold a lock now and must be woken.

Nobody but the execution that holds a lock can give it up: by releasing it, or by ending in whatever way. Rows are
locked in one order: executions, then settings, then the execution that is next. The lock on the setting's row makes
those who come and those who leave see each other.
"""

from uuid import UUID

from executions.database import fetch

_SETTING = "SELECT id, name, project_id FROM projects_setting WHERE {} FOR NO KEY UPDATE"


def lock_setting(select: UUID | str) -> tuple[UUID, str, UUID] | None:
    """Lock the setting with this name (outside the trash) or id for the caller's transaction.

    Returns its id, name and project; None when there is none.
    """
    condition = "id = %s" if isinstance(select, UUID) else "name = %s AND deleted_at IS NULL"
    rows = fetch(_SETTING.format(condition), (select,))
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else None


# A statement of its own after the lock: only then does it see what others did meanwhile.
_TAKE = """
INSERT INTO executions_lock AS mine (setting_id, execution_id, depth, at, since)
SELECT %(setting)s, %(execution)s, 1, clock_timestamp(), CASE WHEN EXISTS (
    SELECT 1 FROM executions_lock l
    WHERE l.setting_id = %(setting)s AND l.since IS NOT NULL AND l.execution_id <> %(execution)s
) THEN NULL ELSE clock_timestamp() END
ON CONFLICT (execution_id, setting_id) DO UPDATE
SET depth = mine.depth + (mine.since IS NOT NULL)::int, since = coalesce(mine.since, excluded.since)
RETURNING since IS NOT NULL
"""


def take(setting_id: UUID, execution_id: UUID) -> bool:
    """Take the lock, once more if it is held already; else queue for it, where the place is kept.

    Tells whether it is held. The rows of the execution and of the setting must be locked.
    """
    return bool(fetch(_TAKE, {"setting": setting_id, "execution": execution_id})[0][0])


def holds(setting_id: UUID, execution_id: UUID) -> bool:
    """Tell whether the execution holds the lock."""
    return bool(
        fetch(
            "SELECT 1 FROM executions_lock WHERE execution_id = %s AND setting_id = %s AND since IS NOT NULL",
            (execution_id, setting_id),
        )
    )


def leave_queue(setting_id: UUID, execution_id: UUID) -> None:
    """Give up the place in the queue of this lock. The execution's row must be locked."""
    fetch(
        "DELETE FROM executions_lock WHERE execution_id = %s AND setting_id = %s AND since IS NULL",
        (execution_id, setting_id),
    )


def holder(setting_id: UUID) -> UUID:
    """Return the execution that holds the lock, which another one has just failed to take in this transaction."""
    held = fetch(
        "SELECT execution_id FROM executions_lock WHERE setting_id = %s AND since IS NOT NULL", (setting_id,)
    )
    found: UUID = held[0][0]
    return found


# By what it holds, not by what there is: the setting may be in the trash by now, and another have its name.
_RELEASE = """
WITH chosen AS (
    SELECT l.id FROM executions_lock l JOIN projects_setting s ON s.id = l.setting_id
    WHERE l.execution_id = %s AND l.since IS NOT NULL AND {} = %s ORDER BY s.deleted_at NULLS FIRST LIMIT 1
), given_up AS (
    DELETE FROM executions_lock WHERE id = (SELECT id FROM chosen) AND depth = 1 RETURNING setting_id
), kept AS (
    UPDATE executions_lock SET depth = depth - 1 WHERE id = (SELECT id FROM chosen) AND depth > 1 RETURNING setting_id
)
SELECT setting_id, true FROM given_up UNION ALL SELECT setting_id, false FROM kept
"""


def release(execution_id: UUID, select: UUID | str) -> tuple[UUID | None, list[UUID]]:
    """Give a lock back that was taken once, selected by the id or name of its setting.

    Returns the setting, None if this execution does not hold its lock, and whoever holds the lock now instead.
    """
    column = "s.id" if isinstance(select, UUID) else "s.name"
    rows = fetch(_RELEASE.format(column), (execution_id, select))
    if not rows:
        return None, []
    setting_id, is_given_up = rows[0]
    return setting_id, _hand_on([setting_id]) if is_given_up else []


def free_locks(ids: list[UUID]) -> list[UUID]:
    """Take these ended executions out of all queues and hand on the locks that they held; returns the new holders."""
    left = fetch(
        "DELETE FROM executions_lock WHERE execution_id = ANY(%s) RETURNING setting_id, since IS NOT NULL",
        (ids,),
    )
    return _hand_on([setting_id for setting_id, was_held in left if was_held])


_HELD_THEN = """
SELECT (value->>'setting_id')::uuid, sum(CASE call WHEN 'lock.acquire' THEN 1 ELSE -1 END)::int
FROM executions_savepoint WHERE execution_id = %s AND call IN ('lock.acquire', 'lock.release')
AND NOT is_pending AND value->>'setting_id' IS NOT NULL GROUP BY 1
"""


def go_back(execution_id: UUID) -> list[UUID]:
    """Give up what the execution, taken back to its newest savepoint, did not hold then; returns the new holders.

    What it held then and has released since stays released: others may hold it.
    """
    held_then = {setting_id: depth for setting_id, depth in fetch(_HELD_THEN, (execution_id,)) if depth > 0}
    left = fetch(
        "DELETE FROM executions_lock WHERE execution_id = %s AND (since IS NULL OR setting_id <> ALL(%s::uuid[]))"
        " RETURNING setting_id, since IS NOT NULL",
        (execution_id, list(held_then)),
    )
    for setting_id, depth in held_then.items():
        fetch(
            "UPDATE executions_lock SET depth = %s WHERE execution_id = %s AND setting_id = %s",
            (depth, execution_id, setting_id),
        )
    return _hand_on([setting_id for setting_id, was_held in left if was_held])


# A paused execution is passed over, and so is one that ends: it keeps its place, and takes the lock up itself.
_FIRST = """
SELECT l.id, l.execution_id FROM executions_lock l JOIN executions_execution e ON e.id = l.execution_id
WHERE l.setting_id = %s AND l.since IS NULL AND e.status <> 'PAUSED' AND e.ended_at IS NULL
AND e.cancel_requested_at IS NULL
ORDER BY l.id LIMIT 1 FOR NO KEY UPDATE OF e
"""


def _hand_on(settings: list[UUID]) -> list[UUID]:
    holders: list[UUID] = []
    for setting_id in sorted(settings):
        lock_setting(setting_id)
        while first := fetch(_FIRST, (setting_id,)):
            lock_id, execution_id = first[0]
            # It may have left the queue while its row was waited for.
            if fetch(
                "UPDATE executions_lock SET since = clock_timestamp() WHERE id = %s RETURNING 1", (lock_id,)
            ):
                holders.append(execution_id)
                break
    return holders
