"""Small pieces of admin pages: links to records and lists, moments, long texts. Knows no table."""

from datetime import datetime
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

_PREFORMATTED = "white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, monospace"
_LINK = '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>'


def link(address: str, label: str) -> SafeString:
    """Return a link that looks like the admin's own."""
    return format_html(_LINK, address, label)


def link_to(record: Any, label: str | None = None) -> SafeString | str:
    """Return a link to the admin page of a record, or a dash for none."""
    if record is None:
        return "–"
    name = f"admin:{record._meta.app_label}_{record._meta.model_name}_change"
    return link(reverse(name, args=[record.pk]), label or str(record))


def link_to_list(model: type[Model], label: str, **filters: Any) -> SafeString:
    """Return a link to the admin list of a model, narrowed by these filters."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    return link(reverse(name, query=filters), label)


def clock(moment: datetime | None) -> str:
    """Return a moment to the second, which Django's own format leaves out, or a dash for none."""
    return "–" if moment is None else f"{moment:%d %b %Y %H:%M:%S}"


def preformatted(text: str) -> SafeString | str:
    """Return a text of several lines as it is, or a dash for none."""
    if not text:
        return "–"
    return format_html('<pre style="{}">{}</pre>', _PREFORMATTED, text)
