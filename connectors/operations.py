"""What can be done with connectors: create, save, trash, restore, duplicate, make ready for use, change the key."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from access.permissions import Operation, may, require
from connectors import sealing
from connectors.merging import masked, merge, part, patch, paths_of
from connectors.models import Connector
from connectors.types import MODULES, type_of
from connectors.types.base import ConnectionType, InputRefused, Inputs
from flows.wrapping import check_wrappers
from projects.contents import free_name, new_in_project, require_save
from projects.models import Project
from records.forms import find_faults, in_words
from records.operations import restore_record, save_record, trash_record


def create_connector(*, by: Any, project: Project | None = None, name: str, **fields: Any) -> Connector:
    """Make a connector in `project` (the Default project unless given)."""
    check_wrappers(fields, by=by)
    return _store(new_in_project(Connector, project, by=by), by=by, name=name, **fields)


def save_connector(connector: Connector, *, by: Any, **fields: Any) -> Connector:
    """Change a connector. `value` replaces the value; `secrets` changes the secrets it names (null removes one).

    What is a secret is kept as one also where it was given in `value`.
    Raises ValidationError naming each wrong field, RecordIsReadonly, PermissionRefused.
    """
    require_save(connector, fields, by=by)
    check_wrappers(fields, by=by, kept=connector.wrappers)
    return _store(connector, by=by, **fields)


def duplicate_connector(connector: Connector, *, by: Any, name: str | None = None) -> Connector:
    """Make a copy in its project under a new name; with its secrets if you may change the original."""
    require(by, Operation.READ, connector)
    secrets = connector.open_secrets() if may(by, Operation.UPDATE, connector) else {}
    return _store(
        new_in_project(Connector, connector.project, by=by),
        by=by,
        name=name or free_name(Connector, f"{connector.name} copy"),
        description=connector.description,
        connector_type=connector.connector_type,
        value=connector.value,
        secrets=secrets,
        wrappers=connector.wrappers,
    )


def trash_connector(connector: Connector, *, by: Any) -> Connector:
    """Put a connector into the trash. Connections that are under way go on; new ones do not find it."""
    require(by, Operation.DELETE, connector)
    return trash_record(connector, by=by)


def restore_connector(connector: Connector, *, by: Any) -> Connector:
    """Take a connector out of the trash."""
    require(by, Operation.DELETE, connector)
    return restore_record(connector, by=by)


# -- For use ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """All inputs of a connection, and the secrets among them. Nothing else holds them together."""

    kind: ConnectionType
    inputs: Inputs = field(repr=False)
    secrets: Inputs = field(repr=False)

    @property
    def may_repeat(self) -> bool:
        """Tell whether it may be carried out again when nobody knows how far it came."""
        if "idempotent" in self.inputs:
            return bool(self.inputs["idempotent"])
        return "max_attempts" in self.inputs or self.kind.is_idempotent(self.inputs)


@dataclass(frozen=True)
class Stored:
    """What a connection needs of its connector."""

    name: str
    value: Inputs
    secrets: Inputs = field(repr=False)


def make_ready(type_name: str, stored: Stored | None, inputs: Inputs, secret_inputs: Inputs) -> Ready:
    """Return the inputs of a connection: the connector's value, then its secrets, then what was given for this one.

    Raises InputRefused. It asks no database.
    """
    kind = find_type(type_name)
    given = merge(normalized(kind, inputs), secret_inputs)
    own = merge(stored.value, stored.secrets, kind.WHOLE) if stored else {}
    merged = merge(own, given, kind.WHOLE)
    faults = find_faults(kind.SCHEMA, merged)
    if faults:
        raise InputRefused("\n".join(in_words(faults, "inputs")))
    if stored and stored.secrets:
        _keep_at_home(stored, kind.targets(own), kind.targets(merged))
    secrets = merge(stored.secrets if stored else {}, part(kind, merged)[1])
    if merged.pop("trial", False):
        merged = kind.trial(merged)
    return Ready(kind, merged, secrets)


def _keep_at_home(stored: Stored, home: set[str], targets: set[str]) -> None:
    """Let the secrets of a connector that names its host go there only: who may use it need not know them."""
    elsewhere = targets - home
    if home and elsewhere:
        raise InputRefused(
            f"The secrets of the connector {stored.name!r} go to {', '.join(sorted(home))} only, not to"
            f" {', '.join(sorted(elsewhere))}. Use another connector, or one that names no host."
        )


def part_inputs(type_name: str, inputs: Inputs | None) -> tuple[Inputs, Inputs]:
    """Return the inputs given for one connection, open and secret ones; in place of a secret stands a mask.

    Raises ValidationError.
    """
    kind = type_of(type_name)
    shown, hidden = part(kind, _normalized(kind, "input_value", inputs or {}))
    return merge(shown, masked(hidden)), hidden


def find_type(name: str) -> ConnectionType:
    """Return the type of this name. Raises InputRefused."""
    try:
        return type_of(name)
    except LookupError:
        raise InputRefused(f"There is no connector_type {name!r}; there are: {', '.join(MODULES)}.") from None


def normalized(kind: ConnectionType, inputs: Any) -> Inputs:
    """Return inputs in their one form. Raises InputRefused for what is no object."""
    if not isinstance(inputs, dict):
        raise InputRefused("inputs: give an object, with the inputs by name.")
    return kind.normalize(inputs)


def reseal(make_new: Callable[[str], str]) -> int:
    """Seal the secrets of all connectors anew, in the caller's transaction; returns how many."""
    rows = Connector.objects.exclude(sealed="").select_for_update().values_list("pk", "sealed")
    for key, sealed in rows:
        Connector.objects.filter(pk=key).update(sealed=make_new(sealed))
    return len(rows)


# -- Storing ------------------------------------------------------------------------------------------------


def _store(connector: Connector, *, by: Any, **fields: Any) -> Connector:
    name = fields.setdefault("connector_type", connector.connector_type)
    if not isinstance(name, str) or name not in MODULES:
        raise ValidationError({"connector_type": f"Give one of: {', '.join(MODULES)}."})
    if connector.connector_type not in ("", name):
        raise ValidationError({"connector_type": "A connector keeps its type. Make another connector."})
    kind = type_of(name)
    value = _normalized(kind, "value", fields.get("value", connector.value))
    fields["value"], found = part(kind, value)
    change = merge(found, _normalized(kind, "secrets", fields.pop("secrets", None) or {}))
    _check(kind, "value", fields["value"])
    with transaction.atomic():
        if change:
            secrets = patch(_open(connector), change)
            _check(kind, "secrets", secrets)
            fields |= {"sealed": connector.seal(secrets), "secret_fields": sorted(paths_of(secrets))}
        return save_record(connector, by=by, **fields)


def _open(connector: Connector) -> Inputs:
    """Return the secrets as they are now; nobody else changes them until the transaction is over."""
    if connector._state.adding:
        return {}
    rows = Connector.objects.select_for_update().values_list("sealed", flat=True)
    connector.sealed = rows.get(pk=connector.pk)
    try:
        return connector.open_secrets()
    except sealing.CannotOpen as error:
        raise ValidationError({"secrets": str(error)}) from error


def _normalized(kind: ConnectionType, field_name: str, value: Any) -> Inputs:
    try:
        return normalized(kind, value)
    except InputRefused as refused:
        raise ValidationError({field_name: refused.message}) from refused


def _check(kind: ConnectionType, field_name: str, value: Inputs) -> None:
    faults = find_faults(kind.SCHEMA, value)
    if faults:
        raise ValidationError({field_name: in_words(faults, field_name)})
