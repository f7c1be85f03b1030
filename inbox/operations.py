"""The side of those who answer: who may see and answer a message, the answer, and the trash."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils import timezone

from access import audit
from access.matrix import matrix_of
from access.models import Role, User
from access.permissions import (
    Operation,
    PermissionRefused,
    is_unrestricted,
    may_in_project,
    projects_with,
    require,
)
from executions.database import transacted
from executions.endings import lock_all, wake
from inbox.models import OPEN, Message
from inbox.news import announce_messages
from records.forms import check_answer, in_words
from records.operations import Conflict

COUNTED = 100


class AlreadyAnswered(Conflict):
    """Somebody else was first; the message says who and when."""

    def __init__(self, message: Message) -> None:
        who = message.answered_by.username if message.answered_by else "its deadline"
        when = f"{message.answered_at:%Y-%m-%d %H:%M:%S} UTC" if message.answered_at else "before"
        super().__init__(f"“{message.subject}” was answered by {who} at {when}. Your answer was not stored.")


class MessageClosed(Conflict):
    """Nobody waits for an answer any more."""

    def __init__(self, message: Message) -> None:
        whys = {"expired": "its time is over", "closed": "its execution has ended"}
        why = whys.get(message.state, "it was deleted")
        super().__init__(f"“{message.subject}” is closed: {why}. Your answer was not stored.")


class StillWaitedFor(Conflict):
    """An execution waits for the answer; the message cannot go."""


def visible_messages(user: Any, rows: "QuerySet[Message]") -> "QuerySet[Message]":
    """Narrow messages to those of projects that this person may read, and those addressed to them."""
    if user is None or not user.is_active:
        return rows.none()
    return rows.filter(_in_projects(user, Operation.READ) | _to(user))


def messages_for(user: Any) -> "QuerySet[Message]":
    """Return the open messages that wait for this person: addressed to them, or to nobody where they may answer."""
    rows = Message.objects.filter(OPEN, deleted_at=None, project__deleted_at=None)
    rows = rows.exclude(deadline_at__lte=timezone.now())
    to_all = Q(recipient_ids=[], recipient_role_ids=[])
    return rows.filter(to_all & _in_projects(user, Operation.UPDATE) | _to(user))


def _in_projects(user: Any, operation: Operation) -> Q:
    projects = projects_with(user, operation, Message)
    # An empty condition would vanish when it is joined with another by "or".
    return Q(pk__isnull=False) if projects is None else Q(project_id__in=projects)


def _to(user: Any) -> Q:
    """Return the condition of messages that are addressed to this person, by name or by a role that they hold."""
    roles = list(matrix_of(user).roles)
    return Q(recipient_ids__contains=[user.pk]) | (
        Q(recipient_role_ids__overlap=roles) if roles else Q(pk=None)
    )


def read_bell(user: Any) -> dict[str, Any]:
    """Return the number of messages that wait for this person (counted to a limit), and their open popups."""
    waiting = list(messages_for(user).order_by("-id").values_list("id", "message_type")[:COUNTED])
    popups = [str(key) for key, kind in waiting if kind == Message.Type.POPUP]
    text = f"{COUNTED - 1}+" if len(waiting) == COUNTED else str(len(waiting))
    return {"count": len(waiting), "text": text, "popups": popups[::-1]}


def may_answer(user: Any, message: Message) -> bool:
    """Tell whether this person may answer: a recipient; without any, whoever may UPDATE messages of the project."""
    if user is None or not user.is_active:
        return False
    if is_unrestricted(user):
        return True
    if not (message.recipient_ids or message.recipient_role_ids):
        return may_in_project(user, Operation.UPDATE, message.project_id, Message)
    # A person is asked, not what runs in their name; a role may be held by either.
    is_named = user.acting is None and user.pk in message.recipient_ids
    return is_named or not matrix_of(user).roles.keys().isdisjoint(message.recipient_role_ids)


def recipients_of(message: Message) -> list[str]:
    """Return the names of the people and roles that it is addressed to."""
    users = User.objects.filter(pk__in=message.recipient_ids).order_by("username")
    roles = Role.objects.filter(pk__in=message.recipient_role_ids).order_by("name")
    return [*users.values_list("username", flat=True), *roles.values_list("name", flat=True)]


def answer_message(message: Message, response: Any, *, by: Any) -> Message:
    """Store the answer and let those go on who wait for it. The first answer holds.

    Raises PermissionRefused, ValidationError (each fault with path, value and rule), AlreadyAnswered, MessageClosed.
    """
    if not may_answer(by, message):
        others = ", ".join(recipients_of(message))
        needed = f"it is addressed to {others}" if others else "you need UPDATE permission on this message"
        raise PermissionRefused(f"You may not answer this message: {needed}.")
    answer, faults = check_answer(message.body, response)
    if faults:
        raise ValidationError({"response": in_words(faults, "response")}, code="input_invalid")
    try:
        _store_answer(message.pk, answer, by)
    except Message.DoesNotExist:
        raise MessageClosed(message) from None
    message.refresh_from_db()
    return message


@transacted
def _store_answer(message_id: UUID, answer: dict[str, Any], by: Any) -> None:
    # Executions are locked before messages, everywhere. One that begins to wait meanwhile is woken all the same.
    lock_all(list(Message.objects.values_list("waiter_ids", flat=True).get(pk=message_id)))
    message = Message.objects.select_for_update(of=("self",)).select_related("answered_by").get(pk=message_id)
    if message.is_submitted:
        raise AlreadyAnswered(message)
    if message.deleted_at is not None or not message.is_open:
        raise MessageClosed(message)
    message.response, message.is_submitted = answer, True
    message.answered_by, message.answered_at = by, timezone.now()
    message.save(update_fields=["response", "is_submitted", "answered_by", "answered_at"])
    wake(message.waiter_ids)
    announce_messages([message.pk])
    audit.note("answer", message, by=by)


def save_message(message: Message, *, by: Any, **fields: Any) -> Message:
    """Change what can be changed of a message: its answer, once."""
    if set(fields) != {"response"}:
        raise ValidationError(
            dict.fromkeys(fields or ["response"], "Only the response of a message can be set.")
        )
    return answer_message(message, fields["response"], by=by)


@transacted
def trash_message(message: Message, *, by: Any) -> Message:
    """Put a message into the trash. Raises StillWaitedFor while an execution waits for its answer."""
    require(by, Operation.DELETE, message)
    row = Message.objects.select_for_update().get(pk=message.pk)
    if row.is_open and row.waiter_ids:
        raise StillWaitedFor(
            f"“{row.subject}” is waited for. Answer it, or cancel the execution that waits; then delete it."
        )
    if Message.objects.filter(pk=row.pk, deleted_at=None).update(deleted_at=timezone.now(), deleted_by=by):
        audit.note("delete", message, by=by)
    announce_messages([row.pk])
    message.refresh_from_db()
    return message


@transacted
def restore_message(message: Message, *, by: Any) -> Message:
    """Take a message out of the trash."""
    require(by, Operation.DELETE, message)
    Message.objects.filter(pk=message.pk).update(deleted_at=None, deleted_by=None)
    announce_messages([message.pk])
    audit.note("restore", message, by=by)
    message.refresh_from_db()
    return message
