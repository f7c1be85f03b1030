"""What must be true of the executions in the database whatever happened before: checked in SQL after tests.

Tests call `broken_invariants` (or `check_invariants`, which raises). Nothing here changes a row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from executions.database import fetch
from executions.lifecycle import Status, may_move

_FINAL = "('ENDED_SUCCESS', 'ENDED_ERROR', 'ENDED_CANCELLED')"
_OF = "WITH e AS MATERIALIZED (SELECT * FROM executions_execution WHERE id = ANY(%(ids)s)) "

# Each statement returns the rows that break the rule: (execution, details).
ALWAYS = {
    "an execution is written down once": """
        SELECT e.id, count(t.id) FROM e LEFT JOIN executions_transition t ON t.execution_id = e.id AND t.old = ''
        GROUP BY e.id HAVING count(t.id) <> 1""",
    "an idempotency key names one execution": """
        SELECT min(e.id::text), count(*) FROM e WHERE idempotency_key IS NOT NULL
        GROUP BY created_by_id, idempotency_key HAVING count(*) > 1""",
    "a final status is reached once and never left": f"""
        SELECT e.id, count(*) FROM e JOIN executions_transition t ON t.execution_id = e.id
        WHERE t.new IN {_FINAL} GROUP BY e.id HAVING count(*) > 1
        UNION ALL
        SELECT e.id, count(*) FROM e JOIN executions_transition t ON t.execution_id = e.id
        WHERE t.old IN {_FINAL} GROUP BY e.id""",
    "history ends in the present status": """
        SELECT e.id, e.status || ' but ' || last.new FROM e JOIN LATERAL (SELECT new FROM executions_transition t
        WHERE t.execution_id = e.id ORDER BY version DESC LIMIT 1) last ON true WHERE last.new <> e.status""",
    "each change starts where the one before it ended": """
        SELECT h.execution_id, h.before || ' then ' || h.old FROM (SELECT t.execution_id, t.old, t.version,
            lag(t.new, 1, '') OVER (PARTITION BY t.execution_id ORDER BY t.version) AS before
            FROM executions_transition t JOIN e ON e.id = t.execution_id) h WHERE h.before <> h.old""",
    "no version is given twice, and none is ahead of the row": """
        SELECT e.id, t.version || ' of ' || e.version FROM e JOIN executions_transition t ON t.execution_id = e.id
        GROUP BY e.id, e.version, t.version HAVING count(*) > 1 OR t.version > e.version""",
    "what is claimed has a host, what is not has none": """
        SELECT id, status || ' host ' || coalesce(host_id::text, 'none') FROM e
        WHERE (status = 'RUNNING' AND host_id IS NULL)
        OR (status NOT LIKE 'WAITING%%' AND status NOT IN ('RUNNING', 'SLEEPING', 'PAUSED') AND host_id IS NOT NULL)""",
    "attempts are counted one by one": """
        SELECT e.id, e.attempt || ' but ' || array_agg(DISTINCT t.attempt)::text FROM e
        JOIN executions_transition t ON t.execution_id = e.id AND t.attempt > 0
        GROUP BY e.id, e.attempt HAVING max(t.attempt) <> e.attempt OR count(DISTINCT t.attempt) <> max(t.attempt)""",
    "log lines are numbered 1 to n": """
        SELECT e.id, count(*) || ' lines, the last ' || max(number) FROM e
        JOIN executions_logline l ON l.execution_id = e.id
        GROUP BY e.id HAVING count(*) <> max(number) OR min(number) <> 1""",
    "moments come in order": f"""
        SELECT id, concat_ws(' ', created_at, started_at, ended_at) FROM e
        WHERE started_at < created_at OR ended_at < started_at OR ended_at < created_at
        OR (status IN {_FINAL}) <> (ended_at IS NOT NULL) OR (attempt > 0 AND started_at IS NULL)""",
    "history runs forward": """
        SELECT h.execution_id, h.at::text FROM (SELECT t.execution_id, t.at,
            lag(t.at) OVER (PARTITION BY t.execution_id ORDER BY t.version) AS earlier
            FROM executions_transition t JOIN e ON e.id = t.execution_id) h WHERE h.at < h.earlier""",
    "a host runs no more than its slots": """
        SELECT p.id::text, count(*) || ' of ' || p.slots FROM executions_process p
        JOIN executions_execution e ON e.host_id = p.id AND e.status = 'RUNNING' AND e.script_id IS NOT NULL
        GROUP BY p.id HAVING count(*) > p.slots""",
    "a host has no more connections under way than it may": """
        SELECT p.id::text, count(*) || ' of ' || p.connections FROM executions_process p
        JOIN executions_execution e ON e.host_id = p.id AND e.status = 'RUNNING' AND e.script_id IS NULL
        GROUP BY p.id HAVING count(*) > p.connections""",
    "what has ended holds nothing": f"""
        SELECT id, concat_ws(' ', host_id, ready_at, waiting_for) FROM e WHERE status IN {_FINAL}
        AND (host_id IS NOT NULL OR ready_at IS NOT NULL OR waiting_for IS NOT NULL)""",
    "what has ended is at no lock": f"""
        SELECT e.id, l.setting_id::text FROM e JOIN executions_lock l ON l.execution_id = e.id
        WHERE status IN {_FINAL}""",
    "nobody waits for a lock that is free": """
        SELECT e.id, l.setting_id::text FROM e JOIN executions_lock l ON l.execution_id = e.id
        WHERE l.since IS NULL AND e.status = 'WAITING_FOR_LOCK' AND e.ready_at IS NULL AND e.cancel_requested_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM executions_lock h WHERE h.setting_id = l.setting_id AND h.since IS NOT NULL)""",
}

# Once everything has come to an end.
SETTLED = {
    "everything has ended": f"SELECT id, status FROM e WHERE status NOT IN {_FINAL} AND status <> 'CREATED'",
    "children that belong to an ended parent have ended": f"""
        SELECT c.id, c.status FROM executions_execution c JOIN e ON e.id = c.parent_id
        WHERE e.status IN {_FINAL} AND NOT c.orphan AND c.status NOT IN {_FINAL}""",
    "nobody waits any more": """
        SELECT e.id, w.target_id::text FROM e JOIN executions_wait w ON e.id IN (w.waiter_id, w.target_id)""",
}


@dataclass(frozen=True)
class Broken:
    """A rule that does not hold, and for whom."""

    rule: str
    rows: list[tuple[Any, ...]]

    def __str__(self) -> str:
        return f"{self.rule}: {len(self.rows)} times, e.g. {self.rows[:3]}"


def broken_invariants(ids: Iterable[UUID], *, settled: bool = True) -> list[Broken]:
    """Return the rules that these executions (and their descendants) break."""
    family = tree_of(ids)
    rules = ALWAYS | SETTLED if settled else ALWAYS
    found = [Broken(rule, fetch(_OF + sql, {"ids": family})) for rule, sql in rules.items()]
    found.append(Broken("every change is an arrow of the table", _foreign_arrows(family)))
    missing = set(ids) - set(family)
    found.append(Broken("what was accepted is there", [(key, "missing") for key in missing]))
    return [broken for broken in found if broken.rows]


def check_invariants(ids: Iterable[UUID], *, settled: bool = True) -> None:
    """Raise AssertionError naming every rule that does not hold."""
    broken = broken_invariants(list(ids), settled=settled)
    assert not broken, "\n".join(map(str, broken))


def tree_of(ids: Iterable[UUID]) -> list[UUID]:
    """Return these executions and all that descend from them."""
    rows = fetch(
        "WITH RECURSIVE tree AS (SELECT id FROM executions_execution WHERE id = ANY(%s) UNION"
        " SELECT c.id FROM executions_execution c JOIN tree ON c.parent_id = tree.id) SELECT id FROM tree",
        (list(ids),),
    )
    return [row[0] for row in rows]


def _foreign_arrows(ids: list[UUID]) -> list[tuple[Any, ...]]:
    taken = fetch(
        "SELECT old, new, min(execution_id::text) FROM executions_transition"
        " WHERE execution_id = ANY(%s) AND old <> '' GROUP BY old, new",
        (ids,),
    )
    return [(key, f"{old} to {new}") for old, new, key in taken if not may_move(Status(old), Status(new))]
