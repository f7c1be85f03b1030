"""The one table of inbox: what an execution told or asked people, and the answer.

Rules about one message stand here; asking and answering, which touch executions too, in `asking` and `operations`.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from records.identifiers import uuid7
from records.models import NAME_LENGTH, RecordQuerySet

OPEN = Q(is_submitted=False, closed_at=None)


class Message(models.Model):
    """A text or a form for people. It is open until it is answered or closed: by its deadline, or its execution's end.

    A notice has nothing to fill in: it stays open when its execution ends, until someone has read it.
    """

    class Type(models.TextChoices):
        SUCCESS = "SUCCESS", "Success"
        INFO = "INFO", "Info"
        WARNING = "WARNING", "Warning"
        ERROR = "ERROR", "Error"
        POPUP = "POPUP", "Popup"  # opens by itself in front of those who may answer

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    execution = models.ForeignKey(
        "executions.Execution", models.CASCADE, related_name="messages", db_index=False, db_constraint=False
    )
    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="+", db_index=False)
    subject = models.CharField(max_length=NAME_LENGTH)
    body = models.JSONField()  # the form, as docs/forms.md describes it
    message_type = models.CharField(max_length=8, choices=Type, default=Type.INFO)
    is_notice = models.BooleanField(default=False)
    # Who may answer, users and roles; none of both: everyone who may UPDATE messages of the project.
    recipient_ids = ArrayField(models.UUIDField(), default=list, blank=True)
    recipient_role_ids = ArrayField(models.UUIDField(), default=list, blank=True)

    response = models.JSONField(null=True)
    is_submitted = models.BooleanField(default=False)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    answered_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    default_response = models.JSONField(null=True)  # the answer that its deadline gives
    closed_at = models.DateTimeField(null=True)
    waiter_ids = ArrayField(models.UUIDField(), default=list, blank=True)  # executions that wait, or did

    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    deleted_at = models.DateTimeField(null=True)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )

    objects: ClassVar[Any] = RecordQuerySet.as_manager()

    class Meta:
        indexes = [
            # Asked at every end of an execution: it holds open messages only.
            models.Index(fields=["execution"], name="message_open_of_execution", condition=OPEN),
            models.Index(
                fields=["deadline_at"], name="message_due", condition=OPEN & Q(deadline_at__isnull=False)
            ),
            models.Index(F("id").desc(), name="message_open", condition=OPEN),
            models.Index("project", F("id").desc(), name="message_of_project"),
            models.Index("execution", F("id").desc(), name="message_of_execution"),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def is_open(self) -> bool:
        is_late = self.deadline_at is not None and self.deadline_at <= timezone.now()
        return not self.is_submitted and self.closed_at is None and not is_late

    @property
    def state(self) -> str:
        """In one word: open, answered, expired (by its deadline, with or without an answer), or closed."""
        if self.is_open:
            return "open"
        over_at = self.answered_at or self.closed_at or self.deadline_at
        if self.deadline_at is not None and over_at is not None and over_at >= self.deadline_at:
            return "expired"
        return "answered" if self.is_submitted else "closed"
