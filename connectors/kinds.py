"""Connector as its doors see it. Its secrets are written and never read."""

from connectors import operations
from connectors.models import Connector
from projects.kinds import AUDIT
from records.kinds import Kind, register

CONNECTOR = register(
    Kind(
        name="connector",
        model=Connector,
        read=(
            "id", "name", "description", "project_id", "bundle_id", "connector_type", "value", "has_secrets",
            "secret_fields", "wrappers", "is_readonly", *AUDIT,
        ),
        write=(
            "name", "description", "project", "connector_type", "value", "secrets", "wrappers", "is_readonly",
        ),
        references={"project": "project"},
        large=("value",),
        required=("name", "connector_type"),
        create=operations.create_connector,
        save=operations.save_connector,
        trash=operations.trash_connector,
        restore=operations.restore_connector,
        duplicate=operations.duplicate_connector,
    )
)  # fmt: skip
