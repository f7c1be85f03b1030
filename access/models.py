"""Identities and what they may do: users, their API keys, roles, and who holds which role where."""

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import F
from django.utils import timezone

from records.identifiers import uuid7
from records.models import BundleRecord, unique_name


class IdentityKind(models.TextChoices):
    """What can hold roles and act."""

    USER = "user", "User"
    WEBHOOK = "webhook", "Webhook"
    SCHEDULE = "schedule", "Schedule"
    EXECUTION = "execution", "Execution"


@dataclass(frozen=True)
class Acting:
    """For whom a user object stands when it is not the person that acts: see `access.identities`.

    It has the roles of `holder` (an execution: those of its starter) that are among `roles`; None stands for all.
    """

    kind: str
    id: UUID
    name: str
    holder: tuple[str, UUID]
    roles: frozenset[UUID] | None = None


class User(AbstractUser):
    """A person who signs in. A superuser may do everything, others what their roles say.

    Executions, webhooks and schedules act as a copy of their owner with `acting` set; `by` may be either.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Of the link by which a password is set, until it is used or its time is over: see `access.accounts`.
    link_digest = models.CharField(max_length=64, blank=True, default="", editable=False, db_index=True)
    link_deadline = models.DateTimeField(null=True, editable=False)
    acting: ClassVar[Acting | None] = None

    def __str__(self) -> str:
        return self.username

    @property
    def is_activated(self) -> bool:
        """Whether there is a password: who was invited sets one by the link."""
        return self.has_usable_password()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.acting is not None:
            raise TypeError("This stands for an identity that acts for a user; it is not the user's row.")
        super().save(*args, **kwargs)


class Operation(models.TextChoices):
    """What can be asked for. RUN starts what a record is for, and controls what runs: cancel, pause, rerun."""

    READ = "READ", "Read"
    CREATE = "CREATE", "Create"
    UPDATE = "UPDATE", "Update"
    DELETE = "DELETE", "Delete"
    RUN = "RUN", "Run"


ANY_TYPE = "*"


class Role(BundleRecord):
    """What its holders may do: rows of project (or all), record type (or all) and operation."""

    class Meta:
        constraints = [unique_name("role")]


class RolePermission(models.Model):
    """One thing that a role allows. Without a project it holds in all of them, and outside of any."""

    id = models.BigAutoField(primary_key=True)
    role = models.ForeignKey(Role, models.CASCADE, related_name="permissions")
    project = models.ForeignKey("projects.Project", models.CASCADE, null=True, blank=True, related_name="+")
    record_type = models.CharField(max_length=64)  # the name of a kind, or ANY_TYPE
    operation = models.CharField(max_length=8, choices=Operation)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["role", "project", "record_type", "operation"],
                name="role_permission_unique",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.record_type}"


class IdentityRole(models.Model):
    """An identity holds a role: everywhere, or in one project only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    identity_kind = models.CharField(max_length=16, choices=IdentityKind)
    identity_id = models.UUIDField()
    role = models.ForeignKey(Role, models.CASCADE, related_name="holders")
    project = models.ForeignKey(
        "projects.Project", models.CASCADE, null=True, blank=True, related_name="identity_roles"
    )
    propagate = models.BooleanField(default=True)  # executions that the identity starts hold it, too
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["identity_kind", "identity_id", "role", "project"],
                name="identity_role_unique",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role}" + (f" in {self.project}" if self.project_id else "")


class AuditEntry(models.Model):
    """One thing that somebody did. Written once: the database refuses to change it, or to remove it in time."""

    class Door(models.TextChoices):
        """Through which door it was done."""

        PAGE = "page", "Page"
        REST = "rest", "REST"
        ADMIN = "admin", "Admin"
        FLOW = "flow", "Flow"
        WEBHOOK = "webhook", "Webhook"
        COMMAND = "command", "Command line"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(default=timezone.now)
    # Who: names and plain ids, so that it stays readable when they are gone.
    identity_kind = models.CharField(max_length=16, blank=True)  # empty: the engine itself
    identity_id = models.UUIDField(null=True)
    identity_name = models.CharField(max_length=150, blank=True)
    user_id = models.UUIDField(null=True)  # whoever it was done in the name of
    door = models.CharField(max_length=16, choices=Door)
    address = models.CharField(max_length=64, blank=True)
    # What, and to what.
    action = models.CharField(max_length=24)
    record_type = models.CharField(max_length=64)
    record_id = models.CharField(max_length=64, blank=True)
    record_name = models.CharField(max_length=150, blank=True)
    project = models.ForeignKey(
        "projects.Project",
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    changes = models.JSONField(default=dict)  # by field: what it was and what it is

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index("record_type", "record_id", F("id").desc(), name="audit_of_record"),
            models.Index("user_id", F("id").desc(), name="audit_of_user"),
            models.Index("project", F("id").desc(), name="audit_of_project"),
            models.Index("action", F("id").desc(), name="audit_of_action"),
            models.Index("door", F("id").desc(), name="audit_of_door"),
        ]

    def __str__(self) -> str:
        return f"{self.identity_name or 'the engine'}: {self.action} {self.record_type} {self.record_name}"


class SignInFailure(models.Model):
    """One refused sign-in, kept for the minutes that `access.sign_in` counts."""

    id = models.BigAutoField(primary_key=True)
    username = models.CharField(max_length=150)
    address = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["username", "address", "at"], name="sign_in_failure_recent"),
            models.Index(fields=["at"], name="sign_in_failure_old"),
        ]

    def __str__(self) -> str:
        return f"{self.username} from {self.address}"


class UserSession(AbstractBaseSession):
    """One browser in which somebody is signed in; see `access.sessions`."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=200, blank=True)
    begun_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(auto_now=True)  # whenever it is stored; see `access.sessions.touch`

    class Meta:
        verbose_name = "session"

    @classmethod
    def get_session_store_class(cls) -> Any:
        from access.sessions import SessionStore

        return SessionStore

    @property
    def browser(self) -> str:
        """Its browser and system in words, as it calls itself."""
        # In this order: most browsers also name those that they are like.
        names = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl")
        systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
        name = next((word for word in names if word in self.agent), "")
        system = next((word for word in systems if word in self.agent), "")
        name = {"Edg": "Edge", "OPR": "Opera"}.get(name, name) or self.agent[:40] or "unknown"
        return f"{name} on {system}" if system else name

    @property
    def reference(self) -> str:
        """What pages call it: the key itself would let whoever reads it in."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        return f"{self.user} from {self.address or 'somewhere'}"


class ApiKey(models.Model):
    """A key that acts as its user. Only a hash of its secret is stored; see `access.api_keys`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=128)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} (eng_{self.prefix}_…)"
