"""The job that schedules offer to the housekeeping: old firings go."""

from executions.database import fetch
from executions.housekeeping import Done, Job, Turn, offer_jobs

FIRINGS_KEPT_DAYS = 30
_AT_ONCE = 2_000

_REMOVE = """
WITH gone AS (
    DELETE FROM schedules_firing WHERE id IN (
        SELECT id FROM schedules_firing
        WHERE at < clock_timestamp() - %(days)s::float8 * interval '1 day' AND outcome <> 'queued'
        ORDER BY at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
    RETURNING 1)
SELECT count(*) FROM gone
"""


def remove_old_firings(turn: Turn) -> Done:
    """Remove firings that are kept no longer. What a schedule dealt with it does not deal with again."""
    count = 0
    while removed := fetch(_REMOVE, {"days": FIRINGS_KEPT_DAYS, "most": _AT_ONCE})[0][0]:
        count += removed
        if not turn.rest():
            return Done(count, has_more=True)
    return Done(count)


offer_jobs(
    Job("firings", 3600, f"Removes firings of schedules after {FIRINGS_KEPT_DAYS} days.", remove_old_firings)
)
