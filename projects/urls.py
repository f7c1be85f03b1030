"""Addresses of the pages of projects."""

from django.urls import path

from projects import views

urlpatterns = [
    path("", views.project_list, name="project-list"),
    path("create/", views.project_create, name="project-create"),
    path("<uuid:project_id>/", views.project_detail, name="project-detail"),
    path("<uuid:project_id>/save/", views.project_save, name="project-save"),
    path("<uuid:project_id>/delete/", views.project_delete, name="project-delete"),
    path("<uuid:project_id>/restore/", views.project_restore, name="project-restore"),
    path("<uuid:project_id>/members/", views.member_set, name="project-member-set"),
    path(
        "projects/<uuid:project_id>/members/<uuid:user_id>/remove/",
        views.member_remove,
        name="project-member-remove",
    ),
]
