"""The job that the site offers to the housekeeping: what its processes and sessions leave behind."""

from datetime import timedelta

from django.utils import timezone

from access.models import UserSession
from executions.housekeeping import Done, Job, Turn, offer_jobs
from executions.models import Process

PROCESSES_KEPT = timedelta(days=30)


def remove_leftovers(turn: Turn) -> Done:
    """Remove sessions that have expired and the rows of processes that ended long ago."""
    now = timezone.now()
    sessions, _ = UserSession.objects.filter(expire_date__lt=now).delete()
    processes, _ = Process.objects.filter(ended_at__lt=now - PROCESSES_KEPT).delete()
    return Done(sessions + processes)


offer_jobs(
    Job(
        "leftovers", 86_400, "Removes expired sessions and the rows of processes long gone.", remove_leftovers
    ),
)
