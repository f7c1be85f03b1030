"""Project, the base of records that live in one, Bundle and Setting."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, models
from django.utils import timezone

from projects.retention import RetentionField
from projects.shipped_bundles import shipped_bundles
from records.export_form import Key, document_of
from records.identifiers import uuid7
from records.kinds import Kind, all_kinds
from records.models import NAME_LENGTH, BundleRecord, Record, unique_name

DEFAULT_PROJECT = "Default project"
DEFAULT_DESCRIPTION = "Holds everything that is not assigned to another project."
_DEFAULT_ID = "SELECT id FROM projects_project WHERE name = %s AND deleted_at IS NULL"


class Project(Record):
    """A place for records: groups them, and memberships say who may do what there."""

    retention: Any = RetentionField()

    class Meta:
        constraints = [unique_name("project")]

    @property
    def is_default(self) -> bool:
        return self.name == DEFAULT_PROJECT

    @classmethod
    def default(cls) -> "Project":
        """Return the Default project, which holds everything not assigned elsewhere. There always is one."""
        found, _ = cls.objects.alive().get_or_create(
            name=DEFAULT_PROJECT, defaults={"description": DEFAULT_DESCRIPTION}
        )
        return found

    @classmethod
    def default_id(cls) -> UUID:
        """Return the id of the Default project: every start asks, and the model costs more than all the rest of it."""
        with connection.cursor() as cursor:
            cursor.execute(_DEFAULT_ID, [DEFAULT_PROJECT])
            row = cursor.fetchone()
        return row[0] if row else cls.default().pk


class Bundle(models.Model):
    """A bundle that was imported: a versioned package of records, which live in its project and point at it.

    Its records can be changed only while it is not read-only; an update brings them back to what was shipped.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=NAME_LENGTH, unique=True)
    description = models.TextField(blank=True, default="")
    version = models.CharField(max_length=32)
    project = models.ForeignKey(Project, models.PROTECT, related_name="bundles")
    is_readonly = models.BooleanField(default=True)
    # By type and name of each record: the digests of what was shipped, and of what was then stored.
    digests: Any = models.JSONField(default=dict, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    modified_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    def __str__(self) -> str:
        return self.name

    def held(self) -> dict[Key, tuple[Kind, Any]]:
        """Return its records that are not in the trash, with their types, by type and name."""
        found = {}
        for kind in bundled_kinds():
            for record in kind.rows().filter(bundle=self).order_by(kind.name_field):
                found[kind.name, getattr(record, kind.name_field)] = kind, record
        return found

    def shipped_digests(self) -> dict[Key, str]:
        """Return the digests of what was shipped when it was imported or last updated."""
        return {split(name): digests[0] for name, digests in self.digests.items()}

    @property
    def has_update(self) -> bool:
        """Whether what ships now is not what was imported."""
        shipped = shipped_bundles().get(self.name)
        if shipped is None:
            return False
        return self.version != shipped.version or self.shipped_digests() != shipped.digests()

    def changed_here(self) -> list[Key]:
        """Return what is not as it was imported: records changed, renamed, added or put into the trash since."""
        stored = {join(key): document_of(*pair).digest for key, pair in self.held().items()}
        noted = {name: digests[1] for name, digests in self.digests.items()}
        return [split(name) for name in sorted({*stored, *noted}) if stored.get(name) != noted.get(name)]

    @property
    def is_dirty(self) -> bool:
        return bool(self.changed_here())


def bundled_kinds() -> list[Kind]:
    """Return the record types that may come with a bundle."""
    return [kind for kind in all_kinds() if hasattr(kind.model, "bundle")]


def join(key: Key) -> str:
    """Return a type and a name as one text; types have no blanks."""
    return " ".join(key)


def split(text: str) -> Key:
    """Return the type and the name in a text made by `join`."""
    kind, _, name = text.partition(" ")
    return kind, name


class ProjectRecord(BundleRecord):
    """A record that lives in a project."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="%(class)ss")

    class Meta:
        abstract = True


class Setting(ProjectRecord):
    """A named value. It also serves as a lock of that name, which executions hold (`executions.locks`)."""

    value: Any = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [unique_name("setting")]
        indexes = [models.Index(fields=["project", "name"], name="setting_of_project")]
