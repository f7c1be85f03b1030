"""Addresses of the pages of settings."""

from django.urls import path

from projects import setting_views as views

urlpatterns = [
    path("", views.setting_list, name="setting-list"),
    path("create/", views.setting_create, name="setting-create"),
    path("<uuid:setting_id>/", views.setting_detail, name="setting-detail"),
    path("<uuid:setting_id>/lock/", views.setting_lock, name="setting-lock"),
    path("<uuid:setting_id>/details/", views.setting_details, name="setting-details"),
    path("<uuid:setting_id>/duplicate/", views.setting_duplicate, name="setting-duplicate"),
    path("<uuid:setting_id>/delete/", views.setting_delete, name="setting-delete"),
    path("<uuid:setting_id>/restore/", views.setting_restore, name="setting-restore"),
]
