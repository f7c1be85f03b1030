"""Pages of the inbox: the list, one message with its form, the bell, and the answer.

An answer sent by htmx gets the card back, as it is now; without scripts it leads to the message's page.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from access.pages import page, uuid_or_404
from access.permissions import Operation, may, visible
from inbox import operations
from inbox.cards import draw_card, prefix_of
from inbox.models import OPEN, Message
from projects.models import Project
from records import forms
from records.paging import page_by_key

LATEST_SHOWN = 8
PROJECTS_OFFERED = 200
SHOWN = ("mine", "open", "answered", "all", "trash")


@require_GET
@page
def inbox(request: HttpRequest) -> HttpResponse:
    """List messages, newest first: at first those that wait for this person."""
    shown = "trash" if "trash" in request.GET else request.GET.get("show", "mine")
    shown = shown if shown in SHOWN else "mine"
    found = (
        _rows(request, shown).select_related("execution", "project", "answered_by").defer("body", "response")
    )
    context = {
        "list": page_by_key(found, request.GET, "id", descending=True),
        "show": shown,
        "text": request.GET.get("q", "").strip(),
        "project_id": request.GET.get("project", ""),
        "message_type": request.GET.get("type", ""),
        "types": Message.Type.choices,
        "projects": list(visible(request.user, Project.objects.alive()).order_by("name")[:PROJECTS_OFFERED]),
    }
    template = "inbox/list_rows.html" if request.headers.get("HX-Request") else "inbox/list.html"
    return render(request, template, context)


def _rows(request: HttpRequest, shown: str) -> Any:
    if shown == "mine":
        rows = operations.messages_for(request.user)
    else:
        kept = Message.objects.trashed() if shown == "trash" else Message.objects.alive()
        rows = operations.visible_messages(request.user, kept)
    if shown == "open":
        rows = rows.filter(OPEN)
    elif shown == "answered":
        rows = rows.filter(is_submitted=True)
    given = request.GET
    if text := given.get("q", "").replace("\0", "").strip():
        rows = rows.filter(subject__icontains=text)
    if project_id := given.get("project", ""):
        rows = rows.filter(project_id=uuid_or_404(project_id))
    if given.get("type") in Message.Type.values:
        rows = rows.filter(message_type=given["type"])
    return rows


@require_GET
@page
def message_detail(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Show one message with its form, or its answer."""
    return _show(request, _find(request, message_id))


def _show(request: HttpRequest, message: Message, status: int = 200, **card: Any) -> HttpResponse:
    context = {
        "message": message,
        "card": draw_card(request, message, **card),
        "may_delete": message.deleted_at is None and may(request.user, Operation.DELETE, message),
        "may_restore": message.deleted_at is not None and may(request.user, Operation.DELETE, message),
        "recipients": operations.recipients_of(message),
    }
    return render(request, "inbox/message.html", context, status=status)


@require_GET
@page
def message_card(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Draw the card alone, for a popup."""
    return HttpResponse(draw_card(request, _find(request, message_id)))


@require_POST
@page
def message_answer(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Take an answer. What is wrong with it is said at its fields; who comes second is told who was first."""
    message = _find(request, message_id)
    value, faults = forms.read_answer(message.body, request.POST, prefix_of(message))
    if faults:
        if request.headers.get("HX-Request"):
            return HttpResponse(draw_card(request, message, value=value, faults=faults))
        return _show(request, message, 422, value=value, faults=faults)
    note = ""
    try:
        operations.answer_message(message, value, by=request.user)
    except (operations.AlreadyAnswered, operations.MessageClosed) as error:
        note = str(error)
        message.refresh_from_db()
    if request.headers.get("HX-Request"):
        return HttpResponse(
            draw_card(request, message, note=note), headers={"HX-Trigger-After-Settle": "inbox:changed"}
        )
    (notes.warning if note else notes.success)(request, note or f"Answered “{message.subject}”.")
    return redirect("message-detail", message_id)


@require_POST
@page
def message_delete(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Put a message into the trash, with a way back."""
    message = _find(request, message_id)
    try:
        operations.trash_message(message, by=request.user)
    except operations.StillWaitedFor as error:
        notes.error(request, str(error))
        return redirect("message-detail", message_id)
    undo = reverse("message-restore", args=[message_id])
    notes.success(request, f"Moved “{message.subject}” to the trash.", extra_tags=f"undo:{undo}")
    return redirect("message-list")


@require_POST
@page
def message_restore(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Take a message out of the trash and open it."""
    message = operations.restore_message(_find(request, message_id), by=request.user)
    notes.success(request, f"Restored “{message.subject}”.")
    return redirect("message-detail", message_id)


@require_GET
@page
def bell(request: HttpRequest) -> HttpResponse:
    """Answer what the bell shows: how many messages wait for this person, and those that open by themselves."""
    return JsonResponse(operations.read_bell(request.user))


@require_GET
@page
def latest(request: HttpRequest) -> HttpResponse:
    """Draw the list behind the bell."""
    found = operations.messages_for(request.user).select_related("execution").defer("body").order_by("-id")
    rows = list(found[: LATEST_SHOWN + 1])
    context = {"rows": rows[:LATEST_SHOWN], "has_more": len(rows) > LATEST_SHOWN}
    return render(request, "inbox/latest.html", context)


def _find(request: HttpRequest, message_id: UUID) -> Message:
    rows = Message.objects.select_related("execution", "project", "answered_by", "created_by", "deleted_by")
    message = operations.visible_messages(request.user, rows).filter(pk=message_id).first()
    if message is None:
        raise Http404
    return message
