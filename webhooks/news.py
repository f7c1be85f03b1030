"""News of the log of a webhook's calls, for the browsers that show it: a hint which webhook it is, no more."""

from uuid import UUID

from executions.announce import announce_topic
from executions.topics import Hint
from webhooks.models import Webhook

TOPIC = "webhook_calls"


def announce_call(webhook_id: UUID) -> None:
    """Tell that a call of this webhook came or was answered."""
    announce_topic(TOPIC, [webhook_id])


def read_hints(ids: list[UUID]) -> list[Hint]:
    """Return for each webhook who may hear of its calls: those who may see its project."""
    rows = Webhook.objects.filter(pk__in=ids).values_list("project_id", "id")
    return [Hint(project_id, about=str(key)) for project_id, key in rows]
