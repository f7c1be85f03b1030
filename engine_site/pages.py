"""Addresses of the pages that span several apps: dashboard, search, starting a flow, pausing a project."""

from django.urls import path

from engine_site import views
from executions import control_views, run_views

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("favicon.ico", views.favicon),
    path("search", views.search, name="search"),
    path("forms/switch", views.form_switch, name="form-switch"),
    path("flows/<uuid:flow_id>/run/", run_views.flow_run, name="flow-run"),
    path("flows/<uuid:flow_id>/run/options", run_views.flow_run_options, name="flow-run-options"),
    path("flows/<uuid:flow_id>/run/code", run_views.flow_run_code, name="flow-run-code"),
    path("projects/<uuid:project_id>/pause", control_views.project_pause, name="project-pause"),
    path("projects/<uuid:project_id>/resume", control_views.project_resume, name="project-resume"),
]
