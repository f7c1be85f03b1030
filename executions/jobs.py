"""The jobs that executions offer to the housekeeping: expiry, the trash, unused payloads, the figures of charts."""

from datetime import timedelta

from django.utils import timezone

from access import audit
from executions import hour_counts, masks, retention
from executions.housekeeping import Done, Job, Turn, offer_jobs
from executions.models import Execution
from executions.unused_scripts import remove_scripts
from records import configuration
from records.kinds import all_kinds
from records.purging import StillNeeded, TooMuchAtOnce, remove

_FOUND_AT_ONCE = 2_000


def remove_expired(turn: Turn) -> Done:
    """Remove what is expired or long in the trash, batch by batch, until nothing is left or the turn is over."""
    count = 0
    while found := retention.find_expired(_FOUND_AT_ONCE):
        before = count
        for removed in retention.remove_executions(found):
            count += removed
            if not turn.rest():
                return Done(count, has_more=True)
        if count == before:  # all of them are locked by others
            return Done(count)
    return Done(count)


def empty_trash(turn: Turn) -> Done:
    """Delete records of all other types that are long in the trash for good; what is still needed stays."""
    days = configuration.value("TRASH_DAYS")
    count = kept = 0
    for kind in all_kinds() if days else ():
        if not kind.has_trash or kind.model is Execution:
            continue
        long_ago = timezone.now() - timedelta(days=days)
        for record in kind.rows(trashed=True).filter(deleted_at__lt=long_ago).order_by("deleted_at"):
            try:
                remove(kind.model._default_manager.filter(pk=record.pk), turn.until)
                count += 1
                audit.note("delete for good", record, by=None)
            except TooMuchAtOnce:
                return Done(count, has_more=True)
            except StillNeeded:
                kept += 1
            if not turn.rest():
                return Done(count, has_more=True)
    return Done(count, note=f"{kept} are still needed." if kept else "")


def remove_payloads(turn: Turn) -> Done:
    """Remove recorded values that nobody needs any more."""
    count = 0
    while removed := retention.remove_payloads():
        count += removed
        if not turn.rest():
            return Done(count, has_more=True)
    return Done(count)


def forget_uses(turn: Turn) -> Done:
    """Forget which secrets were used in trees that are removed."""
    count = 0
    while forgotten := masks.forget_uses():
        count += forgotten
        if not turn.rest():
            return Done(count, has_more=True)
    return Done(count)


def count_hours(turn: Turn) -> Done:
    """Count the hours that are over, for charts."""
    return Done(hour_counts.count_closed_hours())


offer_jobs(
    Job("retention", 300, "Removes executions that are kept no longer.", remove_expired),
    Job("trash", 3600, "Deletes other records that are long in the trash for good.", empty_trash),
    Job("payloads", 6 * 3600, "Removes large recorded values that no savepoint needs.", remove_payloads),
    Job("scripts", 6 * 3600, "Removes script texts that nothing refers to any more.", remove_scripts),
    Job("secret uses", 6 * 3600, "Forgets which secrets removed executions used.", forget_uses),
    Job(hour_counts.JOB, 60, "Counts the executions of past hours, for charts.", count_hours),
)
