"""Flow and Wrapper, their versions, and the scripts they point at."""

import hashlib
from typing import Any

from django.conf import settings
from django.db import connection, models
from django.utils import timezone

from projects.models import ProjectRecord
from projects.retention import RetentionField
from records.models import unique_name

# Stores a text unless it is there already; then its row is locked, so that nobody removes it before the transaction
# that needs it is committed (`executions.unused_scripts`). Two CTEs; {sha256} and {text} are typed parameters.
PIN = """
kept AS (SELECT 1 FROM flows_script WHERE sha256 = {sha256} FOR KEY SHARE),
script AS (
    INSERT INTO flows_script (sha256, text, created_at)
    SELECT {sha256}, {text}, now() WHERE NOT EXISTS (SELECT 1 FROM kept) ON CONFLICT DO NOTHING
)"""


class Script(models.Model):
    """A script text, stored once under its SHA-256 and never changed: what an execution is pinned to."""

    sha256 = models.CharField(primary_key=True, max_length=64, editable=False)
    text = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.sha256[:12]

    @staticmethod
    def digest(text: str) -> str:
        """Return the key of the row that holds `text`."""
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def pin(cls, text: str) -> str:
        """Store `text` unless it is there already and return its SHA-256. The row stays until the commit."""
        digest = cls.digest(text)
        with connection.cursor() as cursor:
            pin = PIN.format(sha256="%(sha256)s::varchar", text="%(text)s::text")
            cursor.execute(f"WITH {pin} SELECT 1", {"sha256": digest, "text": text})
        return digest


class ScriptRecord(ProjectRecord):
    """A record with a script. Each change of the script adds a version; executions pin theirs."""

    script = models.TextField(blank=True, default="")
    version = models.PositiveIntegerField(default=0, editable=False)  # number of its current version
    pinned = models.ForeignKey(Script, models.PROTECT, null=True, editable=False, related_name="+")
    has_syntax_error = models.BooleanField(default=False, editable=False)
    input_schema = models.JSONField(null=True, blank=True)
    versions: Any  # what its scripts were: rows of its own subclass of ScriptVersion

    class Meta:
        abstract = True


class ScriptVersion(models.Model):
    """What a record's script was from `created_at` until the next version."""

    number = models.PositiveIntegerField()
    script = models.ForeignKey(Script, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        abstract = True
        ordering = ["-number"]

    def snapshot(self) -> dict[str, Any]:
        return {"number": self.number, "sha256": self.script_id, "created_at": self.created_at}


class Flow(ScriptRecord):
    """A named script with a handler."""

    max_runtime_minutes = models.PositiveIntegerField(null=True, blank=True)
    priority = models.SmallIntegerField(default=0)
    retention: Any = RetentionField()
    # Through which its executions run unless they are started unwrapped: [{"name", "inputs"}], the outermost first.
    wrappers: Any = models.JSONField(blank=True, default=list, db_default=[])

    class Meta:
        constraints = [unique_name("flow")]
        indexes = [models.Index(fields=["project", "name"], name="flow_of_project")]


class FlowVersion(ScriptVersion):
    """A version of a flow."""

    flow = models.ForeignKey(Flow, models.CASCADE, related_name="versions")

    class Meta(ScriptVersion.Meta):
        constraints = [models.UniqueConstraint(fields=["flow", "number"], name="flow_version_unique")]

    def __str__(self) -> str:
        return f"{self.flow}@{self.number}"


class Wrapper(ScriptRecord):
    """A named script that runs in place of what it wraps, and starts that as its child."""

    class Meta:
        constraints = [unique_name("wrapper")]
        indexes = [models.Index(fields=["project", "name"], name="wrapper_of_project")]


class WrapperVersion(ScriptVersion):
    """A version of a wrapper."""

    wrapper = models.ForeignKey(Wrapper, models.CASCADE, related_name="versions")

    class Meta(ScriptVersion.Meta):
        constraints = [models.UniqueConstraint(fields=["wrapper", "number"], name="wrapper_version_unique")]

    def __str__(self) -> str:
        return f"{self.wrapper}@{self.number}"
