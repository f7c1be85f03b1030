"""Every door on one page."""

from django.contrib import admin
from django.urls import include, path

admin.autodiscover()

urlpatterns = [
    # First, as it is asked most. The latest behind its number: names lead to the last.
    path("api/1/", include("engine_site.api")),
    path("api/latest/", include("engine_site.api")),
    path("", include("engine_site.health")),
    path("", include("engine_site.pages")),
    path("", include("access.urls")),
    path("projects/", include("projects.urls")),
    path("trash/", include("engine_site.trash_views")),
    path("configuration/", include("engine_site.configuration_views")),
    path("bundles/", include("projects.bundle_urls")),
    path("flows/", include("flows.urls")),
    path("connectors/", include("connectors.urls")),
    path("settings/", include("projects.setting_urls")),
    path("wrappers/", include("flows.wrapper_urls")),
    path("executions/", include("executions.urls")),
    path("inbox/", include("inbox.urls")),
    path("", include("schedules.urls")),
    path("webhooks/", include("webhooks.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "engine_site.errors.bad_request"
handler403 = "engine_site.errors.refused"
handler404 = "engine_site.errors.not_found"
handler500 = "engine_site.errors.failed"
