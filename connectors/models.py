"""Connector: how to reach another system, with its secrets sealed; and which trees of executions used whose secrets."""

from typing import Any

from django.db import models

from connectors.sealing import seal, unseal
from projects.models import ProjectRecord
from records.models import unique_name


class Connector(ProjectRecord):
    """Stored inputs of connections of one type. The secret ones are sealed and shown to nobody."""

    connector_type = models.CharField(max_length=16)
    value = models.JSONField(default=dict, blank=True)
    sealed = models.TextField(blank=True, default="", editable=False)
    secret_fields = models.JSONField(default=list, blank=True, editable=False)  # the paths of its secrets
    # Through which its connections run unless they are started unwrapped: [{"name", "inputs"}], the outermost first.
    wrappers: Any = models.JSONField(blank=True, default=list, db_default=[])

    class Meta:
        constraints = [unique_name("connector")]
        indexes = [models.Index(fields=["project", "name"], name="connector_of_project")]

    @property
    def has_secrets(self) -> bool:
        return bool(self.sealed)

    def open_secrets(self) -> dict[str, Any]:
        """Return its secrets. Raises CannotOpen."""
        return unseal(self._owner, self.sealed) if self.sealed else {}

    def seal(self, secrets: dict[str, Any]) -> str:
        """Return these secrets as `sealed` holds them, in the transaction that stores them."""
        return seal(self._owner, secrets) if secrets else ""

    @property
    def _owner(self) -> str:
        return f"connector {self.pk}"


class SecretUse(models.Model):
    """A connector whose secrets were used somewhere in a tree of executions: its logs are masked with them."""

    id = models.BigAutoField(primary_key=True)
    # A plain id: executions come later in the order of apps.
    root_id = models.UUIDField()
    connector = models.ForeignKey(Connector, models.CASCADE, related_name="uses", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["root_id", "connector"], name="secret_use_unique")]

    def __str__(self) -> str:
        return f"{self.connector_id} in {self.root_id}"
