"""Flow as its doors see it."""

from flows import operations
from flows.models import Flow
from projects.kinds import AUDIT
from records.kinds import Kind, register

FLOW = register(
    Kind(
        name="flow",
        model=Flow,
        read=(
            "id", "name", "description", "project_id", "bundle_id", "script", "version", "has_syntax_error",
            "input_schema", "max_runtime_minutes", "priority", "is_readonly", *AUDIT,
        ),
        write=(
            "name", "description", "project", "script", "input_schema", "max_runtime_minutes", "priority",
            "is_readonly",
        ),
        references={"project": "project"},
        large=("script", "input_schema"),
        create=operations.create_flow,
        save=operations.save_flow,
        trash=operations.trash_flow,
        restore=operations.restore_flow,
        duplicate=operations.duplicate_flow,
    )
)  # fmt: skip
