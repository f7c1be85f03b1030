"""News of messages for the browsers that are open: a hint to those who may see them, who then ask what is new."""

from collections.abc import Iterable
from uuid import UUID

from executions.announce import announce_topic
from executions.topics import Hint
from inbox.models import Message

TOPIC = "inbox"


def announce_messages(ids: Iterable[UUID]) -> None:
    """Tell that these messages are new or changed: with the commit, or with the host's next batch."""
    announce_topic(TOPIC, ids)


def read_hints(ids: list[UUID]) -> list[Hint]:
    """Return for each message who may hear of it, and of which execution it is."""
    rows = Message.objects.filter(pk__in=ids).values_list("project_id", "recipient_ids", "execution_id")
    return [Hint(project, frozenset(people), str(execution)) for project, people, execution in rows]
