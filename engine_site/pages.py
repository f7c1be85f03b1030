"""Addresses of the pages that span several apps: dashboard, search, and starting a flow."""

from django.urls import path

from engine_site import views

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("favicon.ico", views.favicon),
    path("search", views.search, name="search"),
    path("flows/<uuid:flow_id>/run/", views.flow_run, name="flow-run"),
]
