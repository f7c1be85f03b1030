"""Webhook and the calls of one as their doors see them. Keys and secrets are written and never read."""

from projects.kinds import AUDIT
from records.kinds import Kind, register
from webhooks import operations
from webhooks.models import Webhook, WebhookCall

WEBHOOK = register(
    Kind(
        name="webhook",
        model=Webhook,
        read=(
            "id", "name", "description", "project_id", "bundle_id", "flow_id", "is_enabled", "is_productive",
            "path", "methods", "execution_location", "location_project_id", "is_key_required", "has_key",
            "signature_scheme", "signature_header", "has_signing_secret", "replay_window_seconds",
            "allowed_networks", "idempotency_header", "idempotency_path", "idempotency_ttl_seconds",
            "time_limit_seconds", "body_limit_bytes", "rate_limit_per_minute", "is_readonly", *AUDIT,
        ),
        write=(
            "name", "description", "project", "flow", "is_enabled", "is_productive", "methods",
            "execution_location", "location_project", "is_key_required", "key", "signature_scheme",
            "signature_header", "signing_secret", "replay_window_seconds", "allowed_networks",
            "idempotency_header", "idempotency_path", "idempotency_ttl_seconds", "time_limit_seconds",
            "body_limit_bytes", "rate_limit_per_minute", "is_readonly",
        ),
        shapes={"path": {"type": "string"}},
        references={"project": "project", "flow": "flow", "location_project": "project"},
        create=operations.create_webhook,
        save=operations.save_webhook,
        trash=operations.trash_webhook,
        restore=operations.restore_webhook,
        duplicate=operations.duplicate_webhook,
    )
)  # fmt: skip

# Not registered: flows have no business with the log.
WEBHOOK_CALL = Kind(
    name="webhook_call",
    model=WebhookCall,
    read=(
        "id", "webhook_id", "at", "method", "path", "remote_address", "is_async", "execution_id", "status",
        "duration_ms", "error", "repeats_id", "is_redelivery",
    ),
    by="id",
    order="-id",
    clock="at",
    has_trash=False,
)  # fmt: skip
