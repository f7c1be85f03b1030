"""Addresses of the pages of flows. Starting one is the site's door: flows know nothing of executions."""

from django.urls import path

from flows import views

urlpatterns = [
    path("flows/", views.flow_list, name="flow-list"),
    path("flows/create/", views.flow_create, name="flow-create"),
    path("flows/check/", views.flow_check, name="flow-check"),
    path("flows/<uuid:flow_id>/", views.flow_detail, name="flow-detail"),
    path("flows/<uuid:flow_id>/schema/", views.flow_schema, name="flow-schema"),
    path("flows/<uuid:flow_id>/executions/", views.flow_executions, name="flow-executions"),
    path("flows/<uuid:flow_id>/history/", views.flow_history, name="flow-history"),
    path("flows/<uuid:flow_id>/details/", views.flow_details, name="flow-details"),
    path("flows/<uuid:flow_id>/save/", views.flow_save, name="flow-save"),
    path("flows/<uuid:flow_id>/duplicate/", views.flow_duplicate, name="flow-duplicate"),
    path("flows/<uuid:flow_id>/delete/", views.flow_delete, name="flow-delete"),
    path("flows/<uuid:flow_id>/restore/", views.flow_restore, name="flow-restore"),
    path(
        "flows/<uuid:flow_id>/history/<int:number>/restore/",
        views.version_restore,
        name="flow-version-restore",
    ),
]
