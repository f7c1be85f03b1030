"""The part of an execution's page that shows what it asks: the open messages with their forms."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from executions.models import Execution
from inbox.cards import draw_card
from inbox.models import OPEN, Message
from inbox.operations import visible_messages

SHOWN = 5


def draw(request: HttpRequest, execution: Execution) -> SafeString:
    """Return the panel; it is hidden while nothing is open."""
    found = Message.objects.filter(OPEN, execution=execution, deleted_at=None).order_by("is_notice", "id")
    messages = [each for each in visible_messages(request.user, found)[: SHOWN + 1] if each.is_open]
    context = {
        "messages_of": [(each, draw_card(request, each)) for each in messages[:SHOWN]],
        "has_more": len(messages) > SHOWN,
        "stamp": " ".join(each.pk.hex for each in messages),
    }
    return render_to_string("inbox/panel.html", context, request)
