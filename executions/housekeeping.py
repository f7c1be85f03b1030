"""Regular work of the engine on its own tables, in a thread beside each host; a row per job says when it is due.

A job is claimed by moving its row's next time on, so one worker does it, and one that dies leaves it to the next.
Jobs work in short transactions and rest between them. Apps offer theirs when they are ready.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import Error, connection

from access.permissions import WORKSPACE, Operation, require
from executions.database import fetch
from executions.models import Housework

logger = logging.getLogger("engine.housekeeping")

LOOK_SECONDS = 10.0  # how often a worker looks whether something is due
FIRST_AFTER_SECONDS = 60  # no extra work while everything starts
SOON_SECONDS = 5  # until the rest of what was too much for one run
STATEMENT_SECONDS = 20
LONGEST_REST = 2.0


class Turn:
    """One run of a job: how long it may go on, and its rests."""

    def __init__(
        self, seconds: float, stopping: threading.Event | None = None, *, rests: bool = True
    ) -> None:
        self.until = time.monotonic() + seconds
        self._stopping = stopping or threading.Event()
        self._rests = rests
        self._began = time.monotonic()

    @property
    def is_over(self) -> bool:
        return self._stopping.is_set() or time.monotonic() > self.until

    def rest(self) -> bool:
        """Rest for twice as long as the work since the last rest took; returns whether there is time for more."""
        took = time.monotonic() - self._began
        if self._rests:
            self._stopping.wait(min(2 * took, LONGEST_REST))
        self._began = time.monotonic()
        return not self.is_over


@dataclass(frozen=True)
class Done:
    """What a run did: how many things it dealt with, whether some are left, and words for people."""

    count: int
    has_more: bool = False
    note: str = ""


@dataclass(frozen=True)
class Job:
    """Work to be done every so many seconds. A run takes no longer than half of them."""

    name: str
    every_seconds: int
    words: str  # what it does
    work: Callable[[Turn], Done]


_jobs: dict[str, Job] = {}


def offer_jobs(*jobs: Job) -> None:
    """Make jobs known. Called once by each app when it is ready."""
    _jobs.update({job.name: job for job in jobs})


def all_jobs() -> list[Job]:
    """Return every job, by name."""
    return [_jobs[name] for name in sorted(_jobs)]


def run_job(job: Job, turn: Turn | None = None) -> Done:
    """Do a job now and write down what it did, or why it failed. Raises what it raises."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
    try:
        done = job.work(turn or Turn(job.every_seconds / 2))
    except Exception as error:
        with suppress(Error):  # the database may be what failed
            _note(job, Done(0, note=f"It failed: {' '.join(str(error).split())[:200]}"), began)
        raise
    finally:
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    _note(job, done, began)
    return done


def _note(job: Job, done: Done, began: float) -> None:
    next_in = SOON_SECONDS if done.has_more else job.every_seconds
    fetch(_NOTE, {"name": job.name, "next_in": next_in, "took": time.monotonic() - began, **vars(done)})


_NOTE = """
INSERT INTO executions_housework (name, next_at, ran_at, took_seconds, done, note)
VALUES (%(name)s, now() + %(next_in)s * interval '1 second', now(), %(took)s, %(count)s, %(note)s)
ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at, ran_at = excluded.ran_at,
    took_seconds = excluded.took_seconds, done = excluded.done, note = excluded.note
"""
_WRITE_DOWN = """
INSERT INTO executions_housework (name, next_at, done, note)
SELECT name, now() + %s * interval '1 second', 0, '' FROM unnest(%s::text[]) name ON CONFLICT DO NOTHING
"""
_CLAIM = """
UPDATE executions_housework SET next_at = now() + %(every)s * interval '1 second'
WHERE name = %(name)s AND next_at <= now() RETURNING 1
"""


def run_due(stopping: threading.Event | None = None) -> list[str]:
    """Do what is due and not claimed by another; returns the names of what was done."""
    names = [row[0] for row in fetch("SELECT name FROM executions_housework WHERE next_at <= now()")]
    done = []
    for job in [job for job in all_jobs() if job.name in names]:
        if fetch(_CLAIM, {"name": job.name, "every": job.every_seconds}):
            run_job(job, Turn(job.every_seconds / 2, stopping))
            done.append(job.name)
    return done


def request_run(name: str, *, by: Any) -> None:
    """Let a worker do this job at its next look. Raises PermissionRefused, LookupError when there is none."""
    require(by, Operation.UPDATE, WORKSPACE)
    job = _jobs[name]
    fetch(_WRITE_DOWN, (0, [job.name]))
    fetch("UPDATE executions_housework SET next_at = now() WHERE name = %s", (job.name,))


def overview(*, by: Any) -> list[tuple[Job, Housework | None]]:
    """Return every job with what is known of its runs. Raises PermissionRefused."""
    require(by, Operation.READ, WORKSPACE)
    known = Housework.objects.in_bulk()
    return [(job, known.get(job.name)) for job in all_jobs()]


class Housekeeper:
    """The thread of a worker that does what is due, until `stop`."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end: it does at its next rest, or with the process."""
        self._stopping.set()

    def _run(self) -> None:
        is_known = False
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                if not is_known:
                    fetch(_WRITE_DOWN, (FIRST_AFTER_SECONDS, list(_jobs)))
                    is_known = True
                run_due(self._stopping)
            except Error as error:
                logger.warning("housekeeping is put off: %s", (str(error).strip() or "?").splitlines()[0])
                connection.close()
            except Exception:
                logger.exception("housekeeping is put off")
                connection.close()
        connection.close()
