"""Identities: users, their API keys and their memberships in projects."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

from records.identifiers import uuid7


class User(AbstractUser):
    """A person who signs in. `is_superuser` and `is_staff` may do everything; others act through memberships."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    def __str__(self) -> str:
        return self.username


class Membership(models.Model):
    """What a user may do in one project."""

    class Role(models.TextChoices):
        VIEWER = "viewer", "Viewer"  # sees everything of the project
        OPERATOR = "operator", "Operator"  # also runs flows and controls executions
        EDITOR = "editor", "Editor"  # also changes and deletes its records

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    project = models.ForeignKey("projects.Project", models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="membership_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"


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
