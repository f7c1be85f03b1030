"""The queue's door: what django-q2 workers call."""

from uuid import UUID

from executions import host


def run(execution_id: str) -> None:
    """Hand a claimed execution to this worker's host and return; the host supervises it in the background."""
    assert host.current is not None, "executions run in workers started by `manage.py worker`"
    host.current.take(UUID(execution_id))
