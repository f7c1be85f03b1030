"""Every door on one page."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("engine_site.health")),
    path("", include("engine_site.pages")),
    path("", include("access.urls")),
    path("projects/", include("projects.urls")),
    path("flows/", include("flows.urls")),
    path("executions/", include("executions.urls")),
    path("api/latest/", include("engine_site.api")),
    path("api/1/", include("engine_site.api")),
    path("admin/", admin.site.urls),
]
