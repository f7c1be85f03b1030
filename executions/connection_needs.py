"""What connections need to be carried out, read by the host before: the rest asks no database.

That a connector's secrets are used is written down here, before they are.
"""

from dataclasses import dataclass, field

from connectors.masking import Masker
from connectors.merging import texts_of
from connectors.models import Connector
from connectors.operations import Stored
from connectors.outgoing import Policy, present_policy
from connectors.sealing import CannotOpen, unseal
from connectors.types.base import Inputs
from executions.assignments import Assignment
from executions.masks import Masks, note_use
from executions.savepoints import load_journals
from executions.sealed_inputs import owner_of


@dataclass(frozen=True)
class Needs:
    """One connection, ready to be handed over. `problem` says why it cannot be carried out."""

    assignment: Assignment
    policy: Policy
    masker: Masker
    log_number: int = 0
    stored: Stored | None = None
    secret_inputs: Inputs = field(default_factory=dict, repr=False)
    problem: str = ""


def read_needs(given: list[Assignment], masks: Masks) -> list[Needs]:
    """Return what these connections need."""
    begun = [each.id for each in given if each.has_journal]
    journals = load_journals(begun) if begun else {}
    keys = {each.connector_id for each in given if each.connector_id}
    connectors = Connector.objects.alive().in_bulk(keys) if keys else {}
    policy = present_policy()
    needs = []
    for each in given:
        masker = masks.of(each.root_id)
        log_number = journals[each.id].log_number if each.id in journals else 0
        connector = connectors.get(each.connector_id) if each.connector_id else None
        if each.connector_id and connector is None:
            needs.append(Needs(each, policy, masker, log_number, problem="Its connector was deleted."))
            continue
        try:
            stored = Stored(connector.name, connector.value, connector.open_secrets()) if connector else None
            secret_inputs = unseal(owner_of(each.id), each.sealed_inputs) if each.sealed_inputs else {}
        except CannotOpen as error:
            needs.append(Needs(each, policy, masker, log_number, problem=str(error)))
            continue
        masker.learn(texts_of([stored.secrets if stored else {}, secret_inputs]))
        needs.append(Needs(each, policy, masker, log_number, stored, secret_inputs))
    note_use(
        [
            (each.root_id, connector.pk)
            for each in given
            if each.connector_id and (connector := connectors.get(each.connector_id))
            if connector.has_secrets and connector.pk not in each.secrets_used
        ]
    )
    return needs
