"""Probes for whoever watches the site: `/alive` (this process answers) and `/ready` (the whole can do its job).

They show no secret and ask for no sign-in. People wanting advice run `manage.py doctor`.
"""

from datetime import timedelta

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from executions.models import FROZEN_AFTER_SECONDS, Process

_migrated = False


@require_safe
async def alive(request: HttpRequest) -> JsonResponse:
    """Answer at once, touching nothing but this process."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when executions can be started and will run, else 503 with what is missing."""
    reasons = what_is_missing()
    if reasons:
        answer = JsonResponse({"status": "not ready", "reasons": reasons}, status=503)
        answer._has_been_logged = True  # type: ignore[attr-defined]  # a probe's no is no error of ours
        return answer
    return JsonResponse({"status": "ok"})


def what_is_missing() -> list[str]:
    """Return in words what keeps the site from doing its job, empty when nothing does."""
    try:
        if not is_migrated():
            return ["The database lacks migrations."]
        if not has_live_worker():
            return ["No worker is alive."]
    except Error:
        return ["The database does not answer."]
    return []


def is_migrated() -> bool:
    """Tell whether every migration is applied; once true it stays true for this process."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def has_live_worker() -> bool:
    """Tell whether at least one execution host has a fresh heartbeat."""
    fresh = timezone.now() - timedelta(seconds=FROZEN_AFTER_SECONDS)
    hosts = Process.objects.filter(role=Process.Role.HOST, ended_at=None, heartbeat_at__gt=fresh)
    return hosts.exists()


urlpatterns = [
    path("alive", alive, name="alive"),
    path("ready", ready, name="ready"),
]
