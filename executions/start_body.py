"""A start as JSON describes it: the body of `POST /execution`, which the dialog "Run with options" makes, too.

Doors read it here; whether it is allowed and good is for `starting.start_execution` to say.
"""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError

from connectors.types import MODULES
from executions.models import Execution, SavepointRetention
from executions.starting import Start
from records.cleaning import clean_columns, clean_moment
from records.openapi import object_of

_TEXT, _UUID, _OBJECT = {"type": "string"}, {"type": "string", "format": "uuid"}, {"type": "object"}

START_BODY = object_of(
    {
        "flow_id": _UUID,
        "flow_name": _TEXT,
        "script": {**_TEXT, "description": "A script to run that belongs to no flow"},
        "connector_id": _UUID,
        "connector_name": {**_TEXT, "description": "A connection to make, with this connector"},
        "connector_type": {
            **_TEXT,
            "description": "A connection to make, of this type",
            "enum": list(MODULES),
        },
        "input_value": _OBJECT,
        "inputs": {**_OBJECT, "description": "Another name of input_value"},
        "name": _TEXT,
        "description": _TEXT,
        "is_productive": {"type": "boolean", "default": True},
        "project_id": _UUID,
        "project_name": _TEXT,
        "priority": {"type": "integer", "description": "Higher runs sooner"},
        "scheduled_for": {"type": "string", "format": "date-time"},
        "max_runtime_minutes": {"type": "number"},
        "roles": {
            "type": "array",
            "items": _TEXT,
            "description": "Names or ids of the roles it acts with, among yours; all of them unless given",
        },
        "wrappers": {
            "type": "array",
            "items": object_of({"name": _TEXT, "inputs": _OBJECT}, ("name",)),
            "description": "To run it through, the outermost first",
        },
        "unwrapped": {
            "type": "boolean",
            "default": False,
            "description": "true leaves out the wrappers that the flow or connector itself keeps",
        },
        "run": {"type": "boolean", "default": True, "description": "false only writes it down"},
        "is_paused": {
            "type": "boolean",
            "default": False,
            "description": "true starts it paused: resume lets it go",
        },
        "orphan": {
            "type": "boolean",
            "default": True,
            "description": "As a child it lives on when its parent ends",
        },
        "savepoint_retention": {
            "type": "string",
            "enum": SavepointRetention.values,
            "default": str(SavepointRetention.UNTIL_EXPIRY),
            "description": "none forgets its savepoints at its end: it cannot be forked then",
        },
        "retention_seconds": {
            "type": "number",
            "description": "For so long it is kept from its end on, whatever its flow and project say",
        },
    }
)


def read_start(body: dict[str, Any], resolve: Callable[[dict[str, Any]], dict[str, Any]]) -> Start:
    """Return the start that a body asks for. `resolve` replaces `flow_id`, `project_name` and the like by records.

    Raises ValidationError naming the field.
    """
    body = dict(body)
    _refuse_both(body, "input_value", "inputs")
    _refuse_both(body, "flow_id", "flow_name", "script", "connector_id", "connector_name", "connector_type")
    inputs = body.pop("inputs", None)
    run, unwrapped = _truth(body, "run", True), _truth(body, "unwrapped", False)
    is_paused, orphan = _truth(body, "is_paused", False), _truth(body, "orphan", True)
    wrappers = body.pop("wrappers", None) or ()
    moment = body.pop("scheduled_for", None)
    script, roles = body.pop("script", None), body.pop("roles", None)
    if script is not None and not isinstance(script, str):
        raise ValidationError({"script": "Give text."})
    given = resolve(clean_columns(Execution, {name: v for name, v in body.items() if v is not None}))
    return Start(
        flow=given.get("flow"),
        script=script,
        connector=given.get("connector"),
        connector_type=given.get("connector_type", ""),
        inputs=given.get("input_value") if inputs is None else inputs,
        name=given.get("name", ""),
        description=given.get("description", ""),
        project=given.get("project"),
        is_productive=given.get("is_productive", True),
        priority=given.get("priority"),
        scheduled_for=None if moment is None else _moment(moment, "scheduled_for"),
        max_runtime_minutes=given.get("max_runtime_minutes"),
        roles=roles,
        wrappers=wrappers,
        unwrapped=unwrapped,
        run=run,
        is_paused=is_paused,
        orphan=orphan,
        savepoint_retention=given.get("savepoint_retention"),
        retention_seconds=given.get("retention_seconds"),
    )


def _moment(value: Any, name: str) -> Any:
    try:
        return clean_moment(value)
    except ValidationError as error:
        raise ValidationError({name: error.messages}) from error


def _truth(body: dict[str, Any], name: str, default: bool) -> bool:
    value = body.pop(name, default)
    if not isinstance(value, bool):
        raise ValidationError({name: "Give true or false."})
    return value


def _refuse_both(body: dict[str, Any], *names: str) -> None:
    given = [name for name in names if body.get(name) is not None]
    if len(given) > 1:
        raise ValidationError({name: f"Give only one of {', '.join(names)}." for name in given})
