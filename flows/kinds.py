"""Flow and wrapper as their doors see them."""

from flows import operations, wrappers
from flows.models import Flow, Wrapper
from projects.kinds import AUDIT
from records.kinds import Kind, register

FLOW = register(
    Kind(
        name="flow",
        model=Flow,
        read=(
            "id", "name", "description", "project_id", "bundle_id", "script", "version", "has_syntax_error",
            "input_schema", "max_runtime_minutes", "priority", "wrappers", "retention", "is_readonly", *AUDIT,
        ),
        write=(
            "name", "description", "project", "script", "input_schema", "max_runtime_minutes", "priority",
            "wrappers", "retention", "is_readonly",
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

WRAPPER = register(
    Kind(
        name="wrapper",
        model=Wrapper,
        read=(
            "id", "name", "description", "project_id", "bundle_id", "script", "version", "has_syntax_error",
            "input_schema", "is_readonly", *AUDIT,
        ),
        write=("name", "description", "project", "script", "input_schema", "is_readonly"),
        references={"project": "project"},
        large=("script", "input_schema"),
        create=wrappers.create_wrapper,
        save=wrappers.save_wrapper,
        trash=wrappers.trash_wrapper,
        restore=wrappers.restore_wrapper,
        duplicate=wrappers.duplicate_wrapper,
    )
)  # fmt: skip
