"""Addresses of the pages of connectors. The buttons that start connections are of `executions`."""

from django.urls import path

from connectors import views

urlpatterns = [
    path("", views.connector_list, name="connector-list"),
    path("create/", views.connector_create, name="connector-create"),
    path("<uuid:connector_id>/", views.connector_detail, name="connector-detail"),
    path("<uuid:connector_id>/json/", views.connector_json, name="connector-json"),
    path("<uuid:connector_id>/wrappers/", views.connector_wrappers, name="connector-wrappers"),
    path("<uuid:connector_id>/use/", views.connector_use, name="connector-use"),
    path("<uuid:connector_id>/details/", views.connector_details, name="connector-details"),
    path("<uuid:connector_id>/test/<uuid:execution_id>/", views.connector_trial, name="connector-trial"),
    path("<uuid:connector_id>/forget/", views.connector_forget, name="connector-forget"),
    path("<uuid:connector_id>/duplicate/", views.connector_duplicate, name="connector-duplicate"),
    path("<uuid:connector_id>/delete/", views.connector_delete, name="connector-delete"),
    path("<uuid:connector_id>/restore/", views.connector_restore, name="connector-restore"),
]
