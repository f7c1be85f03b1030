"""What the engine keeps about itself: its processes with their leases, maintenance, housekeeping, counts for charts.

`executions.lease` keeps the row of a process alive; executions name the process that hosts them.
"""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

HEARTBEAT_SECONDS = 4
FROZEN_AFTER_SECONDS = 15


class Process(models.Model):
    """One of our operating-system processes. A host's row is its lease: it lives while it holds the row's
    advisory lock (see `executions.lease`) and keeps its heartbeat fresh."""

    class Role(models.TextChoices):
        WEB = "web", "Web"
        WORKER = "worker", "Worker"  # the cluster around one host: claims for it and restarts with it
        HOST = "host", "Host"  # supervises flow processes

    id = models.BigAutoField(primary_key=True)
    role = models.CharField(max_length=16, choices=Role)
    pid = models.IntegerField()
    machine = models.CharField(max_length=255)
    slots = models.PositiveIntegerField(default=0)
    # What it may run besides without a process: connections and the like.
    connections = models.PositiveIntegerField(default=0, db_default=0)
    isolation = models.JSONField(default=list, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "processes"
        indexes = [
            models.Index(fields=["role"], name="process_alive", condition=Q(ended_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pid} on {self.machine}"

    @property
    def is_alive(self) -> bool:
        fresh = timezone.now() - timedelta(seconds=FROZEN_AFTER_SECONDS)
        return self.ended_at is None and self.heartbeat_at > fresh


class Maintenance(models.Model):
    """While its one row is here, no worker takes on or resumes executions."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    started_at = models.DateTimeField(default=timezone.now)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        verbose_name_plural = "maintenance"

    def __str__(self) -> str:
        return f"maintenance since {self.started_at:%Y-%m-%d %H:%M}"


class Housework(models.Model):
    """When a job of `executions.housekeeping` is due next, and what it did last."""

    name = models.CharField(primary_key=True, max_length=32)
    next_at = models.DateTimeField()
    ran_at = models.DateTimeField(null=True)
    took_seconds = models.FloatField(null=True)
    done = models.PositiveIntegerField(default=0)  # what it dealt with in its last run
    note = models.TextField(blank=True, default="")

    class Meta:
        verbose_name_plural = "housework"

    def __str__(self) -> str:
        return self.name


class HourCount(models.Model):
    """How many executions of a project that were created in one hour came to this status.

    `counted` are those that were there at the last count, `removed` those deleted since; charts show both.
    """

    id = models.BigAutoField(primary_key=True)
    project = models.ForeignKey("projects.Project", models.CASCADE, related_name="+", db_index=False)
    hour = models.DateTimeField()
    status = models.CharField(max_length=24, blank=True)  # empty for all that have not ended
    counted = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "hour", "status"], name="hour_count_unique")
        ]
        indexes = [models.Index(fields=["hour"], name="hour_count_hour")]

    def __str__(self) -> str:
        return f"{self.status or 'alive'} at {self.hour:%Y-%m-%d %H:%M}: {self.counted + self.removed}"
