"""The secret inputs of connections: parted from the others, sealed into the execution's row, opened again.

`executions.starting` seals, hosts and repeated starts open; the sealing itself is that of connectors.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from connectors.merging import masked, merge
from connectors.operations import part_inputs
from connectors.sealing import CannotOpen, seal, unseal
from connectors.types.base import Inputs
from executions.models import Execution


def owner_of(execution_id: UUID) -> str:
    """Return the name under which secret inputs of an execution are sealed."""
    return f"execution {execution_id}"


def seal_inputs(columns: dict[str, Any], more: Inputs) -> None:
    """Part the secret ones from the inputs of a connection."""
    shown, hidden = part_inputs(columns["connector_type"], columns["input_value"])
    hidden = merge(more, hidden)
    columns["input_value"] = merge(shown, masked(hidden))
    if hidden:
        store_sealed(columns, hidden)


def store_sealed(columns: dict[str, Any], secrets: Inputs) -> None:
    """Put secret inputs among the columns of a row that is to be written."""
    with transaction.atomic():
        columns["sealed_inputs"] = seal(owner_of(columns["id"]), secrets)


def secret_inputs_of(execution: Execution) -> Inputs:
    """Return the secret inputs of a connection. Raises ValidationError when they cannot be opened any more."""
    if not execution.sealed_inputs:
        return {}
    try:
        found: Inputs = unseal(owner_of(execution.pk), execution.sealed_inputs)
        return found
    except CannotOpen as error:
        raise ValidationError({"input_value": str(error)}) from error


def reseal_inputs(make_new: Callable[[str], str]) -> int:
    """Seal the secret inputs of all connections anew, in the caller's transaction; returns how many."""
    rows = (
        Execution.objects.exclude(sealed_inputs=None).select_for_update().values_list("pk", "sealed_inputs")
    )
    count = 0
    for key, sealed in rows.iterator():
        assert sealed is not None
        Execution.objects.filter(pk=key).update(sealed_inputs=make_new(sealed))
        count += 1
    return count
