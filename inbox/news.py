"""News of messages for the browsers that are open: a hint to those who may see them, who then ask what is new."""

from collections.abc import Iterable
from uuid import UUID

from access.models import IdentityKind, IdentityRole
from executions.announce import announce_topic
from executions.topics import Hint
from inbox.models import Message

TOPIC = "inbox"
_READ = ("project_id", "recipient_ids", "recipient_role_ids", "execution_id")


def announce_messages(ids: Iterable[UUID]) -> None:
    """Tell that these messages are new or changed: with the commit, or with the host's next batch."""
    announce_topic(TOPIC, ids)


def read_hints(ids: list[UUID]) -> list[Hint]:
    """Return for each message who may hear of it, and of which execution it is."""
    return [
        Hint(
            message.project_id,
            frozenset([*message.recipient_ids, *_holders(message)]),
            str(message.execution_id),
        )
        for message in Message.objects.filter(pk__in=ids).only(*_READ)
    ]


def _holders(message: Message) -> list[UUID]:
    if not message.recipient_role_ids:
        return []
    held = IdentityRole.objects.filter(role__in=message.recipient_role_ids, identity_kind=IdentityKind.USER)
    return list(held.values_list("identity_id", flat=True))
