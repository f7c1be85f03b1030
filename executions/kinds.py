"""Execution and process as their doors see them. Starting has its own shape: see `starting.Start`."""

from executions import operations
from executions.models import Execution, Process
from records.kinds import Kind, register

EXECUTION = register(
    Kind(
        name="execution",
        model=Execution,
        read=(
            "id", "name", "description", "type", "status", "reason", "message", "project_id", "flow_id",
            "flow_version", "wrapper_id", "connector_id", "connector_type", "script_id", "schedule_id",
            "webhook_id", "is_productive", "priority", "input_value", "output_value", "origin", "created_by_id",
            "roles", "starter_kind", "starter_id", "parent_id", "root_id", "orphan", "rerun_of_id",
            "forked_from_id", "savepoint_retention", "version", "attempt", "host_id", "waiting_for",
            "scheduled_for", "max_runtime_minutes", "deadline_at", "cancel_requested_at", "pause_requested_at",
            "created_at", "started_at", "ended_at", "cpu_seconds", "peak_memory_bytes", "expires_at",
            "retention_seconds", "deleted_at", "deleted_by_id",
        ),
        write=("name", "description", "message", "output_value"),
        references={"project": "project", "flow": "flow", "connector": "connector"},
        by="id",
        large=("input_value", "output_value", "webhook_id"),
        shapes={"webhook_id": {"type": ["string", "null"], "format": "uuid"}},
        order="-id",
        clock="created_at",
        required=(),
        save=operations.save_execution,
        trash=operations.trash_execution,
        restore=operations.restore_execution,
    )
)  # fmt: skip

PROCESS = register(
    Kind(
        name="process",
        model=Process,
        read=(
            "id",
            "role",
            "pid",
            "machine",
            "slots",
            "isolation",
            "started_at",
            "heartbeat_at",
            "ended_at",
            "is_alive",
        ),
        by="id",
        order="-id",
        has_trash=False,
    )
)
