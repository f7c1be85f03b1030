"""Template tags of the inbox: how a message of some type looks in a row."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inbox.cards import LOOKS
from inbox.models import Message
from records.templatetags.ui import icon

register = template.Library()


@register.simple_tag
def message_icon(message: Message) -> SafeString:
    """Draw the icon of the message's type in its colour; its words are for screen readers."""
    group, name = LOOKS[message.message_type]
    return format_html(
        '<span class="status-dot {}">{}</span>', group, icon(name, label=message.get_message_type_display())
    )
