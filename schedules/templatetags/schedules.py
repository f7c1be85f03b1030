"""What the pages of schedules show: when in words, times as clocks show them, outcomes as badges and dots."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django import template
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from access.permissions import Operation, may
from flows.models import Flow
from records.templatetags.ui import duration_text, icon
from schedules.helper import helper_flow
from schedules.models import Firing, Schedule
from schedules.policy import due_at

register = template.Library()

_LOOKS = {
    "started": ("ok", "check"),
    "queued": ("wait", "hourglass"),
    "skipped": ("off", "player-skip-forward"),
    "missed": ("pause", "eye-off"),
    "failed": ("err", "alert-circle"),
}


@register.filter
def configured(schedule: Schedule) -> str:
    """Return the configuration in a few words."""
    found = []
    order = list((schedule.scheduler.configuration_schema or {}).get("properties", {}))
    place = {name: number for number, name in enumerate(order)}
    for name, value in sorted(
        schedule.configuration.items(), key=lambda item: place.get(item[0], len(order))
    ):
        if isinstance(value, list):
            found.append(", ".join(map(str, value)))
        elif isinstance(value, bool | int | float):
            found.append(f"{value} {name}" if name == "seconds" else f"{name} {value}")
        else:
            found.append(str(value))
    return " · ".join(found)


@register.filter
def when(schedule: Schedule) -> str:
    """Return when it runs: its scheduler and its configuration."""
    words = f"{schedule.scheduler.name} · {configured(schedule)}".removesuffix(" · ")
    return words if schedule.time_zone == "UTC" else f"{words} · {schedule.time_zone}"


@register.filter
def shown_time(moment: datetime) -> str:
    """Return a time as the clocks of its zone show it."""
    clock = moment.strftime("%H:%M" if moment.second == 0 else "%H:%M:%S")
    return f"{moment:%a} {moment.day} {moment:%b %Y}, {clock}"


@register.filter
def fired_time(firing: Firing, schedule: Schedule) -> str:
    """Return the time that a firing was for, in the schedule's zone."""
    return shown_time(firing.nominal_at.astimezone(ZoneInfo(schedule.time_zone)))


@register.filter
def late(firing: Firing, schedule: Schedule) -> str:
    """Return how late the flow was started."""
    return duration_text((firing.at - due_at(schedule, firing.nominal_at)).total_seconds())


@register.simple_tag
def outcome_badge(outcome: str) -> SafeString:
    """Draw what became of a time that started nothing."""
    group, name = _LOOKS[outcome]
    return format_html(
        '<span class="badge {}">{}{}</span>', group, icon(name), Firing.Outcome(outcome).label.lower()
    )


@register.simple_tag
def outcome_dot(outcome: str) -> SafeString:
    """Draw it small."""
    group, name = _LOOKS[outcome]
    word = Firing.Outcome(outcome).label
    return format_html('<span class="status-dot {}" title="{}">{}</span>', group, word, icon(name, "", word))


@register.simple_tag(takes_context=True)
def schedule_helper(context: Context) -> Flow | None:
    """Return the flow of the Scheduling bundle that asks for a schedule's details, if it is here."""
    return helper_flow(context["request"].user)


@register.simple_tag(takes_context=True)
def may_change(context: Context, schedule: Schedule) -> bool:
    """Tell whether the person may enable and disable it."""
    return not schedule.is_deleted and may(context["request"].user, Operation.UPDATE, schedule)
