"""A message as pages draw it: its text and form, or who answered it. The one card of all pages and popups."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from inbox.models import Message
from inbox.operations import may_answer, recipients_of
from records import forms
from records.forms import Fault

LOOKS = {
    "SUCCESS": ("ok", "circle-check"),
    "INFO": ("run", "info-circle"),
    "WARNING": ("pause", "alert-triangle"),
    "ERROR": ("err", "alert-circle"),
    "POPUP": ("run", "message-question"),
}  # type → colour group and icon


def draw_card(
    request: HttpRequest, message: Message, *, value: Any = None, faults: Iterable[Fault] = (), note: str = ""
) -> SafeString:
    """Return the card. An open message has its form, filled with `value` and its `faults`, for those who may answer."""
    answers = message.is_open and message.deleted_at is None and may_answer(request.user, message)
    # Each message's fields have names of their own: a page may show several forms.
    drawn = forms.render(message.body, value, faults, prefix_of(message), submit="OK" if answers else None)
    context = {
        "message": message,
        "look": LOOKS[message.message_type],
        "may_answer": answers,
        "form": drawn if answers else None,
        "shown": None if answers else forms.render_answer(message.body, message.response),
        "recipients": recipients_of(message) if message.is_open and not answers else [],
        "note": note,
    }
    return render_to_string("inbox/card.html", context, request)


def prefix_of(message: Message) -> str:
    """Return what the names of this message's fields begin with."""
    return f"m{message.pk.hex}."
