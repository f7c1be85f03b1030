"""The queue's door: what django-q2 workers call."""

from uuid import UUID

from executions import host


def run(*execution_ids: str) -> None:
    """Hand claimed executions to this worker's host and return; the host supervises them in the background."""
    assert host.current is not None, "executions run in workers started by `manage.py worker`"
    host.current.take([UUID(execution_id) for execution_id in execution_ids])
