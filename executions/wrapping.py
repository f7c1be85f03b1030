"""Running through wrappers: what is started in place of a thing that is wrapped, and how that starts it.

`starting.prepare` asks for every start. A wrapper's execution keeps all it needs in its inputs: its own, and what
it wraps with the wrappers that are left; so it can be run again like any other.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connectors.merging import masked, merge
from connectors.operations import part_inputs
from flows.wrapping import Wrapping, find_wrappings

if TYPE_CHECKING:
    from executions.starting import Start


def wrap(start: "Start", by: Any) -> "Start":
    """Return the start of the outermost wrapper, or `start` itself when nothing wraps it.

    The wrappers that the start names come first, those of its flow or connector next to that; whoever may run it may
    run it through those. Raises ValidationError.
    """
    wrapped = start.flow or start.connector
    kept = wrapped.wrappers if wrapped else []
    wrappings: list[Wrapping] = []
    if start.wrappers:
        wrappings += find_wrappings(start.wrappers, by=by, kept=[each["name"] for each in kept])
    if kept and not start.unwrapped:
        wrappings += find_wrappings(kept)
    if not wrappings:
        return start
    outer, *inner = wrappings
    start = _part_secrets(start)
    return replace(
        start,
        flow=None,
        script=None,
        connector=None,
        connector_type="",
        wrapper=outer.wrapper,
        wrappers=(),
        name=start.name or (wrapped.name if wrapped else start.connector_type or "script"),
        inputs={"wrapper_inputs": outer.inputs, "child": _child(start, inner)},
        project=start.project or (wrapped.project if wrapped else None),
        priority=start.priority if start.priority is not None or start.flow is None else start.flow.priority,
    )


def _part_secrets(start: "Start") -> "Start":
    """Part the secret ones from the inputs of a connection; the execution of the wrapper keeps them sealed."""
    type_name = start.connector.connector_type if start.connector else start.connector_type
    if not type_name:
        return start
    shown, hidden = part_inputs(type_name, start.inputs)
    hidden = merge(start.secret_inputs, hidden)
    return replace(start, inputs=merge(shown, masked(hidden)) or None, secret_inputs=hidden)


def _child(start: "Start", inner: list[Wrapping]) -> dict[str, Any]:
    """Return what is wrapped, as the wrapper's script sees it and `start_child` starts it."""
    what: dict[str, Any]
    if start.flow:
        what = {"type": "FLOW", "flow_id": str(start.flow.pk), "flow_name": start.flow.name}
    elif start.connector:
        what = {
            "type": "CONNECTION",
            "connector_id": str(start.connector.pk),
            "connector_name": start.connector.name,
        }
    elif start.connector_type:
        what = {"type": "CONNECTION", "connector_type": start.connector_type}
    else:
        what = {"type": "SCRIPT", "script": start.script}
    fields = {
        "description": start.description or None,
        "project_id": str(start.project.pk) if start.project else None,
        "priority": start.priority,
        "savepoint_retention": start.savepoint_retention,
    }
    return {
        **what,
        "name": start.name,
        "inputs": start.inputs,
        "wrappers": [each.snapshot() for each in inner],
        "init": {name: value for name, value in fields.items() if value is not None},
    }
