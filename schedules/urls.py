"""Addresses of the pages of schedules and schedulers."""

from django.urls import path

from schedules import form_views, scheduler_views, views

urlpatterns = [
    path("schedules/", views.schedule_list, name="schedule-list"),
    path("schedules/create/", form_views.schedule_create, name="schedule-create"),
    path("schedules/preview/", form_views.schedule_preview, name="schedule-preview"),
    path("schedules/configuration/", form_views.schedule_configuration, name="schedule-configuration"),
    path("schedules/helper/", form_views.schedule_helper, name="schedule-helper"),
    path("schedules/import/", form_views.scheduling_import, name="scheduling-import"),
    path("schedules/<uuid:schedule_id>/", views.schedule_detail, name="schedule-detail"),
    path("schedules/<uuid:schedule_id>/state/", views.schedule_state, name="schedule-state"),
    path("schedules/<uuid:schedule_id>/firings/", views.schedule_firings, name="schedule-firings"),
    path("schedules/<uuid:schedule_id>/settings/", form_views.schedule_settings, name="schedule-settings"),
    path("schedules/<uuid:schedule_id>/switch/", views.schedule_switch, name="schedule-switch"),
    path("schedules/<uuid:schedule_id>/run/", views.schedule_run, name="schedule-run"),
    path("schedules/<uuid:schedule_id>/backfill/", views.schedule_backfill, name="schedule-backfill"),
    path("schedules/<uuid:schedule_id>/duplicate/", views.schedule_duplicate, name="schedule-duplicate"),
    path("schedules/<uuid:schedule_id>/delete/", views.schedule_delete, name="schedule-delete"),
    path("schedules/<uuid:schedule_id>/restore/", views.schedule_restore, name="schedule-restore"),
    path("schedulers/", scheduler_views.scheduler_list, name="scheduler-list"),
    path("schedulers/create/", scheduler_views.scheduler_create, name="scheduler-create"),
    path("schedulers/<uuid:scheduler_id>/", scheduler_views.scheduler_detail, name="scheduler-detail"),
    path(
        "schedulers/<uuid:scheduler_id>/duplicate/",
        scheduler_views.scheduler_duplicate,
        name="scheduler-duplicate",
    ),
    path("schedulers/<uuid:scheduler_id>/delete/", scheduler_views.scheduler_delete, name="scheduler-delete"),
    path(
        "schedulers/<uuid:scheduler_id>/restore/", scheduler_views.scheduler_restore, name="scheduler-restore"
    ),
]
