"""The roles that are always there, and what they allow: worked out from the record types that the apps offer.

They are the bundle "Default roles"; `projects.default_roles` sees to it that it is imported and up to date.
"""

from collections.abc import Iterable

from access.models import ANY_TYPE, Operation
from records.kinds import all_kinds

READ, CREATE, UPDATE, DELETE, RUN = Operation
DESCRIPTIONS = {
    "Viewer": "Sees everything in projects: content, executions, inputs, outputs and logs.",
    "User": "Sees everything in projects, runs flows, controls executions and answers messages.",
    "Developer": "Does what a User does, and writes flows and what they need, but nothing that grants access.",
    "Operator": "Does what a Developer does, and sets up connectors, webhooks, schedules and bundles.",
    "Admin": "Does everything. Held in one project, everything there.",
    "Webhook": "What a webhook needs to start its flow, and that flow to do its work.",
    "Schedule": "What a schedule needs to start its flow, and that flow to do its work.",
}
# Whoever may write one of these can reach something else with it.
_GRANTS_ACCESS = {
    "connector",
    "webhook",
    "schedule",
    "scheduler",
    "bundle",
    "bundle_repository",
    "vault_config",
}
_PLACES = {"project", "identity_role"}  # what a project is and who may do what there: for its admins
_ADMINS_ONLY = {"audit_entry"}
_WORK_WRITES = {"setting", "file", "message", "custom_object"}


def project_types() -> set[str]:
    """Return the record types that live in projects, and the project itself."""
    found = {
        kind.name
        for kind in all_kinds()
        if any(column.name == "project" for column in kind.model._meta.concrete_fields)
    }
    return (found | {"project"}) - _ADMINS_ONLY


def permissions_of_default(name: str) -> set[tuple[str, str]]:
    """Return what the default role with this name allows, as (record type, operation)."""
    if name == "Admin":
        return {(ANY_TYPE, operation) for operation in Operation}
    types = project_types()
    read = _all(types, (READ,))
    use = (
        read
        | {("flow", RUN), ("setting", RUN), ("wrapper", RUN), ("connector", RUN), ("message", UPDATE)}
        | _all(["execution"], (CREATE, UPDATE, RUN))
    )
    write = types - _PLACES - _GRANTS_ACCESS
    develop = use | _all(write, Operation) | _all(types - _PLACES, (RUN,))
    work = (
        _all(types - _PLACES - {"webhook", "schedule"}, (READ, RUN))
        | _all({"project"}, (READ,))
        | _all(["execution"], (CREATE, UPDATE))
        | _all(_WORK_WRITES & types, (CREATE, UPDATE))
    )
    return {
        "Viewer": read,
        "User": use,
        "Developer": develop,
        "Operator": develop | _all(types - _PLACES, Operation),
        "Webhook": work,
        "Schedule": work | _all({"schedule"} & types, (READ, UPDATE)),
    }[name]


def _all(types: Iterable[str], operations: Iterable[str]) -> set[tuple[str, str]]:
    return {(kind, operation) for kind in types for operation in operations}
