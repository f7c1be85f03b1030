"""What belongs to an execution: changes of its status, log lines, savepoints, waits and locks.

Waits and locks go when they are over; the other rows stay as long as the execution, or as its savepoints are kept.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from executions.models.execution import Execution
from records.models import NAME_LENGTH


class Transition(models.Model):
    """One change of an execution's status, kept with it: history, and the means to catch up on missed news."""

    id = models.BigAutoField(primary_key=True)
    # Written only beside its execution's row, and removed with it: a constraint would look at every one again.
    execution = models.ForeignKey(
        Execution, models.CASCADE, related_name="transitions", db_index=False, db_constraint=False
    )
    old = models.CharField(max_length=24, blank=True)
    new = models.CharField(max_length=24)
    reason = models.CharField(max_length=24, blank=True, default="")
    version = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["execution", "version"], name="transition_of_execution")]

    def __str__(self) -> str:
        return f"{self.old or '·'} → {self.new}"


class LogLine(models.Model):
    """One line an execution wrote. Numbers run 1..n without a gap."""

    class Level(models.TextChoices):
        INFO = "info", "Info"
        WARNING = "warning", "Warning"
        ERROR = "error", "Error"

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution, models.CASCADE, related_name="log_lines", db_index=False, db_constraint=False
    )
    number = models.PositiveIntegerField()
    # Its number as the script counts: a resumed script does not write these again. Null on lines of others.
    seq = models.PositiveIntegerField(null=True)
    at = models.DateTimeField()
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO)
    stream = models.CharField(max_length=8, default="log")  # log, stdout, stderr, engine
    text = models.TextField(blank=True, default="")
    data = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["execution", "number"], name="log_line_unique")]

    def __str__(self) -> str:
        return f"{self.number}: {self.text[:80]}"


class Payload(models.Model):
    """A large recorded value, stored once under the SHA-256 of its JSON however often it is recorded."""

    sha256 = models.CharField(primary_key=True, max_length=64)
    value = models.JSONField()

    def __str__(self) -> str:
        return self.sha256[:12]


class Savepoint(models.Model):
    """One answered call of an execution: what a replay answers again instead of doing it twice."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution, models.CASCADE, related_name="savepoints", db_index=False, db_constraint=False
    )
    number = models.PositiveIntegerField()  # 1.. in the order of the calls
    attempt = models.PositiveIntegerField()
    call = models.CharField(max_length=64)
    digest = models.CharField(max_length=32, blank=True, default="")  # of the arguments
    line = models.PositiveIntegerField(null=True)
    name = models.CharField(max_length=NAME_LENGTH, null=True)  # given by `this.save_dump(name)`
    is_pending = models.BooleanField(default=False)  # not answered yet: `value` says what is waited for
    value = models.JSONField(null=True)
    payload = models.ForeignKey(Payload, models.PROTECT, null=True, related_name="+", db_index=False)
    error = models.JSONField(null=True)
    seen = models.JSONField(null=True)  # readings of the clock since the call before
    log_seq = models.PositiveIntegerField(default=0)  # how far the script's log had come
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["execution", "number"], name="savepoint_unique")]
        indexes = [
            # Whether anybody still needs a payload.
            models.Index(fields=["payload"], name="savepoint_of_payload", condition=Q(payload__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.call}"


class Wait(models.Model):
    """`waiter` waits for `target` to end. Rows go when the target ends or the wait is over."""

    id = models.BigAutoField(primary_key=True)
    waiter = models.ForeignKey(
        Execution, models.CASCADE, related_name="waits", db_index=False, db_constraint=False
    )
    target = models.ForeignKey(Execution, models.CASCADE, related_name="waiters", db_constraint=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["waiter", "target"], name="wait_unique")]

    def __str__(self) -> str:
        return f"{self.waiter_id} waits for {self.target_id}"


class Lock(models.Model):
    """An execution's place at the lock of a setting: it holds the lock (`since` is set) or queues for it."""

    id = models.BigAutoField(primary_key=True)  # the order of the queue
    setting = models.ForeignKey("projects.Setting", models.PROTECT, related_name="locks", db_index=False)
    execution = models.ForeignKey(
        Execution, models.CASCADE, related_name="locks", db_index=False, db_constraint=False
    )
    depth = models.PositiveIntegerField(default=1)  # how often it must be released
    at = models.DateTimeField(default=timezone.now)
    since = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["execution", "setting"], name="lock_unique"),
            models.UniqueConstraint(
                fields=["setting"], condition=Q(since__isnull=False), name="lock_holder_unique"
            ),
        ]
        indexes = [models.Index(fields=["setting", "id"], name="lock_queue")]

    def __str__(self) -> str:
        return f"{self.execution_id} {'holds' if self.since else 'queues for'} {self.setting_id}"
