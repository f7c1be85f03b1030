"""Addresses of the pages of access."""

from django.urls import path

from access import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="login"),
    path("sign-out/", views.SignOut.as_view(), name="logout"),
    path("api-keys/", views.api_key_list, name="api-key-list"),
    path("api-keys/create/", views.api_key_create, name="api-key-create"),
    path("api-keys/<uuid:key_id>/revoke/", views.api_key_revoke, name="api-key-revoke"),
]
