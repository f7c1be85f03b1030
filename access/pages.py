"""What every HTML page asks of access: a signed-in person, only visible records, refusals as answers.

All apps' views use it. It decides nothing: `access.permissions` does.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from access.permissions import PermissionRefused, visible

# Nothing but our own files runs on a page. Styles may stand inline: the editor and the charts need them.
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

P = ParamSpec("P")
M = TypeVar("M", bound=Model)
View = Callable[Concatenate[Any, P], HttpResponseBase]


def page(view: View[P]) -> View[P]:
    """Let only signed-in people in, answer a refused permission with a 403 that says why, keep foreign scripts out."""

    @wraps(view)
    def shown(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _ask_to_sign_in(request)
        try:
            response = view(request, *args, **kwargs)
            response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
            return response
        except PermissionRefused as refusal:
            if wants_json(request):
                return json_error("permission_denied", str(refusal), 403)
            raise PermissionDenied(str(refusal)) from refusal

    return shown


def _ask_to_sign_in(request: HttpRequest) -> HttpResponseBase:
    if wants_json(request):
        return json_error("not_authenticated", "You are signed out. Sign in and try again.", 401)
    if request.headers.get("HX-Request"):
        # A fragment must not be filled with the sign-in page: the whole window goes there.
        back = request.headers.get("HX-Current-URL", "/")
        back = back if url_has_allowed_host_and_scheme(back, {request.get_host()}) else "/"
        return HttpResponse(headers={"HX-Redirect": f"{resolve_url('login')}?{urlencode({'next': back})}"})
    if request.method not in ("GET", "HEAD"):
        return redirect("login")
    return redirect(f"{resolve_url('login')}?{urlencode({'next': request.get_full_path()})}")


def wants_json(request: HttpRequest) -> bool:
    """Tell whether the caller is a script of ours that reads JSON."""
    return request.headers.get("Accept", "").startswith("application/json")


def json_error(code: str, message: str, status: int, **details: Any) -> JsonResponse:
    """Return an error in the one shape that all doors use."""
    return JsonResponse({"error": {"code": code, "message": message, "details": details}}, status=status)


def visible_or_404(request: HttpRequest, records: "QuerySet[M]", record_id: UUID) -> M:
    """Return the record, or raise Http404 when it is not there or this person may not see it."""
    record = visible(request.user, records).filter(pk=record_id).first()
    if record is None:
        raise Http404
    return record


def uuid_or_404(text: str) -> UUID:
    """Return the id in a text. Raises Http404."""
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def words_of(error: ValidationError) -> str:
    """Return what is wrong as one sentence per field, for a toast or an inline note."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        message if field in (NON_FIELD_ERRORS, "__all__", "name") else f"{field.replace('_', ' ')}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    )
