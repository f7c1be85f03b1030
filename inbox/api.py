"""REST of messages: list, read, answer, trash. Executions write them; nobody else does."""

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from rest_framework.request import Request

from access.rest import Guarded
from inbox.kinds import MESSAGE
from inbox.operations import visible_messages
from records.api import RecordDetail, RecordList, RecordRestore
from records.openapi import Described, object_of, ref, shape_name

_SHAPE = ref(shape_name(MESSAGE))


class MessageView(Guarded):
    """What the views of messages share: whom a message is addressed to sees it, whatever its project."""

    kind = MESSAGE

    def visible(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        return (
            visible_messages(self.request.user, rows)
            if rows.model is MESSAGE.model
            else super().visible(rows)
        )


class MessageList(MessageView, RecordList):
    """Messages, newest first, without their forms and answers."""

    http_method_names = ["get", "head", "options"]


class MessageDetail(MessageView, RecordDetail):
    """One message. PATCH answers it, once; DELETE puts it into the trash."""

    def describe(self, method: str) -> Described | None:
        if method == "PATCH":
            return Described(
                "Answer a message",
                _SHAPE,
                object_of({"response": {"type": "object"}}, ("response",)),
                example={"response": {"reason": "looks good", "ok": True}},
                errors=(403, 404, 409),
                more="The response fits the form in `body`, with `true` for the button that is pressed. "
                "The first answer holds; whoever comes later is told who was first.",
            )
        return super().describe(method)

    def written(self, request: Request, required: tuple[str, ...] = ()) -> dict[str, Any]:
        return super().written(request, ("response",))


class MessageRestore(MessageView, RecordRestore):
    """Takes a message out of the trash."""


urlpatterns = [
    path("message", MessageList.as_view()),
    path("message/<str:key>/restore", MessageRestore.as_view()),
    path("message/<str:key>", MessageDetail.as_view()),
]
