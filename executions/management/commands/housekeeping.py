"""`manage.py housekeeping [JOB]`: does all jobs of the housekeeping now, or one, without its rests."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from executions.housekeeping import Turn, all_jobs, run_job


class Command(BaseCommand):
    help = "Does the housekeeping now: removes what is kept no longer, empties the trash, counts for charts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", nargs="?", default="", help="only this job")

    def handle(self, *args: Any, **options: Any) -> None:
        jobs = {job.name: job for job in all_jobs()}
        if options["job"] and options["job"] not in jobs:
            raise CommandError(f"There is no job {options['job']!r}; there are: {', '.join(jobs)}.")
        for job in [jobs[options["job"]]] if options["job"] else jobs.values():
            done = run_job(job, Turn(float("inf"), rests=False))
            self.stdout.write(f"{job.name}: {done.count} {done.note}".strip())
