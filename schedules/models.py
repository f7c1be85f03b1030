"""Scheduler, schedule, and what became of each time that a schedule was due.

The engine's own fields of a schedule are written by `schedules.operations`, `firing` and `supervision` only.
"""

from datetime import datetime
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from access.models import IdentityKind
from access.operations import roles_held
from flows.models import ScriptRecord, ScriptVersion
from projects.models import ProjectRecord
from records.models import unique_name
from schedules.recurrence import BUILT_IN, Recurrence, next_moments, recurrence_of

NEXT_RUNS = 10
MAX_JITTER_SECONDS = 3600
MAX_CATCH_UP_SECONDS = 366 * 86400


class Scheduler(ScriptRecord):
    """Says when: one of the built-in recurrences, or a script that waits, starts the flow once, and ends."""

    built_in = models.CharField(
        max_length=16, choices=[(kind.name, kind.title) for kind in BUILT_IN.values()], blank=True, default=""
    )

    class Meta:
        constraints = [unique_name("scheduler")]

    @property
    def configuration_schema(self) -> dict[str, Any] | None:
        """The form of the configuration, as a JSON Schema."""
        return BUILT_IN[self.built_in].input_schema if self.built_in else self.input_schema


class SchedulerVersion(ScriptVersion):
    """A version of a scheduler's script."""

    scheduler = models.ForeignKey(Scheduler, models.CASCADE, related_name="versions")

    class Meta(ScriptVersion.Meta):
        constraints = [
            models.UniqueConstraint(fields=["scheduler", "number"], name="scheduler_version_unique")
        ]

    def __str__(self) -> str:
        return f"{self.scheduler}@{self.number}"


class Overlap(models.TextChoices):
    """What happens when a time comes while an earlier start of the schedule still lives."""

    SKIP = "skip", "Skip the new one"
    QUEUE_ONE = "queue_one", "Start one afterwards"
    QUEUE_ALL = "queue_all", "Start each afterwards"
    CANCEL_OTHER = "cancel_other", "Cancel the earlier one"
    ALLOW = "allow", "Let them run side by side"


class CatchUp(models.TextChoices):
    """What happens with times that passed while no worker was there, if they are not too long ago."""

    LATEST = "latest", "Start once, for the latest"
    ALL = "all", "Start for each"


class Schedule(ProjectRecord):
    """Starts a flow when its scheduler says so, as long as it is enabled."""

    scheduler = models.ForeignKey(Scheduler, models.PROTECT, related_name="schedules")
    configuration = models.JSONField(default=dict, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    flow = models.ForeignKey("flows.Flow", models.PROTECT, related_name="schedules")
    input_value = models.JSONField(null=True, blank=True)
    is_enabled = models.BooleanField(default=False)

    overlap = models.CharField(max_length=16, choices=Overlap, default=Overlap.SKIP)
    catch_up = models.CharField(max_length=16, choices=CatchUp, default=CatchUp.LATEST)
    catch_up_seconds = models.PositiveIntegerField(
        default=86400, validators=[MinValueValidator(60), MaxValueValidator(MAX_CATCH_UP_SECONDS)]
    )
    jitter_seconds = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(MAX_JITTER_SECONDS)]
    )
    ends_at = models.DateTimeField(null=True, blank=True)
    max_iterations = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    pause_on_failure = models.BooleanField(default=False)

    # The engine's own.
    enabled_at = models.DateTimeField(null=True, editable=False)
    stopped_because = models.TextField(
        blank=True, default="", editable=False
    )  # by the engine, which disabled it
    iterations = models.PositiveIntegerField(default=0, editable=False)  # starts since it was enabled
    next_at = models.DateTimeField(
        null=True, editable=False
    )  # the next time that was not dealt with, without jitter
    execution_id = models.UUIDField(null=True, editable=False)  # its live execution, or the last it had

    class Meta:
        constraints = [unique_name("schedule")]
        indexes = [
            models.Index(fields=["project", "name"], name="schedule_of_project"),
            models.Index(
                fields=["id"], name="schedule_enabled", condition=Q(is_enabled=True, deleted_at=None)
            ),
        ]

    @property
    def recurrence(self) -> Recurrence | None:
        """The times of a built-in scheduler; None when a script decides."""
        if not self.scheduler.built_in:
            return None
        anchor = self.enabled_at or timezone.now()
        return recurrence_of(
            self.scheduler.built_in, self.configuration, self.time_zone, anchor, is_checked=True
        )

    @property
    def next_runs(self) -> list[datetime]:
        """Return the next times, none when it is not enabled or its scheduler is a script."""
        if not self.is_enabled or self.is_deleted or self.next_at is None or self.recurrence is None:
            return []
        most = (
            NEXT_RUNS
            if self.max_iterations is None
            else min(NEXT_RUNS, self.max_iterations - self.iterations)
        )
        return [self.next_at, *next_moments(self.recurrence, self.next_at, most - 1, self.ends_at)][:most]

    @property
    def roles(self) -> list[str]:
        """Return the names of the roles that it acts with."""
        return sorted({held.role.name for held in roles_held(IdentityKind.SCHEDULE, self.pk)})


class Firing(models.Model):
    """What became of one time of a schedule, which is started once at most, whatever the number of workers."""

    class Outcome(models.TextChoices):
        STARTED = "started", "Started"
        QUEUED = "queued", "Queued"  # starts when what runs has ended
        SKIPPED = "skipped", "Skipped"  # because of an earlier start that still lived
        MISSED = "missed", "Missed"  # no worker was there; stands for all times up to the next row
        FAILED = "failed", "Not started"  # it could not be; the message says why

    class Cause(models.TextChoices):
        TIME = "time", "Its time"
        BACKFILL = "backfill", "Backfill"
        PERSON = "person", "A person"

    id = models.BigAutoField(primary_key=True)
    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="firings", db_index=False)
    nominal_at = models.DateTimeField()
    cause = models.CharField(max_length=16, choices=Cause, default=Cause.TIME)
    outcome = models.CharField(max_length=16, choices=Outcome)
    message = models.TextField(blank=True, default="")
    execution = models.ForeignKey(
        "executions.Execution",
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "nominal_at"], name="firing_once")]
        indexes = [
            models.Index(fields=["schedule"], name="firing_queued", condition=Q(outcome="queued")),
            models.Index(fields=["at"], name="firing_old"),
        ]

    def __str__(self) -> str:
        return f"{self.nominal_at:%Y-%m-%d %H:%M:%S} {self.outcome}"
