"""How the keywords of `this.flow(...)` and its kin fall into options, fields of the execution, and inputs.

Pure functions; `Execution` calls them before it asks the host.
"""

from __future__ import annotations

from typing import Any

from flow_api.exceptions import InvalidInputError
from flow_api.records import field_values
from flow_api.system import NotSet, ReturnWhen
from flow_api.values import to_json

# Keywords that are fields of the new execution. Every other keyword becomes an input.
EXECUTION_FIELDS = frozenset(
    {
        "name", "description", "project_id", "project_name", "bundle_id", "bundle_name", "location_inheritance",
        "priority", "is_productive", "is_paused", "is_readonly", "scheduled_for", "max_runtime_minutes", "orphan",
        "roles", "savepoint_retention", "input_schema", "output_schema", "message", "breakpoints", "use_breakpoints",
        "use_only_explicit_breakpoints", "unwrapped", "wrappers", "remote_workspace_name", "protect_inputs",
        "protect_outputs", "parent_execution_id",
    }
)  # fmt: skip


def split_keywords(
    inputs: Any, name: object, init: dict[str, Any] | None, keywords: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Will return the inputs and the fields of an execution."""
    given = {key: value for key, value in keywords.items() if value is not NotSet}
    if given.pop("save", True) is not True:
        raise InvalidInputError(
            "save=False is not supported; run=False creates an execution without running it"
        )
    init = dict(init or {})
    fields = {key: given.pop(key) for key in list(given) if key in EXECUTION_FIELDS}
    for alias in (init.pop("input_value", None), init.pop("inputs", None), given.pop("input_value", None)):
        inputs = alias if inputs is None else inputs
    if name is not None:
        fields["name"] = name
    if given:
        if inputs is not None and not isinstance(inputs, dict):
            raise InvalidInputError(
                f"inputs must be a dict when there are keyword inputs ({', '.join(given)}),"
                f" not {type(inputs).__name__}"
            )
        inputs = {**(inputs or {}), **given}
    return to_json(inputs, "inputs"), field_values("execution", init, fields)


def wait_value(wait: object) -> str | None:
    """Will return when a start that was asked to wait so is over, or None for no wait."""
    if wait is True:
        return ReturnWhen.ALL_SUCCEEDED.value
    return None if wait is False or wait is None else return_when_value(wait)


def return_when_value(return_when: object) -> str:
    """Will return the word for the wire, or raise if there is no such word."""
    try:
        return ReturnWhen(str(return_when)).value
    except ValueError:
        words = ", ".join(ReturnWhen)
        raise InvalidInputError(
            f"{return_when!r} is no way to wait; there are True, False, {words}"
        ) from None
