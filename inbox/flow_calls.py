"""The flows' door: writing messages and waiting for their answers. A wait is data, so any host can take it up."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from access.models import Role, User
from access.permissions import Operation
from executions import hosting
from executions.calls.base import Caller, CallRefused, Parked, find_record, number_of
from executions.lifecycle import Status
from inbox.asking import Question, create_message, register_waiter, standing_of
from inbox.bodies import make_body
from inbox.models import Message

SNAPSHOT = ("id", "subject", "is_submitted", "response")
_FIELDS = {
    "subject", "message", "request", "body", "message_type", "timeout", "default", "recipients", "recipient_roles",
}  # fmt: skip


def create(caller: Caller, arguments: dict[str, Any]) -> Any:
    """Write a message of the caller; with `wait` it is answered when the message is."""
    caller.has_ties = True
    fields = dict(arguments.get("fields") or {})
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise CallRefused(
            "InvalidInputError",
            f"A message takes no {unknown[0]!r}; there are: {', '.join(sorted(_FIELDS))}.",
        )
    text = fields.get("message") or fields.get("request") or "Message"
    question = Question(
        subject=str(fields.get("subject") or str(text).strip().splitlines()[0][:128]),
        body=make_body(fields.get("message"), fields.get("request"), fields.get("body")),
        message_type=str(fields.get("message_type") or Message.Type.INFO).upper(),
        timeout=number_of(fields.get("timeout"), "timeout"),
        default=fields.get("default"),
        recipients=_find(User.objects.filter(is_active=True), "username", fields, "recipients"),
        recipient_roles=_find(Role.objects.alive(), "name", fields, "recipient_roles"),
    )
    message = create_message(question, execution_id=caller.id, project_id=caller.project_id, by=caller.user)
    if arguments.get("wait"):
        return _wait_on(caller, message, None)
    return _snapshot(message)


def wait(caller: Caller, arguments: dict[str, Any]) -> Any:
    """Wait for the answer of a message, `timeout` seconds at most."""
    message = find_record(caller, {"type": "message", "select": arguments["id"], "by": "id"}, Operation.READ)
    timeout = number_of(arguments.get("timeout"), "timeout")
    return _wait_on(caller, message, None if timeout is None else time.time() + timeout)


def wait_again(caller: Caller, wait: dict[str, Any]) -> Any:
    """Take up a wait where it was written down."""
    message = Message.objects.filter(pk=wait["id"]).first()
    if message is None:
        raise _gone()
    return _wait_on(caller, message, wait["until"])


def _wait_on(caller: Caller, message: Message, until: float | None) -> Any:
    """Return the answered message, or park. `until`: when this wait ends, though the message may stay open."""
    # First written down, then looked at: an answer that comes in between finds us.
    register_waiter(message.pk, caller.id)
    standing = standing_of(message.pk)
    if standing is None:
        raise _gone()
    if standing.is_submitted:
        return _snapshot(Message.objects.get(pk=message.pk))
    if standing.is_over:
        raise CallRefused(
            "MessageResponseTimeoutError", f"Nobody answered {message.subject!r}; it is closed."
        )
    if until is not None and until <= time.time():
        raise CallRefused("MessageResponseTimeoutError", f"Nobody answered {message.subject!r} in time.")
    limits = [standing.seconds_left, None if until is None else until - time.time()]
    wake_in = min((max(limit, 0.0) for limit in limits if limit is not None), default=None)
    _park(caller.id, message, wake_in)
    return Parked({"kind": "message", "id": str(message.pk), "until": until}, wake_in=wake_in)


def _park(execution_id: UUID, message: Message, wake_in: float | None) -> None:
    shown: dict[str, Any] = {"kind": "message", "id": str(message.pk), "subject": message.subject}
    if wake_in is not None:
        shown["until"] = datetime.fromtimestamp(time.time() + wake_in, tz=UTC).isoformat()
    hosting.park(execution_id, Status.WAITING_FOR_MESSAGE, shown, wake_in)


def _snapshot(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in SNAPSHOT}


def _gone() -> CallRefused:
    return CallRefused("ResourceNotFoundError", "The message that was waited for does not exist any more.")


def _find(rows: "QuerySet[Any]", name_field: str, fields: dict[str, Any], argument: str) -> list[Any]:
    """Return the users or roles that an argument names, by name or id: anybody may be asked, seen or not."""
    given = fields.get(argument)
    found = []
    for name in given if isinstance(given, list) else [] if given is None else [given]:
        try:
            wanted: dict[str, Any] = {"pk": UUID(str(name))}
        except ValueError:
            wanted = {name_field: str(name)}
        record = rows.filter(**wanted).first()
        if record is None:
            raise CallRefused("InvalidInputError", f"{argument}: there is no {name!r} to be asked.")
        found.append(record)
    return found
