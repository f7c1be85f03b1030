"""Addresses of the pages of webhooks, below /webhooks/. Where they are called from outside is in `webhooks.door`."""

from django.urls import path

from webhooks import form_views as forms
from webhooks import views

urlpatterns = [
    path("", views.webhook_list, name="webhook-list"),
    path("create/", forms.webhook_create, name="webhook-create"),
    path("<uuid:webhook_id>/", views.webhook_detail, name="webhook-detail"),
    path("<uuid:webhook_id>/calls/", views.webhook_calls, name="webhook-calls"),
    path("<uuid:webhook_id>/calls/<uuid:call_id>/", views.webhook_call, name="webhook-call"),
    path(
        "<uuid:webhook_id>/calls/<uuid:call_id>/redeliver/", views.webhook_redeliver, name="webhook-redeliver"
    ),
    path("<uuid:webhook_id>/test/", views.webhook_test, name="webhook-test"),
    path("<uuid:webhook_id>/settings/", forms.webhook_settings, name="webhook-settings"),
    path("<uuid:webhook_id>/switch/", forms.webhook_switch, name="webhook-switch"),
    path("<uuid:webhook_id>/key/", forms.webhook_key, name="webhook-key"),
    path("<uuid:webhook_id>/roles/", forms.webhook_roles, name="webhook-roles"),
    path("<uuid:webhook_id>/roles/<uuid:held_id>/take/", forms.webhook_take_role, name="webhook-take-role"),
    path("<uuid:webhook_id>/duplicate/", forms.webhook_duplicate, name="webhook-duplicate"),
    path("<uuid:webhook_id>/delete/", forms.webhook_delete, name="webhook-delete"),
    path("<uuid:webhook_id>/restore/", forms.webhook_restore, name="webhook-restore"),
]
