"""Pages of access: sign-in, sign-out, and a person's API keys."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from access import accounts
from access.api_keys import create_api_key
from access.models import ApiKey
from access.pages import CONTENT_POLICY, page, words_of
from access.sign_in import TooManyFailures, address_of, check_limit


class SignInForm(AuthenticationForm):
    """User name and password; says so when too many tries failed."""

    def clean(self) -> dict[str, Any]:
        try:
            check_limit(self.data.get("username", ""), address_of(self.request))
        except TooManyFailures as closed:
            raise ValidationError(str(closed), code="locked_out") from closed
        return super().clean()


class SignIn(LoginView):
    """The sign-in page; leads to where the person wanted to go."""

    form_class = SignInForm
    template_name = "access/sign_in.html"
    redirect_authenticated_user = True

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(*args, **kwargs)
        response.headers["Content-Security-Policy"] = CONTENT_POLICY
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = 422
        return response


class SignOut(LogoutView):
    """Ends the session; only by POST, so that no link or image of another site can do it."""

    http_method_names = ["post", "options"]


@require_GET
@page
def api_key_list(request: HttpRequest) -> HttpResponse:
    """Show the person's own keys."""
    return _keys_page(request)


@require_POST
@never_cache
@page
def api_key_create(request: HttpRequest) -> HttpResponse:
    """Make a key and show it, this once: the answer is the only place where it stands."""
    days = request.POST.get("days", "")
    expires_at = (
        timezone.now() + timedelta(days=int(days)) if days.isdecimal() and int(days) < 36500 else None
    )
    try:
        key, text = create_api_key(request.user, request.POST.get("name", ""), expires_at)  # type: ignore[arg-type]
    except ValidationError as error:
        messages.error(request, f"No key was made. {words_of(error)}")
        return redirect("api-key-list")
    return _keys_page(request, made=key, text=text)


@require_POST
@page
def api_key_revoke(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """Take a key away for good."""
    key = get_object_or_404(ApiKey, pk=key_id, user_id=request.user.pk)
    accounts.revoke_key(key, by=request.user)
    messages.success(request, f"Revoked the key “{key.name}”. Programs that use it are refused from now on.")
    return redirect("api-key-list")


def _keys_page(request: HttpRequest, **more: Any) -> HttpResponse:
    person: Any = request.user
    keys = list(ApiKey.objects.filter(user=person))
    context = {
        "tab": "keys",
        "keys": keys,
        "now": timezone.now(),
        "base_url": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "access/api_keys.html", context | more)
