"""Signing in by password, with a limit: repeated failures for one user from one address close that way a while.

The site's only authentication backend, so every door has the limit: the page, REST and the admin.
"""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.dispatch import Signal
from django.http import HttpRequest
from django.utils import timezone

from access.models import SignInFailure, User
from records import configuration

sign_in_closed = Signal()  # with `username`: its last failure was one too many


class TooManyFailures(Exception):
    """Too many sign-ins failed; `retry_after` is the number of seconds until the next try may succeed."""

    def __init__(self, retry_after: int) -> None:
        minutes = -(-retry_after // 60)
        wait = f"{minutes} minute{'' if minutes == 1 else 's'}"
        super().__init__(
            f"Too many sign-ins failed for this user from this address. Wait {wait} and try again,"
            " or ask an administrator to unlock the account."
        )
        self.retry_after = retry_after


class LimitedBackend(ModelBackend):
    """Checks user name and password, unless too many tries failed just now."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if not username or password is None or "\0" in username:
            return None
        address = address_of(request)
        try:
            check_limit(username, address)
        except TooManyFailures as closed:
            # Ends the search through the backends: the pages answer it like a wrong password.
            raise PermissionDenied(str(closed)) from closed
        user: Any = super().authenticate(request, username=username, password=password, **kwargs)
        if user is None:
            _note_failure(username, address)
            return None
        SignInFailure.objects.filter(username=key_of(username), address=address).delete()
        return user


def check_limit(username: str, address: str) -> None:
    """Raise TooManyFailures when this user's sign-in from this address is closed for now."""
    since, allowed = counted_since(), configuration.value("SIGN_IN_FAILURES")
    failures = SignInFailure.objects.filter(username=key_of(username), address=address, at__gt=since)
    latest: list[datetime] = list(failures.order_by("-at").values_list("at", flat=True)[:allowed])
    if len(latest) == allowed:
        raise TooManyFailures(max(1, round((latest[-1] - since).total_seconds())))


def counted_since() -> datetime:
    """Return the moment since which failures count."""
    return timezone.now() - timedelta(minutes=configuration.value("SIGN_IN_CLOSED_MINUTES"))


def address_of(request: HttpRequest | None) -> str:
    """Return the address that a request comes from, empty for none."""
    return str(request.META.get("REMOTE_ADDR", ""))[:64] if request is not None else ""


def _note_failure(username: str, address: str) -> None:
    SignInFailure.objects.create(username=key_of(username), address=address)
    SignInFailure.objects.filter(at__lt=counted_since()).delete()
    try:
        check_limit(username, address)
    except TooManyFailures:
        sign_in_closed.send(sender=None, username=key_of(username))


def locked_addresses(username: str) -> list[str]:
    """Return the addresses from which this user's sign-in is closed for now."""
    failures = SignInFailure.objects.filter(username=key_of(username), at__gt=counted_since()).values(
        "address"
    )
    allowed = configuration.value("SIGN_IN_FAILURES")
    closed = failures.annotate(number=Count("id")).filter(number__gte=allowed)
    return list(closed.order_by("address").values_list("address", flat=True))


def key_of(username: str) -> str:
    """Return the user name as failures keep it."""
    return username[:150]
