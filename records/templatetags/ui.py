"""Template tags of the design: icons, status and mode badges, moments, durations, JSON.

All pages `{% load ui %}`. The tags work on plain values (a status is its string) and ask no database.
`static/js/ui/status.js` draws the same badges from live data.
"""

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

NOTHING = mark_safe('<span class="muted" aria-hidden="true">–</span>')


class Look(NamedTuple):
    """How a status is shown: colour group, icon and word."""

    group: str
    icon: str
    word: str


LOOKS = {
    "CREATED": Look("off", "circle-dashed", "Created"),
    "SCHEDULED": Look("wait", "calendar-time", "Scheduled"),
    "QUEUED": Look("wait", "clock", "Queued"),
    "RUNNING": Look("run", "loader-2", "Running"),
    "WAITING_FOR_DEPENDENCY": Look("wait", "sitemap", "Waiting for executions"),
    "WAITING_FOR_MESSAGE": Look("wait", "message-question", "Waiting for an answer"),
    "WAITING_FOR_LOCK": Look("wait", "lock", "Waiting for a lock"),
    "SLEEPING": Look("wait", "zzz", "Sleeping"),
    "PAUSED": Look("pause", "player-pause", "Paused"),
    "ENDED_SUCCESS": Look("ok", "circle-check", "Success"),
    "ENDED_ERROR": Look("err", "circle-x", "Error"),
    "ENDED_CANCELLED": Look("off", "ban", "Cancelled"),
}


def look_of(status: str) -> Look:
    """Return the look of a status; one that is not in the table is shown by its own name."""
    return LOOKS.get(str(status), Look("off", "circle", str(status)))


@register.simple_tag
@lru_cache(maxsize=1000)  # a page draws some sixty, most of them alike
def icon(name: str, classes: str = "", label: str = "") -> SafeString:
    """Draw an icon of the sprite. It is hidden from screen readers unless it has a label."""
    href = f"{static('img/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="i {}" role="img" aria-label="{}"><use href="{}"/></svg>', classes, label, href
        )
    return format_html('<svg class="i {}" aria-hidden="true"><use href="{}"/></svg>', classes, href)


@register.simple_tag
@lru_cache(maxsize=100)
def status_badge(status: str, large: bool = False) -> SafeString:
    """Draw a status as icon and word on its colour."""
    look = look_of(status)
    turning = "spin-when-running" if status == "RUNNING" else ""
    classes = f"badge {look.group} badge-large" if large else f"badge {look.group}"
    drawn = icon(look.icon, turning)
    return format_html('<span class="{}" data-status="{}">{}{}</span>', classes, status, drawn, look.word)


@register.simple_tag
@lru_cache(maxsize=100)
def status_dot(status: str) -> SafeString:
    """Draw a status as an icon alone, for narrow places; its word is the icon's name."""
    look = look_of(status)
    drawn = icon(look.icon, "", look.word)
    return format_html('<span class="status-dot {}" title="{}">{}</span>', look.group, look.word, drawn)


@register.filter
def status_group(status: str) -> str:
    """Return the colour group (ok, run, wait, pause, err, off) to put on an element as its class."""
    return look_of(status).group


@register.filter
def status_word(status: str) -> str:
    """Return the word for a status."""
    return look_of(status).word


@register.simple_tag
def mode_badge(is_productive: bool) -> SafeString:
    """Draw the hatched badge of development mode; productive executions wear none."""
    if is_productive:
        return SafeString("")
    return format_html('<span class="badge badge-dev" title="Development mode">{}dev</span>', icon("flask"))


@register.simple_tag
def moment(at: datetime | None) -> SafeString:
    """Write a moment relative to now; the client keeps it ticking and shows the full time as a title."""
    if at is None:
        return NOTHING
    return format_html('<time datetime="{}" data-relative>{}</time>', at.isoformat(), relative_text(at))


@register.simple_tag
def clock(at: datetime | None) -> SafeString:
    """Write the time of day; the client shows it in the reader's time zone."""
    if at is None:
        return NOTHING
    return format_html('<time datetime="{}" data-clock>{}</time>', at.isoformat(), f"{at:%H:%M:%S}")


@register.simple_tag
def duration(started_at: datetime | None, ended_at: datetime | None = None) -> SafeString:
    """Write how long something took; while it has not ended the client counts on."""
    if started_at is None:
        return NOTHING
    if ended_at is not None:
        return SafeString(duration_text(ended_at - started_at))
    text = duration_text(timezone.now() - started_at)
    return format_html('<span data-since="{}">{}</span>', started_at.isoformat(), text)


@register.filter(name="duration")
def duration_filter(value: timedelta | float | None) -> str:
    """Write a length of time (a timedelta, or seconds)."""
    return "–" if value is None else duration_text(value)


@register.filter
def one_line(message: str, reason: str = "") -> str:
    """Return the line that tells most: of a traceback (its reason is "raised") the last, else the first."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[-1 if reason == "raised" else 0] if lines else ""


@register.filter
def with_code(words: str) -> SafeString:
    """Return the words as HTML, with what stands between backticks as code."""
    parts = words.split("`")
    marked = (
        (format_html("<code>{}</code>", part) if number % 2 else part,) for number, part in enumerate(parts)
    )
    return format_html_join("", "{}", marked)


@register.filter
def pretty_json(value: Any) -> str:
    """Write a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)


@register.simple_tag
def json_tree(value: Any, name: str) -> SafeString:
    """Draw a JSON value as a foldable tree. `name` is the id of its data and the name of the download."""
    data = json_script(value, name)
    return format_html('{}<json-tree for="{}" filename="{}"></json-tree>', data, name, name)


@register.simple_tag
def copy_button(text: str, label: str = "Copy") -> SafeString:
    """Draw a small button that copies a text."""
    return format_html(
        '<button class="button button-quiet button-small button-icon copy" type="button" data-copy="{}" '
        'aria-label="{}" title="{}">{}</button>',
        text,
        label,
        label,
        icon("copy"),
    )


def duration_text(length: timedelta | float) -> str:
    """Return "40 ms", "7.2 s", "1 min 05 s", "2 h 03 min" or "3 d 4 h"."""
    seconds = max(0.0, length.total_seconds() if isinstance(length, timedelta) else float(length))
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def relative_text(at: datetime, now: datetime | None = None) -> str:
    """Return "12 s ago", "in 5 min" or the date: what the client shows until and after it has a clock."""
    seconds = ((now or timezone.now()) - at).total_seconds()
    size = abs(seconds)
    if size < 2:
        return "just now"
    if size >= 86400:
        return f"{at.day} {at:%b %Y}"
    if size < 60:
        text = f"{int(size)} s"
    else:
        text = f"{int(size // 60)} min" if size < 3600 else f"{int(size // 3600)} h"
    return f"{text} ago" if seconds > 0 else f"in {text}"
