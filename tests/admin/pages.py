"""Reads admin pages for the tests: addresses, messages, dialogs."""

from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse


def list_of(model: Any, **query: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=query)


def page_of(record: Any) -> str:
    return reverse(f"admin:{record._meta.app_label}_{record._meta.model_name}_change", args=[record.pk])


def messages_of(response: Any) -> list[str]:
    """Return what the response says to the person, oldest first."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def act(client: Client, action: str, *records: Any, **more: Any) -> list[str]:
    """Choose the records in their list and run the action; returns what it said."""
    chosen = [str(record.pk) for record in records]
    response = client.post(
        list_of(records[0]), {"action": action, "_selected_action": chosen, "index": 0, **more}
    )
    assert response.status_code == 302, response.content
    return messages_of(response)


def confirm(client: Client, action: str, record: Any) -> list[str]:
    """Confirm the dialog of an action on the record's page; returns what it said."""
    opts = record._meta
    address = reverse(f"admin:{opts.app_label}_{opts.model_name}_{action}", args=[record.pk])
    response = client.post(address, {"_form_submitted": "True"})
    assert "HX-Redirect" in response.headers, response.content
    return messages_of(response)
