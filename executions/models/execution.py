"""The execution: queue, timer and truth in one row; and how people last ran a flow by hand.

Status is written in `executions.moves` only; rules about several rows are in `executions.operations`.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from executions.lifecycle import ALIVE, DUE, ENDED, WAITING, Reason, Status
from executions.models.engine import Process
from records.identifiers import uuid7
from records.models import NAME_LENGTH, RecordQuerySet

# What the engine itself carries out when its time comes, without a host: see `executions.timers`.
TIMED = Q(type="SCHEDULE", script=None)


class SavepointRetention(models.TextChoices):
    """How long the savepoints of an execution are kept; without them it cannot be forked."""

    NONE = "none", "Until it ends"
    UNTIL_EXPIRY = "until_expiry", "As long as the execution"


class Execution(models.Model):
    """One run of a script."""

    class Type(models.TextChoices):
        FLOW = "FLOW", "Flow"
        SCRIPT = "SCRIPT", "Script"
        CONNECTION = "CONNECTION", "Connection"
        SCHEDULE = "SCHEDULE", "Schedule"
        WRAPPER = "WRAPPER", "Wrapper"

    class Origin(models.TextChoices):
        """Through which door it was started."""

        USER = "USER", "User interface"
        API = "API", "REST API"
        EXECUTION = "EXECUTION", "Execution"
        WEBHOOK = "WEBHOOK", "Webhook"
        SCHEDULE = "SCHEDULE", "Schedule"
        COMMAND = "COMMAND", "Command line"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(blank=True, default="")
    type = models.CharField(max_length=16, choices=Type)
    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="executions", db_index=False)
    flow = models.ForeignKey(
        "flows.Flow", models.SET_NULL, null=True, related_name="executions", db_index=False
    )
    flow_version = models.PositiveIntegerField(null=True)
    wrapper = models.ForeignKey(
        "flows.Wrapper", models.SET_NULL, null=True, related_name="executions", db_index=False
    )
    # None for those that the engine itself carries out: connections and schedules.
    # Without a constraint, which would need an index on all of them: see `executions.unused_scripts`.
    script = models.ForeignKey(
        "flows.Script", models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    connector = models.ForeignKey(
        "connectors.Connector", models.SET_NULL, null=True, related_name="executions", db_index=False
    )
    connector_type = models.CharField(max_length=16, blank=True, default="", db_default="")
    # Of a schedule's own execution, and of what it starts. A plain id: schedules come after executions.
    schedule_id = models.UUIDField(null=True)
    is_productive = models.BooleanField(default=True)
    priority = models.SmallIntegerField(default=0)  # higher runs sooner
    input_value = models.JSONField(null=True)
    sealed_inputs = models.TextField(null=True)  # the secret ones; `input_value` has masks in their place
    output_value = models.JSONField(null=True)
    message = models.TextField(blank=True, default="")
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.API)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    # With which roles it acts: these of its starter's; null stands for all of them (a superuser's: for everything).
    roles = ArrayField(models.UUIDField(), null=True)
    # The webhook or schedule whose roles these are; empty for its user. Children have those of their parent.
    starter_kind = models.CharField(max_length=16, blank=True, default="", db_default="")
    starter_id = models.UUIDField(null=True)
    # Plain ids: parents may be removed before their children.
    parent = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, related_name="children", db_index=False, db_constraint=False
    )
    root_id = models.UUIDField(null=True)  # top of the tree; the row itself when it has no parent
    orphan = models.BooleanField(default=True)  # lives on when its parent ends or is cancelled
    rerun_of = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )

    status = models.CharField(max_length=24, choices=Status, default=Status.CREATED)
    reason = models.CharField(max_length=24, choices=Reason, blank=True, default="")
    version = models.PositiveIntegerField(default=1)
    attempt = models.PositiveIntegerField(default=0)  # claims so far; fences writes
    # Failures since it last made progress: of its own process, and of its host.
    crashes = models.PositiveSmallIntegerField(default=0, db_default=0)
    losses = models.PositiveSmallIntegerField(default=0, db_default=0)
    seed = models.UUIDField(default=uuid.uuid4)  # of its random numbers, so that a replay draws the same
    forked_from_id = models.UUIDField(null=True)
    savepoint_retention = models.CharField(
        max_length=16,
        choices=SavepointRetention,
        default=SavepointRetention.UNTIL_EXPIRY,
        db_default=SavepointRetention.UNTIL_EXPIRY,
    )
    host = models.ForeignKey(
        Process, models.SET_NULL, null=True, related_name="executions", db_index=False, db_constraint=False
    )
    ready_at = models.DateTimeField(null=True)
    scheduled_for = models.DateTimeField(null=True)
    max_runtime_minutes = models.FloatField(null=True)
    deadline_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    pause_requested_at = models.DateTimeField(null=True)
    waiting_for = models.JSONField(null=True)  # what would free it; shown to people
    idempotency_key = models.CharField(max_length=255, null=True)
    idempotency_digest = models.CharField(max_length=64, null=True)  # of the request that brought the key

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    cpu_seconds = models.FloatField(null=True)
    peak_memory_bytes = models.BigIntegerField(null=True)
    # Its own expiry, and how long it is to be kept from its end on; without them its flow or project decides.
    expires_at = models.DateTimeField(null=True)
    retention_seconds = models.FloatField(null=True)
    deleted_at = models.DateTimeField(null=True)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )

    objects: ClassVar[Any] = RecordQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["created_by", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="execution_idempotent",
            ),
            models.UniqueConstraint(
                fields=["schedule_id"],
                condition=Q(type="SCHEDULE", ended_at=None),
                name="execution_one_per_schedule",
            ),
        ]
        indexes = [
            # The queue: what a worker claims next.
            models.Index(
                F("priority").desc(),
                "ready_at",
                name="execution_claimable",
                condition=Q(status=Status.QUEUED, script__isnull=False),
            ),
            models.Index(
                F("priority").desc(),
                "ready_at",
                name="execution_connectable",
                condition=Q(status=Status.QUEUED, script__isnull=True),
            ),
            # Timers: what becomes due.
            models.Index(
                fields=["ready_at"],
                name="execution_due",
                condition=Q(~TIMED, status__in=DUE, ready_at__isnull=False),
            ),
            models.Index(
                fields=["ready_at"], name="execution_timed", condition=Q(TIMED, ready_at__isnull=False)
            ),
            models.Index(fields=["host"], name="execution_hosted", condition=Q(host__isnull=False)),
            models.Index(
                fields=["deadline_at"],
                name="execution_deadline",
                condition=Q(deadline_at__isnull=False, ended_at=None),
            ),
            # Lists, newest first: ids ascend with time.
            models.Index("flow", F("id").desc(), name="execution_of_flow"),
            models.Index("project", F("id").desc(), name="execution_of_project"),
            models.Index(
                "connector",
                F("id").desc(),
                name="execution_of_connector",
                condition=Q(connector__isnull=False),
            ),
            models.Index("status", F("id").desc(), name="execution_of_status"),
            models.Index("created_by", F("id").desc(), name="execution_of_user"),
            models.Index("parent", "id", name="execution_of_parent", condition=Q(parent__isnull=False)),
            models.Index("root_id", "id", name="execution_of_root"),
            models.Index(F("id").desc(), name="execution_alive", condition=Q(ended_at=None)),
            models.Index(
                fields=["name", "-id"],
                name="execution_of_name",
                opclasses=["varchar_pattern_ops", "uuid_ops"],
            ),
            # What is rare among many and can be filtered by.
            models.Index(F("id").desc(), name="execution_in_dev", condition=Q(is_productive=False)),
            models.Index(F("id").desc(), name="execution_of_script", condition=Q(type="SCRIPT")),
            # Those whose script no version of their flow keeps.
            models.Index(
                fields=["script"],
                name="execution_keeps_script",
                condition=Q(Q(flow=None) | ~Q(type="FLOW"), script__isnull=False),
            ),
            models.Index(
                "wrapper", F("id").desc(), name="execution_of_wrapper", condition=Q(wrapper__isnull=False)
            ),
            models.Index(F("id").desc(), name="execution_roots", condition=Q(parent=None)),
            # What is to be deleted: by who says how long it is kept, its outcome and its end; by its own word.
            models.Index(
                Coalesce("flow", "project"),
                "status",
                "ended_at",
                name="execution_expiring",
                condition=Q(ended_at__isnull=False, expires_at=None),
            ),
            models.Index(
                fields=["expires_at"], name="execution_expires", condition=Q(expires_at__isnull=False)
            ),
            models.Index(
                fields=["deleted_at"], name="execution_trashed", condition=Q(deleted_at__isnull=False)
            ),
            models.Index(
                "schedule_id",
                F("id").desc(),
                name="execution_of_schedule",
                condition=Q(schedule_id__isnull=False),
            ),
            models.Index(
                fields=["schedule_id"],
                name="execution_alive_of_schedule",
                condition=Q(schedule_id__isnull=False, ended_at=None),
            ),
            models.Index(
                fields=["schedule_id", "ended_at"],
                name="execution_failed_of_schedule",
                condition=Q(schedule_id__isnull=False, status=Status.ENDED_ERROR),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def webhook_id(self) -> uuid.UUID | None:
        """The webhook with whose roles it acts: that which started it, or started its parent."""
        return self.starter_id if self.starter_kind == "webhook" else None

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED

    @property
    def is_alive(self) -> bool:
        return self.status in ALIVE

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING

    def duration(self, now: datetime | None = None) -> timedelta | None:
        """Return the time from start to end (or to `now` while it lives); None before it started."""
        if self.started_at is None:
            return None
        return (self.ended_at or now or timezone.now()) - self.started_at


class RunChoice(models.Model):
    """How a person last ran a flow with options: what the dialog begins with the next time."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    flow = models.ForeignKey("flows.Flow", models.CASCADE, related_name="+")
    inputs = models.JSONField(null=True)
    options = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "flow"], name="run_choice_unique")]

    def __str__(self) -> str:
        return f"{self.user} runs {self.flow}"
