"""What workers do for schedules: the timer that every worker's claimer calls again and again."""

import time

from schedules.firing import fire_due
from schedules.supervision import supervise

SUPERVISE_SECONDS = 1.0
_supervise_at = 0.0


def run_schedules() -> float:
    """Fire what is due, and now and then supervise; returns the seconds until there is more to do."""
    global _supervise_at
    now = time.monotonic()
    if now >= _supervise_at:
        _supervise_at = now + SUPERVISE_SECONDS
        supervise()
    due_in = fire_due()
    return SUPERVISE_SECONDS if due_in is None else min(due_in, SUPERVISE_SECONDS)
