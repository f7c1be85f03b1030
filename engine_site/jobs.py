"""The jobs that the site offers to the housekeeping: leftovers of processes and sessions, and old audit entries."""

from datetime import timedelta

from django.utils import timezone

from access.audit_expiry import BATCH, remove_old_entries
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


def expire_audit(turn: Turn) -> Done:
    """Remove entries of the audit log that are kept no longer."""
    count = 0
    while removed := remove_old_entries():
        count += removed
        if removed < BATCH:
            break
        if not turn.rest():
            return Done(count, has_more=True)
    return Done(count)


offer_jobs(
    Job(
        "leftovers", 86_400, "Removes expired sessions and the rows of processes long gone.", remove_leftovers
    ),
    Job("audit", 3600, "Removes entries of the audit log that are kept no longer.", expire_audit),
)
