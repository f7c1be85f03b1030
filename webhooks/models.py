"""Webhook, the log of its calls, and the counter of its rate limit.

Rules about one row stand here. Making and changing is in `operations`, receiving a call in `receiving`.
"""

from typing import Any
from urllib.parse import quote

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from connectors.sealing import seal, unseal
from projects.models import ProjectRecord
from records.identifiers import uuid7
from records.models import unique_name
from webhooks.networks import check_network
from webhooks.signatures import Scheme

METHODS = ("POST", "PUT", "PATCH", "GET", "HEAD", "DELETE")
MAX_BODY_BYTES = 20_000_000
MAX_SECONDS = 300
MAX_ERROR = 500
_DAY = 86_400


def all_methods() -> list[str]:
    return list(METHODS)


class Location(models.TextChoices):
    """In which project its executions are."""

    FLOW = "flow_record", "Where the flow is"
    WEBHOOK = "webhook_record", "Where the webhook is"
    PROJECT = "project", "In the project given here"


class Webhook(ProjectRecord):
    """An address that starts a flow when it is called. Its executions act with the webhook's roles."""

    flow = models.ForeignKey("flows.Flow", models.PROTECT, related_name="webhooks")
    is_enabled = models.BooleanField(default=False)
    is_productive = models.BooleanField(default=True)
    methods = models.JSONField(default=all_methods, blank=True)
    execution_location = models.CharField(max_length=16, choices=Location, default=Location.FLOW)
    location_project = models.ForeignKey(
        "projects.Project", models.PROTECT, null=True, blank=True, related_name="+"
    )

    # Who may call. Key and signing secret are sealed together; the marks say which of them there are. What is asked
    # for is said apart from that: without its secret, as after an import, nobody can call.
    is_key_required = models.BooleanField(default=False)
    sealed = models.TextField(blank=True, default="", editable=False)
    has_key = models.BooleanField(default=False, editable=False)
    has_signing_secret = models.BooleanField(default=False, editable=False)
    signature_scheme = models.CharField(max_length=16, choices=Scheme.choices, blank=True, default="")
    signature_header = models.CharField(
        max_length=64, blank=True, default="X-Signature"
    )  # of the generic scheme
    replay_window_seconds = models.PositiveIntegerField(default=300, validators=[MaxValueValidator(_DAY)])
    allowed_networks = models.JSONField(default=list, blank=True)

    idempotency_header = models.CharField(max_length=64, blank=True, default="")
    idempotency_path = models.CharField(max_length=128, blank=True, default="")
    idempotency_ttl_seconds = models.PositiveIntegerField(
        default=_DAY, validators=[MinValueValidator(1), MaxValueValidator(30 * _DAY)]
    )

    time_limit_seconds = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(MAX_SECONDS)]
    )
    body_limit_bytes = models.PositiveIntegerField(
        default=1_000_000, validators=[MaxValueValidator(MAX_BODY_BYTES)]
    )
    rate_limit_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )

    class Meta:
        constraints = [unique_name("webhook")]
        indexes = [models.Index(fields=["project", "name"], name="webhook_of_project")]

    @property
    def path(self) -> str:
        """Where it is called, on this site."""
        return f"/api/latest/webhook/{quote(self.name, safe='')}/call"

    @property
    def is_open(self) -> bool:
        """Whether anybody may call it who knows the address."""
        return not self.is_key_required and not self.signature_scheme

    @property
    def lacks_secret(self) -> bool:
        """Whether it asks for something that nobody can have, as it has not got it itself."""
        lacks_key = self.is_key_required and not self.has_key
        return lacks_key or (bool(self.signature_scheme) and not self.has_signing_secret)

    def open_secrets(self) -> dict[str, str]:
        """Return `key` and `signing_secret`, as far as there are any. Raises connectors.sealing.CannotOpen."""
        return unseal(self._owner, self.sealed) if self.sealed else {}

    def seal_secrets(self, secrets: dict[str, str]) -> None:
        """Put these in the place of those before, in the transaction that saves the row."""
        self.sealed = seal(self._owner, secrets) if secrets else ""
        self.has_key, self.has_signing_secret = "key" in secrets, "signing_secret" in secrets

    @property
    def _owner(self) -> str:
        return f"webhook {self.pk}"

    def clean_fields(self, exclude: Any = None) -> None:
        """Check each field by itself. Raises ValidationError naming each that is wrong."""
        super().clean_fields(exclude=exclude)
        faults: dict[str, str] = {}
        if "/" in self.name or self.name in (".", ".."):
            faults["name"] = (
                "The name stands in the address: it cannot be . or .. and cannot contain a slash."
            )
        if (
            not isinstance(self.methods, list)
            or not self.methods
            or set(map(str, self.methods)) - set(METHODS)
        ):
            faults["methods"] = f"Give a list with one or more of: {', '.join(METHODS)}."
        if wrong := check_network(self.allowed_networks):
            faults["allowed_networks"] = wrong
        for name in ("signature_header", "idempotency_header"):
            header = getattr(self, name)
            if (header and not header.replace("-", "").replace("_", "").isalnum()) or not header.isascii():
                faults[name] = f"{header!r} is no name of a header, such as X-Signature."
        if self.execution_location == Location.PROJECT and self.location_project is None:
            faults["location_project"] = "Say which project, or choose another execution_location."
        if faults:
            raise ValidationError(faults)


class WebhookCall(models.Model):
    """One call of a webhook and what became of it. The request is the input of its execution, without secrets.

    With a key that has not expired it is the one call of its webhook with this key: see the constraint.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="calls", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    method = models.CharField(max_length=16)
    path = models.TextField(blank=True, default="")  # behind /call
    remote_address = models.CharField(max_length=64, blank=True, default="")
    is_async = models.BooleanField(default=False)
    execution = models.ForeignKey(
        "executions.Execution",
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    # What it would have started, when the caller was let in and nothing could be started.
    request = models.JSONField(null=True)
    idempotency_key = models.CharField(max_length=255, null=True)
    # The first call with the same key, or the one that was delivered again.
    repeats = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    is_redelivery = models.BooleanField(default=False)
    status = models.PositiveSmallIntegerField(null=True)  # of the answer; none was sent while there is none
    duration_ms = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=MAX_ERROR, blank=True, default="")

    class Meta:
        verbose_name = "webhook call"
        constraints = [
            models.UniqueConstraint(
                fields=["webhook", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="webhook_call_idempotent",
            )
        ]
        indexes = [models.Index("webhook", F("id").desc(), name="webhook_call_of_webhook")]

    def __str__(self) -> str:
        return f"{self.method} {self.at:%Y-%m-%d %H:%M:%S}"


class RateWindow(models.Model):
    """How often a webhook with a rate limit was called in the present minute."""

    webhook = models.OneToOneField(Webhook, models.CASCADE, primary_key=True, related_name="+")
    started_at = models.DateTimeField()
    calls = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.calls} since {self.started_at:%H:%M:%S}"
