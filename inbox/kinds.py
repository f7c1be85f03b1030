"""Message as its doors see it. Executions write messages; people only answer them, so there is no `create`."""

from inbox import operations
from inbox.models import Message
from records.kinds import Kind, register

MESSAGE = register(
    Kind(
        name="message",
        model=Message,
        read=(
            "id", "subject", "body", "message_type", "is_notice", "response", "is_submitted", "execution_id",
            "project_id", "recipient_ids", "recipient_role_ids", "answered_by_id", "answered_at", "deadline_at",
            "default_response", "closed_at", "created_at", "created_by_id", "deleted_at", "deleted_by_id",
        ),
        write=("response",),
        by="id",
        name_field="subject",
        large=("body", "response", "default_response"),
        order="-id",
        clock="created_at",
        required=(),
        save=operations.save_message,
        trash=operations.trash_message,
        restore=operations.restore_message,
    )
)  # fmt: skip
