"""The base of every record: id, name, audit fields and trash. Apps derive their tables from it.

And the one table of this app, the values that are set by hand: see `records.configuration`.
"""

from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from records.identifiers import uuid7

NAME_LENGTH = 128
NAME_TAKEN = "name_taken"  # the code of the error when a name is in use


class RecordQuerySet(models.QuerySet):
    """Rows with a trash: `alive()` are the ones people see."""

    def alive(self) -> Self:
        return self.filter(deleted_at=None)

    def trashed(self) -> Self:
        return self.exclude(deleted_at=None)


class Record(models.Model):
    """A thing people make and keep. Deleting one puts it into the trash, from where it can be restored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=NAME_LENGTH, validators=[MinLengthValidator(1)])
    description = models.TextField(blank=True, default="")
    is_readonly = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    modified_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    objects = RecordQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    def clean_fields(self, exclude: Any = None) -> None:
        self.name = self.name.strip()
        super().clean_fields(exclude=exclude)

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def is_locked(self) -> bool:
        """Whether nobody may change or delete it as it stands."""
        return self.is_readonly


class BundleRecord(Record):
    """A record that may have come with a bundle, which then protects it as long as the bundle is read-only."""

    # By name: bundles come after this in the order of apps.
    bundle = models.ForeignKey(
        "projects.Bundle", models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        abstract = True

    @property
    def is_bundle_readonly(self) -> bool:
        return self.bundle is not None and self.bundle.is_readonly

    @property
    def is_locked(self) -> bool:
        return self.is_readonly or self.is_bundle_readonly


def unique_name(model_name: str) -> models.UniqueConstraint:
    """Return the rule that names are unique per type among records outside the trash."""
    return models.UniqueConstraint(
        fields=["name"],
        condition=Q(deleted_at=None),
        name=f"{model_name}_name_unique",
        violation_error_code=NAME_TAKEN,
        violation_error_message="There is already a record of this type with this name.",
    )


class RecordIsReadonly(ValidationError):
    """The record is marked read-only; clear the mark first."""

    def __init__(self, record: Record) -> None:
        words = f"{record.name!r} is read-only. Clear the read-only mark first."
        if getattr(record, "is_bundle_readonly", False):
            bundle = record.bundle  # type: ignore[attr-defined]
            words = f"{record.name!r} came with the bundle {bundle.name!r} and is read-only. Change a duplicate of it."
        super().__init__({"is_readonly": words})


class ManualValue(models.Model):
    """What a person set for an option of the workspace's configuration."""

    name = models.CharField(primary_key=True, max_length=64)
    value = models.TextField(blank=True)
    modified_at = models.DateTimeField(default=timezone.now)
    modified_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
