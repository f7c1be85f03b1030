"""Buttons of every trash: delete one record finally, empty the trash of a type. Lists of all types use them."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, path, reverse
from django.views.decorators.http import require_POST

from access import trash
from access.pages import page, words_of
from access.permissions import visible
from records.kinds import Kind, kind_of, select


@require_POST
@page
def record_purge(request: HttpRequest, type_name: str, key: str) -> HttpResponse:
    """Delete a record that is in the trash for good."""
    kind = _kind(type_name)
    record = select(kind, key, by="id", rows=visible(request.user, kind.rows(trashed=True)))
    if record is None:
        raise Http404
    try:
        trash.purge(record, by=request.user)
    except ValidationError as error:
        messages.error(request, f"“{record}” was not deleted. {words_of(error)}")
    else:
        messages.success(request, f"Deleted “{record}” for good.")
    return redirect(_list_of(kind))


@require_POST
@page
def trash_empty(request: HttpRequest, type_name: str) -> HttpResponse:
    """Delete all in the trash of this type that the person may delete."""
    kind = _kind(type_name)
    done = trash.empty_trash(kind, by=request.user)
    (messages.warning if done.kept or done.has_more else messages.success)(request, done.words)
    return redirect(_list_of(kind))


def _kind(type_name: str) -> Kind:
    try:
        kind = kind_of(type_name)
    except LookupError:
        raise Http404 from None
    if not kind.has_trash:
        raise Http404
    return kind


def _list_of(kind: Kind) -> str:
    """Return the address of the trash of this type; the monitor shows executions without theirs."""
    try:
        return reverse(f"{kind.name}-list") + "?trash"
    except NoReverseMatch:
        return reverse("execution-monitor")


urlpatterns = [
    path("<str:type_name>/empty/", trash_empty, name="trash-empty"),
    path("<str:type_name>/<str:key>/purge/", record_purge, name="record-purge"),
]
