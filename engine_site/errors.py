"""Errors as HTTP answers, in one shape: {"error": {"code", "message", "details"}}.

The REST framework calls `answer_error`; Django calls the rest for what goes wrong outside of a REST view.
`details` names the fields at fault, each with a list of sentences.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig, ValidationError
from django.db import Error, IntegrityError, InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from access.pages import json_error
from access.permissions import PermissionRefused
from access.sign_in import TooManyFailures
from access.trash import NotInTheTrash
from executions.operations import AlreadyEnded, NotRunnable, StillAlive
from executions.pausing import CannotPause, NotPaused
from executions.restoring import NoSuchSavepoint
from executions.starting import KeyReused
from inbox.operations import AlreadyAnswered, MessageClosed, StillWaitedFor
from projects.bundles import BundleInUse
from projects.operations import DefaultProjectStays
from records.listing import ListTooSlow
from records.models import NAME_TAKEN, RecordIsReadonly
from records.purging import StillNeeded

logger = logging.getLogger("engine.rest")
API = "/api/"

# The facts that operations state, with status and code.
_FACTS: dict[type[Exception], tuple[int, str]] = {
    PermissionRefused: (403, "permission_denied"),
    AlreadyEnded: (409, "already_ended"),
    NotRunnable: (409, "not_runnable"),
    NotPaused: (409, "not_paused"),
    CannotPause: (409, "cannot_pause"),
    NoSuchSavepoint: (404, "not_found"),
    StillAlive: (409, "still_alive"),
    AlreadyAnswered: (409, "already_answered"),
    MessageClosed: (409, "message_closed"),
    StillWaitedFor: (409, "still_waited_for"),
    KeyReused: (409, "idempotency_key_reused"),
    TooManyFailures: (429, "too_many_requests"),
    ListTooSlow: (422, "list_too_slow"),
}
_CODES = {
    400: "input_invalid",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
}


def answer_error(error: Exception, context: dict[str, Any]) -> Response:
    """Return the answer to an exception of a REST view. Unforeseen ones are logged and say nothing of themselves."""
    if _is_database_away(error):
        logger.warning("the database is away: %s", str(error).strip().splitlines()[:1])
        message = "The database did not carry this out. Nothing was done; send the request again."
        return _answer(503, "database_unavailable", message, headers={"Retry-After": "1"})
    for fact, (status, code) in _FACTS.items():
        if isinstance(error, fact):
            headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyFailures) else None
            return _answer(status, code, str(error), headers=headers)
    if isinstance(error, ValidationError):
        return _answer_invalid(error)
    if isinstance(error, Http404):
        return _answer(404, "not_found", str(error) or "There is nothing at this address.")
    if isinstance(error, PermissionDenied):
        return _answer(403, "permission_denied", str(error) or "You may not do this.")
    if isinstance(error, RequestDataTooBig):
        return _answer(413, "too_large", "The body is too large.")
    if isinstance(error, exceptions.APIException):
        return _answer_framework(error)
    if isinstance(error, IntegrityError) and _constraint(error).endswith("_name_unique"):
        # Two requests at once: the database decided after both had been found valid.
        return _answer(409, "conflict", "This name is taken.", {"name": ["This name is taken."]})
    request = context["request"]
    logger.exception("%s %s failed", request.method, request.path)
    return _answer(500, "internal_error", "Something went wrong here. The log of the server has the details.")


def _is_database_away(error: Exception) -> bool:
    """Tell whether the connection was lost. Django's validation takes that for a broken constraint."""
    link = connection.connection
    is_broken = link is not None and link.closed
    return (is_broken and isinstance(error, ValidationError | Error)) or isinstance(
        error, InterfaceError | OperationalError
    )


def _answer_invalid(error: ValidationError) -> Response:
    details = _details(error)
    if isinstance(error, RecordIsReadonly):
        return _answer(409, "readonly", _words(details), details)
    if isinstance(error, DefaultProjectStays | BundleInUse | StillNeeded | NotInTheTrash):
        return _answer(409, "conflict", _words(details), details)
    codes = {part.code for part in _parts(error)}
    if codes == {NAME_TAKEN}:
        return _answer(409, "conflict", _words(details), details)
    return _answer(400, "input_invalid", _words(details), details)


def _answer_framework(error: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    code = (
        "malformed_json"
        if isinstance(error, exceptions.ParseError)
        else _CODES.get(error.status_code, "error")
    )
    return _answer(error.status_code, code, str(error.detail), headers=headers)


def _answer(
    status: int,
    code: str,
    message: str,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    shape = {"error": {"code": code, "message": message, "details": details or {}}}
    return Response(shape, status=status, headers=headers)


def _details(error: ValidationError) -> dict[str, list[str]]:
    if not hasattr(error, "error_dict"):
        return {"body": list(error.messages)}
    details: dict[str, list[str]] = {}
    for name, parts in error.error_dict.items():
        for part in parts:
            field = name
            if name == NON_FIELD_ERRORS:
                field = "name" if part.code == NAME_TAKEN else "body"
            details.setdefault(field, []).extend(part.messages)
    return details


def _parts(error: ValidationError) -> list[ValidationError]:
    if hasattr(error, "error_dict"):
        return [part for parts in error.error_dict.values() for part in parts]
    return error.error_list


def _words(details: dict[str, list[str]]) -> str:
    return " ".join(f"{name}: {sentence}" for name, sentences in details.items() for sentence in sentences)


def _constraint(error: IntegrityError) -> str:
    return str(getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or "")


# -- Outside of REST views ------------------------------------------------------------------------------------


def _either(status: int, message: str, page: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Return a view of Django's that answers addresses below /api/ in our shape, and others by `page`."""

    def view(request: HttpRequest, exception: Exception | None = None, **given: Any) -> HttpResponseBase:
        if request.path.startswith(API):
            return json_error(_CODES.get(status, "internal_error"), message, status)
        return page(request, exception) if exception is not None else page(request)

    return view


def _bad_request_page(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return defaults.bad_request(request, exception)  # type: ignore[arg-type]


bad_request = _either(400, "This request cannot be read.", _bad_request_page)
refused = _either(403, "You may not do this.", defaults.permission_denied)
not_found = _either(404, "There is nothing at this address.", defaults.page_not_found)
failed = _either(
    500, "Something went wrong here. The log of the server has the details.", defaults.server_error
)
