"""The operator's door to messages. It shows them; answering is done on their page."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from access.admin_lists import ReadOnlyAdmin
from access.admin_parts import link_to
from inbox import operations
from inbox.models import Message

_COLOURS = {"open": "info", "answered": "success", "expired": "warning", "closed": "default"}


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """What executions told or asked people, newest first."""

    list_display = (
        "subject",
        "shown_state",
        "message_type",
        "project",
        "asked_by",
        "created_at",
        "answered_by",
    )
    list_select_related = ("project", "answered_by")
    list_lookups = ("execution", "project")
    search_fields = ("execution_id",)
    search_help_text = "The id of the execution that asked"
    fields = (
        "subject", "shown_state", "message_type", "is_notice", "project", "asked_by", "created_at", "created_by",
        "deadline_at", "recipients", "body", "default_response", "response", "is_submitted", "answered_by",
        "answered_at", "closed_at", "waiter_ids", "deleted_at", "deleted_by",
    )  # fmt: skip
    readonly_fields = ("shown_state", "asked_by", "recipients")
    actions = ("trash_chosen",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Message]":
        return super().get_queryset(request).select_related("execution")

    @display(description="State", label=_COLOURS)
    def shown_state(self, message: Message) -> str:
        return message.state

    @display(description="Execution")
    def asked_by(self, message: Message) -> str:
        return link_to(message.execution)

    @display(description="Addressed to")
    def recipients(self, message: Message) -> str:
        return ", ".join(operations.recipients_of(message)) or "everyone who may answer"

    @admin.action(description="Move to the trash")
    def trash_chosen(self, request: HttpRequest, found: "QuerySet[Message]") -> None:
        self.do_to_each(
            request,
            found,
            lambda each: operations.trash_message(each, by=request.user),
            "Moved to the trash",
            (operations.StillWaitedFor,),
        )
