"""Records as flows see them: one set of calls for every type that an app offers (`records.kinds`)."""

from typing import Any

from access.permissions import Operation, may, visible
from executions.announce import announce
from executions.calls.base import Caller, CallRefused, find_record, kind_named, moment_of, number_of
from executions.database import fetch, jsonb
from executions.lifecycle import Status
from executions.models import Execution
from executions.retention import own_expiry
from projects.models import Project
from records.filters import as_q
from records.kinds import resolve_references, select

MAX_LIST = 10_000
_OTHER_NAMES = {"parent_execution_id": "parent_id"}  # as the fields are named elsewhere in the field


def get(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    kind = kind_named(arguments)
    record = find_record(caller, arguments)
    wanted = arguments.get("fields") or list(kind.read)
    stored = [_OTHER_NAMES.get(name, name) for name in wanted]
    unknown = [name for name in stored if name not in kind.read]
    if unknown:
        known = ", ".join(kind.read)
        raise CallRefused(
            "InvalidInputError", f"A {kind.name} has no field {unknown[0]!r}; there are: {known}."
        )
    return dict(zip(wanted, kind.snapshot(record, stored).values(), strict=True))


def save(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    kind = kind_named(arguments)
    if kind.model is Execution:
        return _save_execution(caller, arguments)
    if kind.save is None:
        raise CallRefused("PermissionDenied", f"A {kind.name} cannot be written from a flow.")
    fields = resolve_references(kind, arguments.get("fields") or {}, lambda rows: visible(caller.user, rows))
    unknown = sorted(set(fields) - set(kind.write))
    if unknown:
        raise CallRefused("InvalidInputError", f"A {kind.name} has no writable field {unknown[0]!r}.")
    record = (
        select(kind, arguments["select"], arguments.get("by"))
        if arguments.get("select") is not None
        else None
    )
    if record is not None:
        record = kind.save(record, by=caller.user, **fields)
    elif kind.create is not None and arguments.get("by", "name") == "name":
        if arguments.get("select") is not None:
            fields.setdefault(kind.name_field, arguments["select"])
        if "project" in kind.references:
            fields.setdefault("project", Project.objects.get(pk=caller.project_id))
        record = kind.create(by=caller.user, **fields)
    else:
        raise CallRefused("ResourceNotFoundError", f"There is no {kind.name} {arguments['select']!r}.")
    return {"id": record.pk, "name": getattr(record, kind.name_field)}


def _save_execution(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    execution = find_record(caller, {**arguments, "by": "id"}, Operation.READ)
    if execution.pk != caller.id and not may(caller.user, Operation.UPDATE, execution):
        raise CallRefused("PermissionDenied", "You need UPDATE permission on this execution.")
    fields = _with_expiry(dict(arguments.get("fields") or {}), execution)
    allowed = {"name", "description", "message", "output_value", "expires_at", "retention_seconds"}
    if execution.status == Status.CREATED:
        allowed |= {"input_value", "priority"}
    unknown = sorted(set(fields) - allowed)
    if unknown:
        raise CallRefused(
            "InvalidInputError",
            f"{unknown[0]!r} of this execution cannot be set; {', '.join(sorted(allowed))} can.",
        )
    if "name" in fields:
        fields["name"] = str(fields["name"]).strip()[:128] or execution.name
    sets = ", ".join(f"{name} = %({name})s" for name in fields)
    params = {n: jsonb(v) if n in ("output_value", "input_value") else v for n, v in fields.items()}
    if fields:
        fetch(
            f"UPDATE executions_execution SET version = version + 1, {sets} WHERE id = %(id)s",
            {**params, "id": execution.pk},
        )
        announce([execution.pk])
    written = {"id": execution.pk, "name": fields.get("name", execution.name)}
    return written | ({"output_value": fields["output_value"]} if "output_value" in fields else {})


def _with_expiry(fields: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Replace what was said about its expiry, under any of the names of the field, by the columns for it."""
    seconds = [fields.pop(name) for name in ("retention_time", "retention_seconds") if name in fields]
    moments = [fields.pop(name) for name in ("expires", "expires_at") if name in fields]
    if not seconds and not moments:
        return fields
    at = moment_of(moments[0], "expires_at") if moments else None
    kept = number_of(seconds[0], "retention_time") if seconds else None
    return fields | own_expiry(at, kept, execution.ended_at)


def exists(caller: Caller, arguments: dict[str, Any]) -> bool:
    try:
        find_record(caller, arguments)
    except CallRefused as refused:
        if refused.type == "ResourceNotFoundError":
            return False
        raise
    return True


def delete(caller: Caller, arguments: dict[str, Any]) -> None:
    kind = kind_named(arguments)
    record = find_record(caller, arguments, Operation.DELETE)
    if kind.trash is None:
        raise CallRefused("PermissionDenied", f"A {kind.name} cannot be deleted from a flow.")
    kind.trash(record, by=caller.user)


def restore(caller: Caller, arguments: dict[str, Any]) -> None:
    kind = kind_named(arguments)
    if kind.restore is None:
        raise CallRefused("PermissionDenied", f"A {kind.name} cannot be restored from a flow.")
    kind.restore(find_record(caller, arguments, Operation.DELETE, trashed=True), by=caller.user)


def duplicate(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    kind = kind_named(arguments)
    if kind.duplicate is None:
        raise CallRefused("PermissionDenied", f"A {kind.name} cannot be duplicated.")
    record = kind.duplicate(find_record(caller, arguments), by=caller.user, name=arguments.get("name"))
    return {"id": record.pk, "name": record.name}


def list_records(caller: Caller, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    kind = kind_named(arguments)
    rows = visible(caller.user, kind.rows())
    columns = {field.attname for field in kind.model._meta.concrete_fields}
    if arguments.get("filter"):
        rows = rows.filter(
            as_q(arguments["filter"], kind.model, [name for name in kind.read if name in columns])
        )
    order = str(arguments.get("order") or kind.name_field)
    if order.lstrip("-") not in columns:
        raise CallRefused("InvalidInputError", f"Cannot order by {order!r}.")
    limit = min(int(arguments.get("limit") or MAX_LIST), MAX_LIST)
    return [
        {"id": key, "name": name}
        for key, name in rows.order_by(order).values_list("pk", kind.name_field)[:limit]
    ]
