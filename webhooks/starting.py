"""Starting the flow of a webhook: as whom, where, and with which request."""

from typing import Any

from access.identities import identity_for
from access.models import IdentityKind, User
from access.permissions import PermissionRefused
from executions.models import Execution
from executions.starting import Start, start_execution
from webhooks.models import Location, Webhook


def start_flow(webhook: Webhook, request: dict[str, Any]) -> Execution:
    """Start the flow in the caller's transaction. Raises ValidationError, and PermissionRefused for want of a role."""
    place = {
        Location.FLOW: None,
        Location.WEBHOOK: webhook.project,
        Location.PROJECT: webhook.location_project,
    }[Location(webhook.execution_location)]
    start = Start(flow=webhook.flow, inputs=request, project=place, is_productive=webhook.is_productive)
    return start_execution(start, by=identity_of(webhook), origin=Execution.Origin.WEBHOOK)[0]


def identity_of(webhook: Webhook) -> User:
    """Return the webhook as an identity. Raises PermissionRefused when the user whose it is has been removed."""
    if webhook.created_by is None:
        raise PermissionRefused(
            "The user to whom the webhook belongs is gone. Save it again to make it yours."
        )
    return identity_for(IdentityKind.WEBHOOK, webhook.pk, webhook.name, webhook.created_by)
