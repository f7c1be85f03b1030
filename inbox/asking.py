"""The side of those who ask: an execution writes a message, waits for its answer, and closes it when it ends.

Whoever locks an execution and a message locks the execution first. What people do with messages is in `operations`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone

from access.models import Role, User
from executions.database import fetch
from executions.endings import wake
from inbox.bodies import is_notice
from inbox.models import Message
from inbox.news import announce_messages
from records.forms import check_answer, in_words
from records.models import NAME_LENGTH

MAX_TIMEOUT_SECONDS = 10 * 366 * 86400


@dataclass(frozen=True)
class Question:
    """What is told or asked. `timeout`: seconds until `default` is the answer, or until the message closes."""

    subject: str
    body: dict[str, Any]
    message_type: str = Message.Type.INFO
    timeout: float | None = None
    default: dict[str, Any] | None = None
    recipients: list[User] = field(default_factory=list)
    recipient_roles: list[Role] = field(default_factory=list)


def create_message(question: Question, *, execution_id: UUID, project_id: UUID, by: Any) -> Message:
    """Write a message of this execution, in the caller's transaction. Raises ValidationError naming the field."""
    subject = question.subject.strip()
    if not 0 < len(subject) <= NAME_LENGTH:
        raise ValidationError({"subject": f"Give a subject of 1 to {NAME_LENGTH} characters."})
    if question.message_type not in Message.Type.values:
        raise ValidationError({"message_type": f"Give one of {', '.join(Message.Type.values)}."})
    now = timezone.now()
    message: Message = Message.objects.create(
        execution_id=execution_id,
        project_id=project_id,
        subject=subject,
        body=question.body,
        message_type=question.message_type,
        is_notice=is_notice(question.body),
        recipient_ids=[user.pk for user in question.recipients],
        recipient_role_ids=[role.pk for role in question.recipient_roles],
        deadline_at=None if question.timeout is None else now + timedelta(seconds=question.timeout),
        default_response=_default_of(question),
        created_at=now,
        created_by=by,
    )
    announce_messages([message.pk])
    return message


def _default_of(question: Question) -> Any:
    timeout, default = question.timeout, question.default
    if timeout is not None and not 0 <= timeout <= MAX_TIMEOUT_SECONDS:
        raise ValidationError({"timeout": "Give a number of seconds from 0 to ten years."})
    if default is None:
        return None
    if timeout is None:
        raise ValidationError({"default": "A default answer needs a timeout after which it is given."})
    answer, faults = check_answer(question.body, default)
    if faults:
        raise ValidationError({"default": in_words(faults, "default")})
    return answer


@dataclass(frozen=True)
class Standing:
    """How a message stands for one that waits: whether it is over, and how long it can still take."""

    is_submitted: bool
    is_over: bool
    seconds_left: float | None


_STANDING = """
SELECT is_submitted, is_submitted OR closed_at IS NOT NULL OR deleted_at IS NOT NULL,
    extract(epoch FROM deadline_at - clock_timestamp())::float8
FROM inbox_message WHERE id = %s
"""
_REGISTER = """
UPDATE inbox_message SET waiter_ids = array_append(waiter_ids, %(waiter)s::uuid)
WHERE id = %(id)s AND NOT %(waiter)s::uuid = ANY(waiter_ids)
"""


def register_waiter(message_id: UUID, waiter_id: UUID) -> None:
    """Note that this execution waits for the message; whoever answers wakes it.

    The caller has locked the execution. Noted once and for all: a second time would lock the message again.
    """
    if not Message.objects.filter(pk=message_id, waiter_ids__contains=[waiter_id]).exists():
        fetch(_REGISTER, {"id": message_id, "waiter": waiter_id})


def standing_of(message_id: UUID) -> Standing | None:
    """Return how the message stands, once what is overdue is settled; None when it is gone."""
    found = fetch(_STANDING, (message_id,))
    if found and not found[0][1] and found[0][2] is not None and found[0][2] <= 0:
        settle_overdue()
        found = fetch(_STANDING, (message_id,))
    return Standing(*found[0]) if found else None


_SETTLE = """
WITH due AS (
    SELECT id FROM inbox_message
    WHERE NOT is_submitted AND closed_at IS NULL AND deadline_at <= clock_timestamp()
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE inbox_message m SET is_submitted = m.default_response IS NOT NULL, response = m.default_response,
    answered_at = CASE WHEN m.default_response IS NULL THEN NULL ELSE clock_timestamp() END,
    closed_at = CASE WHEN m.default_response IS NULL THEN clock_timestamp() END
FROM due WHERE m.id = due.id RETURNING m.id
"""


def settle_overdue() -> None:
    """Give the default answers of messages whose deadline has passed, and close those without one.

    Nobody is woken: whoever waits for a message has a timer for its deadline.
    """
    announce_messages([row[0] for row in fetch(_SETTLE)])


_CLOSE = """
UPDATE inbox_message SET closed_at = clock_timestamp()
WHERE execution_id = ANY(%(ids)s) AND NOT is_submitted AND closed_at IS NULL
AND (NOT is_notice OR execution_id = ANY(waiter_ids)) RETURNING id, waiter_ids
"""


def close_messages(ids: list[UUID], here: int | None = None) -> list[tuple[UUID, int]]:
    """Close what these ended executions still asked; what they only told stays until it is read.

    Returns the other executions that waited for an answer: they may go on.
    """
    closed = fetch(_CLOSE, {"ids": ids})
    if not closed:
        return []
    announce_messages([row[0] for row in closed])
    others = {waiter for row in closed for waiter in row[1]}.difference(ids)
    return wake(sorted(others), here) if others else []
