"""What can be chosen when a flow is run by hand: as a form, as the body of a start, as a curl command and as a flow.

The dialog's view asks here. A choice is what the form reads; a body is the same without what is as usual, so the
commands that are shown start exactly what the button starts.
"""

import json
import pprint
import shlex
from typing import Any

from access.identities import roles_of, roles_to_pass_on
from access.models import Role
from access.permissions import Operation, is_unrestricted, projects_with
from executions.models import Execution, RunChoice, SavepointRetention
from flows.models import Flow
from flows.wrapping import wrappers_form
from projects.models import Project
from records.forms import forget_secrets
from records.models import NAME_LENGTH

_OFFERED = 200  # of projects and roles
_NOT_KEPT = ("name", "scheduled_for")  # of a choice: they are meant once
Json = dict[str, Any]


def options_form(flow: Flow, by: Any) -> Json:
    """Return the form of all options but the inputs."""
    projects = _projects(flow, by)
    roles, wrappers = _roles(by), wrappers_form(by)
    limit = f"The flow's is {flow.max_runtime_minutes}." if flow.max_runtime_minutes else ""
    properties: Json = {
        "name": {"type": "string", "maxLength": NAME_LENGTH, "label": "Name", "placeholder": flow.name},
        "is_productive": {
            "element": "radio",
            "label": "Mode",
            "default": True,
            "oneOf": [{"const": True, "title": "Productive"}, {"const": False, "title": "Development"}],
        },
        "project_name": {
            "enum": projects,
            "label": "Project",
            "help": f"Unless you choose one, the flow's: {flow.project.name}.",
        },
        "priority": {
            "type": "integer",
            "minimum": -32768,
            "maximum": 32767,
            "label": "Priority",
            "placeholder": str(flow.priority),
            "help": "Higher runs sooner.",
        },
        "scheduled_for": {"type": "string", "format": "date-time", "label": "Not before"},
        "is_paused": {"type": "boolean", "label": "Start paused", "help": "Resume lets it begin."},
        "max_runtime_minutes": {
            "type": "number",
            "exclusiveMinimum": 0,
            "label": "Time limit in minutes",
            "help": limit,
        },
        "savepoint_retention": {
            "oneOf": [{"const": value, "title": words} for value, words in SavepointRetention.choices],
            "label": "Savepoints are kept",
        },
        "roles": {
            "type": "array",
            "items": {"enum": roles},
            "label": "Roles it acts with",
            "help": "None chosen: all that you can pass on.",
        },
        "wrappers": {"label": "Run it through wrappers", "help": "The outermost first.", **(wrappers or {})},
        "unwrapped": {
            "type": "boolean",
            "label": "Leave out the wrappers of the flow",
            "help": ", ".join(each["name"] for each in flow.wrappers),
        },
        "orphan": {
            "type": "boolean",
            "default": True,
            "label": "Lives on when its parent ends",
            "help": "As a child of another execution; one that you start has no parent.",
        },
    }
    offered = {"project_name": projects, "roles": roles, "wrappers": wrappers, "unwrapped": flow.wrappers}
    return {
        "type": "object",
        "properties": {name: each for name, each in properties.items() if offered.get(name, True)},
    }


def _projects(flow: Flow, by: Any) -> list[str]:
    allowed = projects_with(by, Operation.CREATE, Execution)
    projects = Project.objects.alive().exclude(pk=flow.project_id)
    if allowed is not None:
        projects = projects.filter(pk__in=allowed)
    return list(projects.order_by("name").values_list("name", flat=True)[:_OFFERED])


def _roles(by: Any) -> list[str]:
    if is_unrestricted(by):
        return list(Role.objects.alive().order_by("name").values_list("name", flat=True)[:_OFFERED])
    passed_on = set(roles_to_pass_on(by) or ())
    return [role.name for role in roles_of(by) if role.pk in passed_on]


# -- Bodies and commands -----------------------------------------------------------------------------------

_USUAL: Json = {"is_productive": True, "is_paused": False, "unwrapped": False, "orphan": True}


def body_of(flow: Flow, inputs: Any, options: Json) -> Json:
    """Return the body of the start that these choices make."""
    chosen = {name: value for name, value in options.items() if _USUAL.get(name) != value}
    return {"flow_name": flow.name, **({"inputs": inputs} if inputs not in (None, {}) else {}), **chosen}


def as_curl(body: Json, address: str) -> str:
    """Return the command that starts the same from a shell; $KEY is an API key."""
    data = json.dumps(body, indent=2, ensure_ascii=False)
    lines = [
        f"curl {shlex.quote(address)}",
        '-H "Authorization: Bearer $KEY"',
        "-H 'Content-Type: application/json'",
        f"--data-binary {shlex.quote(data)}",
    ]
    return " \\\n  ".join(lines)


def as_flow(body: Json) -> str:
    """Return a flow that starts the same as its child."""
    options = {name: value for name, value in body.items() if name != "flow_name"}
    if body.get("is_paused"):
        options["wait"] = False  # nobody would resume it
    named = [f"{name}={_literal(value, len(name) + 9)}" for name, value in options.items()]
    arguments = [repr(body["flow_name"]), *named]
    lines = "".join(f"        {argument},\n" for argument in arguments)
    call = f"this.flow(\n{lines}    )" if options else f"this.flow({arguments[0]})"
    return (
        "import flow_api\n\n\n"
        "def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):\n"
        f"    child = {call}\n"
        "    return child.get('output_value')\n"
    )


def _literal(value: Any, indent: int) -> str:
    return pprint.pformat(value, width=100 - indent, sort_dicts=False).replace("\n", "\n" + " " * indent)


# -- Remembering -------------------------------------------------------------------------------------------


def remember(flow: Flow, by: Any, form: Json, inputs: Any, options: Json) -> None:
    """Keep this choice for the next time, without what is secret and what was meant once."""
    kept = {name: value for name, value in forget_secrets(form, options).items() if name not in _NOT_KEPT}
    RunChoice.objects.update_or_create(
        user_id=by.pk,
        flow=flow,
        defaults={"inputs": forget_secrets(flow.input_schema or {}, inputs), "options": kept},
    )


def last_choice(flow: Flow, by: Any) -> tuple[Any, Json | None]:
    """Return inputs and options as this person chose them last; None where they never did."""
    found = RunChoice.objects.filter(user_id=by.pk, flow=flow).values_list("inputs", "options").first()
    return found or (None, None)
