"""The queue's door: what django-q2 workers call."""

from executions import host
from executions.assignments import Assignment


def run(given: list[Assignment], as_of: float) -> None:
    """Hand claimed executions to this worker's host and return; the host supervises them in the background."""
    assert host.current is not None, "executions run in workers started by `manage.py worker`"
    host.current.take(given, as_of)
