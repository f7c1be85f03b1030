"""Template tags of the shell around every page: projects in the sidebar, running count, maintenance, links.

Only templates load them. What pages show of their own comes from their views.
"""

from typing import Any

from django import template
from django.db.models import Exists, OuterRef, Q
from django.template.context import Context
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from access.permissions import Operation, may, may_anywhere, may_in_project, visible
from connectors.models import Connector
from connectors.types import MODULES, type_of
from executions.lifecycle import Status
from executions.models import Execution, Maintenance
from executions.pausing import maintenance
from inbox.operations import read_bell
from projects.models import Project
from records.templatetags.ui import icon
from schedules.models import Schedule
from webhooks.models import Webhook

register = template.Library()

PROJECTS_SHOWN = 30
COUNTED_RUNNING = 1000
PARTS_SHOWN = 8  # of each type, on the page of a project


@register.simple_tag(takes_context=True)
def shell_projects(context: Context) -> list[dict[str, Any]]:
    """Return the projects that the sidebar and the create dialogs offer; read once per page."""
    request = context["request"]
    if not hasattr(request, "_shell_projects"):
        projects = visible(request.user, Project.objects.alive()).order_by("name").values("id", "name")
        request._shell_projects = list(projects[:PROJECTS_SHOWN])
    return request._shell_projects


@register.simple_tag(takes_context=True)
def running_count(context: Context) -> dict[str, Any]:
    """Return the number of running executions that the person may see, counted to a limit."""
    running = visible(context["request"].user, Execution.objects.alive().filter(status=Status.RUNNING))
    count = running[:COUNTED_RUNNING].count()
    text = f"{COUNTED_RUNNING - 1}+" if count == COUNTED_RUNNING else str(count)
    return {"count": count, "text": text, "url": reverse("execution-monitor") + "?group=running"}


@register.simple_tag(takes_context=True)
def inbox_bell(context: Context) -> dict[str, Any]:
    """Return how many messages wait for the person, and those that open by themselves."""
    return read_bell(context["request"].user)


@register.simple_tag
def connection_types() -> list[tuple[str, str]]:
    """Return the types of connections with their titles."""
    return [(name, type_of(name).TITLE) for name in MODULES]


@register.simple_tag
def maintenance_on() -> Maintenance | None:
    """Return the maintenance that is on, or None."""
    return maintenance()


@register.simple_tag(takes_context=True)
def project_control(context: Context, project: Project) -> dict[str, object]:
    """Tell whether the person may pause what lives in the project now, and resume what is paused there."""
    if project.is_deleted or not may_in_project(
        context["request"].user, Operation.RUN, project.pk, Execution
    ):
        return {}
    alive = Execution.objects.filter(project=OuterRef("pk"), ended_at=None)
    paused = Q(status=Status.PAUSED) | Q(pause_requested_at__isnull=False)
    offered = Project.objects.values(
        may_pause=Exists(alive.exclude(paused).exclude(status=Status.CREATED)),
        may_resume=Exists(alive.filter(paused)),
    )
    return dict(offered.get(pk=project.pk))


@register.simple_tag(takes_context=True)
def project_parts(context: Context, project: Project) -> dict[str, list[Any]]:
    """Return the first schedules, webhooks and connectors of the project that the person may see, by name."""
    schedules = Schedule.objects.select_related("flow").defer("flow__script", "flow__input_schema")
    webhooks = Webhook.objects.select_related("flow").defer("flow__script", "flow__input_schema", "sealed")
    connectors = Connector.objects.only("id", "name", "connector_type")
    found: dict[str, Any] = {"schedules": schedules, "webhooks": webhooks, "connectors": connectors}
    for name, rows in found.items():
        mine = visible(context["request"].user, rows.filter(project=project, deleted_at=None))
        found[name] = list(mine.order_by("name")[:PARTS_SHOWN])
    return found


@register.simple_tag(takes_context=True)
def allowed(context: Context, operation: str, record_type: str) -> bool:
    """Tell whether the person may do this to all records of a type."""
    return may(context["request"].user, Operation(operation), record_type)


@register.simple_tag(takes_context=True)
def allowed_anywhere(context: Context, operation: str, record_type: str) -> bool:
    """Tell whether there is a place where the person may do this to records of a type."""
    return may_anywhere(context["request"].user, Operation(operation), record_type)


@register.simple_tag(takes_context=True)
def nav_link(context: Context, name: str, label: str, icon_name: str, shortcut: str = "") -> SafeString:
    """Draw a link of the sidebar, marked when its page is open; a page that does not exist gives no link."""
    try:
        url = reverse(name)
    except NoReverseMatch:
        return SafeString("")
    match = context["request"].resolver_match
    current = SafeString(' aria-current="page"') if match and match.view_name == name else ""
    return format_html(
        '<a class="nav-link" href="{}"{}{} title="{}">{}<span>{}</span></a>',
        url,
        current,
        format_html(' data-shortcut-always="{}"', shortcut) if shortcut else "",
        label,
        icon(icon_name),
        label,
    )


@register.filter
def undo_url(tags: str) -> str:
    """Return the address in a message's tags `undo:<address>`: posting to it takes the action back."""
    return next((tag.removeprefix("undo:") for tag in tags.split() if tag.startswith("undo:")), "")
