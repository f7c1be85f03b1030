"""Addresses of the bundle manager."""

from django.urls import path

from projects import bundle_views as views

urlpatterns = [
    path("", views.bundle_list, name="bundle-list"),
    path("<str:name>/", views.bundle_detail, name="bundle-detail"),
    path("<str:name>/import/", views.bundle_import, name="bundle-import"),
    path("<str:name>/update/", views.bundle_update, name="bundle-update"),
    path("<str:name>/save/", views.bundle_save, name="bundle-save"),
    path("<str:name>/delete/", views.bundle_delete, name="bundle-delete"),
]
