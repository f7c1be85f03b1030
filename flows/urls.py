"""Addresses of the pages of flows. Starting one is the site's door: flows know nothing of executions."""

from django.urls import path

from flows import views

urlpatterns = [
    path("", views.flow_list, name="flow-list"),
    path("create/", views.flow_create, name="flow-create"),
    path("check/", views.flow_check, name="flow-check"),
    path("<uuid:flow_id>/", views.flow_detail, name="flow-detail"),
    path("<uuid:flow_id>/schema/", views.flow_schema, name="flow-schema"),
    path("<uuid:flow_id>/executions/", views.flow_executions, name="flow-executions"),
    path("<uuid:flow_id>/history/", views.flow_history, name="flow-history"),
    path("<uuid:flow_id>/details/", views.flow_details, name="flow-details"),
    path("<uuid:flow_id>/save/", views.flow_save, name="flow-save"),
    path("<uuid:flow_id>/duplicate/", views.flow_duplicate, name="flow-duplicate"),
    path("<uuid:flow_id>/delete/", views.flow_delete, name="flow-delete"),
    path("<uuid:flow_id>/restore/", views.flow_restore, name="flow-restore"),
    path(
        "<uuid:flow_id>/history/<int:number>/restore/",
        views.version_restore,
        name="flow-version-restore",
    ),
]
