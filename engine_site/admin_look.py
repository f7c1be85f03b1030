"""How the admin looks: its title, colours and sidebar. `settings.py` hands it to django-unfold."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def _entry(title: str, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}


# Violet on grey, as in the rest of the site.
_BASE = {
    "50": "#f6f7f8", "100": "#f1f2f4", "200": "#e2e4e9", "300": "#c6cad2", "400": "#a0a7b3", "500": "#6e7583",
    "600": "#565d6a", "700": "#3a3f49", "800": "#2a2d35", "900": "#17191e", "950": "#101115",
}  # fmt: skip
_PRIMARY = {
    "50": "#f5f4ff", "100": "#efedff", "200": "#ddd8ff", "300": "#c4bcff", "400": "#a79dff", "500": "#7365ee",
    "600": "#5443d3", "700": "#4535bd", "800": "#382c98", "900": "#2d2478", "950": "#1b1648",
}  # fmt: skip

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Engine admin",
    "SITE_HEADER": "Engine",
    "SITE_SUBHEADER": "Admin",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("img/logo.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/logo.svg")}
    ],
    "SHOW_VIEW_ON_SITE": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {"base": _BASE, "primary": _PRIMARY},
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Work",
                "items": [
                    _entry("Executions", "play_circle", "executions_execution"),
                    _entry("Schedules", "schedule", "schedules_schedule"),
                    _entry("Messages", "inbox", "inbox_message"),
                    _entry("Flows", "code", "flows_flow"),
                    _entry("Connectors", "cable", "connectors_connector"),
                    _entry("Webhooks", "webhook", "webhooks_webhook"),
                    _entry("Projects", "folder", "projects_project"),
                    _entry("Bundles", "deployed_code", "projects_bundle"),
                    _entry("Configuration", "tune", "records_manualvalue"),
                ],
            },
            {
                "title": "People",
                "items": [
                    _entry("Users", "person", "access_user"),
                    _entry("Roles", "shield_person", "access_role"),
                    _entry("Roles held", "group", "access_identityrole"),
                    _entry("API keys", "key", "access_apikey"),
                    _entry("Audit log", "history_edu", "access_auditentry"),
                    _entry("Refused sign-ins", "lock_person", "access_signinfailure"),
                ],
            },
            {
                "title": "Engine",
                "items": [
                    _entry("Processes", "memory", "executions_process"),
                    _entry("Maintenance", "build", "executions_maintenance"),
                    _entry("Housekeeping", "mop", "executions_housework"),
                    _entry("Counted hours", "bar_chart", "executions_hourcount"),
                    _entry("Log lines", "notes", "executions_logline"),
                    _entry("Transitions", "swap_horiz", "executions_transition"),
                    _entry("Savepoints", "bookmark", "executions_savepoint"),
                    _entry("Large values", "database", "executions_payload"),
                    _entry("Waits", "hourglass_empty", "executions_wait"),
                    _entry("Secrets in use", "password", "connectors_secretuse"),
                    _entry("Schedulers", "update", "schedules_scheduler"),
                    _entry("Firings", "alarm_on", "schedules_firing"),
                    _entry("Calls of webhooks", "call_received", "webhooks_webhookcall"),
                    _entry("Rate limits", "speed", "webhooks_ratewindow"),
                    _entry("Run choices", "tune", "executions_runchoice"),
                    _entry("Flow versions", "history", "flows_flowversion"),
                    _entry("Scripts", "description", "flows_script"),
                    _entry("Background tasks", "low_priority", "django_q_ormq"),
                    _entry("Failed tasks", "error", "django_q_failure"),
                ],
            },
        ],
    },
}
