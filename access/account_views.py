"""Pages of one's own account: name, address, password, sessions, what one may do; and the link to set a password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import login, password_validation
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from access import accounts
from access.holding_views import permission_tables
from access.models import IdentityKind, User
from access.pages import CONTENT_POLICY, page, words_of
from access.user_views import sessions_of

BACKEND = "access.sign_in.LimitedBackend"


@require_GET
@page
def account(request: HttpRequest) -> HttpResponse:
    """Show name, address and the form to change the password."""
    context = {"tab": "account", "rules": password_validation.password_validators_help_texts()}
    return render(request, "access/account.html", context)


@require_POST
@page
def account_save(request: HttpRequest) -> HttpResponse:
    """Change one's own name and address."""
    fields = {name: request.POST[name] for name in accounts.OWN_FIELDS if name in request.POST}
    person: Any = request.user
    try:
        accounts.save_user(person, by=person, **fields)
        messages.success(request, "Saved.")
    except ValidationError as error:
        messages.error(request, f"Nothing was saved. {words_of(error)}")
    return redirect("account")


@require_POST
@never_cache
@page
def password_change(request: HttpRequest) -> HttpResponse:
    """Change one's own password; all other browsers are signed out."""
    person = User.objects.get(pk=str(request.user.pk))
    try:
        new = _repeated(request)
        accounts.change_password(person, request.POST.get("old_password", ""), new)
    except ValidationError as error:
        messages.error(request, f"The password was not changed. {words_of(error)}")
        return redirect("account")
    login(request, person, BACKEND)
    messages.success(request, "The password is changed. All other browsers are signed out.")
    return redirect("account")


def _repeated(request: HttpRequest) -> str:
    new = request.POST.get("password", "")
    if new != request.POST.get("password_again", ""):
        raise ValidationError("The two passwords are not the same.")
    return new


@require_GET
@page
def account_sessions(request: HttpRequest) -> HttpResponse:
    """Show where one is signed in."""
    person: Any = request.user
    return render(request, "access/account_sessions.html", {"tab": "sessions"} | sessions_of(request, person))


@require_GET
@page
def account_permissions(request: HttpRequest) -> HttpResponse:
    """Show what one may do."""
    person: Any = request.user
    tables = permission_tables(request, IdentityKind.USER, person.pk)
    return render(
        request, "access/account_permissions.html", {"tab": "permissions", "person": person} | tables
    )


@never_cache
def set_password(request: HttpRequest, secret: str) -> HttpResponse:
    """Set a password by a link, and sign in."""
    context: dict[str, Any] = {"rules": password_validation.password_validators_help_texts()}
    status = 200
    try:
        context["person"] = accounts.user_of_link(secret)
        if request.method == "POST":
            person = accounts.use_link(secret, _repeated(request))
            login(request, person, BACKEND)
            return redirect("dashboard")
    except accounts.LinkIsInvalid:
        context["is_invalid"], status = True, 404
    except ValidationError as error:
        context["error"], status = words_of(error), 422
    response = render(request, "access/set_password.html", context, status=status)
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
