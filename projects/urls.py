"""Addresses of the pages of projects."""

from django.urls import path

from projects import views

urlpatterns = [
    path("projects/", views.project_list, name="project-list"),
    path("projects/create/", views.project_create, name="project-create"),
    path("projects/<uuid:project_id>/", views.project_detail, name="project-detail"),
    path("projects/<uuid:project_id>/save/", views.project_save, name="project-save"),
    path("projects/<uuid:project_id>/delete/", views.project_delete, name="project-delete"),
    path("projects/<uuid:project_id>/restore/", views.project_restore, name="project-restore"),
    path("projects/<uuid:project_id>/members/", views.member_set, name="project-member-set"),
    path(
        "projects/<uuid:project_id>/members/<uuid:user_id>/remove/",
        views.member_remove,
        name="project-member-remove",
    ),
]
