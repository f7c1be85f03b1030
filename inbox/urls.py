"""Addresses of the inbox's pages, below /inbox/."""

from django.urls import path

from inbox import views

urlpatterns = [
    path("", views.inbox, name="message-list"),
    path("bell", views.bell, name="inbox-bell"),
    path("latest", views.latest, name="inbox-latest"),
    path("<uuid:message_id>/", views.message_detail, name="message-detail"),
    path("<uuid:message_id>/card", views.message_card, name="message-card"),
    path("<uuid:message_id>/answer", views.message_answer, name="message-answer"),
    path("<uuid:message_id>/delete", views.message_delete, name="message-delete"),
    path("<uuid:message_id>/restore", views.message_restore, name="message-restore"),
]
