"""Pages of users: the list, and one with its roles, what it may do, sessions, keys and history."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from access import accounts, operations
from access.audit_views import entries_about
from access.holding_views import given_role, offered, permission_tables
from access.mail import mail_link
from access.models import ApiKey, IdentityKind, IdentityRole, User, UserSession
from access.pages import page, visible_or_404, words_of
from access.permissions import (
    Operation,
    PermissionRefused,
    is_unrestricted,
    may,
    require,
    visible,
)
from access.sign_in import locked_addresses
from records.paging import page_by_key

SESSIONS_SHOWN = 100


@require_GET
@page
def user_list(request: HttpRequest) -> HttpResponse:
    """List users by name with their roles; typing in the filter asks for the rows alone."""
    require(request.user, Operation.READ, User)
    text, state = request.GET.get("q", "").strip(), request.GET.get("state", "")
    rows = User.objects.all()
    if text:
        rows = rows.filter(username__icontains=text) | rows.filter(email__icontains=text)
    if state == "off":
        rows = rows.filter(is_active=False)
    elif state == "invited":
        rows = rows.filter(is_active=True, password__startswith="!")
    elif state == "active":
        rows = rows.filter(is_active=True).exclude(password__startswith="!")
    listed = page_by_key(rows, request.GET, "username")
    context = {
        "list": listed,
        "people": _with_roles(listed.rows),
        "text": text,
        "state": state,
        "may_invite": may(request.user, Operation.CREATE, User),
        **offered(request),
    }
    template = "access/user_rows.html" if request.headers.get("HX-Request") else "access/users.html"
    return render(request, template, context)


def _with_roles(people: list[User]) -> list[tuple[User, list[IdentityRole]]]:
    held: dict[UUID, list[IdentityRole]] = {}
    rows = IdentityRole.objects.filter(
        identity_kind=IdentityKind.USER, identity_id__in=[person.pk for person in people]
    )
    for each in rows.select_related("role", "project").order_by("role__name", "project__name"):
        held.setdefault(each.identity_id, []).append(each)
    return [(person, held.get(person.pk, [])) for person in people]


@require_POST
@never_cache
@page
def user_invite(request: HttpRequest) -> HttpResponse:
    """Make an account and show the link by which the person sets a password, this once."""
    fields = {name: request.POST.get(name, "").strip() for name in ("username", "email")}
    try:
        given = [given_role(request)] if request.POST.get("role") else []
        user = accounts.create_user(by=request.user, roles=given, **fields)
    except ValidationError as error:
        messages.error(request, f"Nobody was invited. {words_of(error)}")
        return redirect("user-list")
    return _show_link(request, user, user.link_secret)  # type: ignore[attr-defined]


def _show_link(request: HttpRequest, user: User, secret: str) -> HttpResponse:
    link = request.build_absolute_uri(reverse("set-password", args=[secret]))
    context = _context(request, user, "overview")
    context |= {"link": link, "mail": mail_link(user, link)}
    return render(request, "access/user.html", context)


def _find(request: HttpRequest, user_id: UUID) -> User:
    return visible_or_404(request, User.objects.all(), user_id)


def _context(request: HttpRequest, person: User, tab: str) -> dict[str, Any]:
    return {
        "person": person,
        "tab": tab,
        "is_self": person.pk == request.user.pk,
        "may_edit": _may_edit(request.user, person),
        "locked": locked_addresses(person.username),
        "now": timezone.now(),
    }


def _may_edit(identity: Any, person: User) -> bool:
    try:
        accounts.require_over(identity, person)
    except PermissionRefused:
        return False
    return True


@require_GET
@page
def user_detail(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show one user: state, name and address."""
    context = _context(request, _find(request, user_id), "overview")
    return render(request, "access/user.html", context | {"is_superuser": is_unrestricted(request.user)})


@require_POST
@page
def user_save(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Change name and address; superusers also say who else is one, and who may open the admin."""
    person = _find(request, user_id)
    given = request.POST
    fields: dict[str, Any] = {
        name: given[name] for name in ("username", "email", "first_name", "last_name") if name in given
    }
    if is_unrestricted(request.user):
        fields |= {name: name in given for name in ("is_superuser", "is_staff")}
    return _done(request, person, lambda: accounts.save_user(person, by=request.user, **fields), "Saved.")


def _done(request: HttpRequest, person: User, work: Any, words: str, to: str = "user-detail") -> HttpResponse:
    try:
        work()
        messages.success(request, words)
    except ValidationError as error:
        messages.error(request, f"Nothing was changed. {words_of(error)}")
    return redirect(to, person.pk)


@require_POST
@page
def user_switch(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Switch the account off or on."""
    person, is_on = _find(request, user_id), request.POST.get("on") == "1"
    words = (
        f"{person.username} may sign in again."
        if is_on
        else f"{person.username} is signed out and switched off."
    )
    return _done(request, person, lambda: accounts.save_user(person, by=request.user, is_active=is_on), words)


@require_POST
@never_cache
@page
def user_link(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Make a new link to set a password, and show it this once."""
    person = _find(request, user_id)
    try:
        return _show_link(request, person, accounts.make_link(person, by=request.user))
    except ValidationError as error:
        messages.error(request, f"No link was made. {words_of(error)}")
        return redirect("user-detail", user_id)


@require_POST
@page
def user_unlock(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Let somebody who was locked out try again at once."""
    person = _find(request, user_id)
    return _done(
        request,
        person,
        lambda: accounts.unlock_user(person, by=request.user),
        f"{person.username} can try again.",
    )


@require_GET
@page
def user_roles(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show the roles that the user holds, and where."""
    person = _find(request, user_id)
    context = _context(request, person, "roles") | offered(request)
    context["held"] = list(visible(request.user, operations.user_roles(person.pk)))
    return render(request, "access/user_roles.html", context)


@require_POST
@page
def user_give_role(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Give the user a role, everywhere or in a project."""
    person = _find(request, user_id)

    def give() -> None:
        role, project = given_role(request)
        propagate = "propagate" in request.POST
        operations.give_role(
            IdentityKind.USER, person.pk, role, by=request.user, project=project, propagate=propagate
        )

    return _done(request, person, give, f"{person.username} has the role.", "user-roles")


@require_GET
@page
def user_permissions(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show what the user may do, worked out from all roles."""
    person = _find(request, user_id)
    context = _context(request, person, "permissions") | permission_tables(
        request, IdentityKind.USER, person.pk
    )
    return render(request, "access/user_permissions.html", context)


@require_GET
@page
def user_sessions(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show where the user is signed in, and the keys that act as them."""
    person = _find(request, user_id)
    context = _context(request, person, "sessions") | sessions_of(request, person)
    context["keys"] = list(ApiKey.objects.filter(user=person))
    return render(request, "access/user_sessions.html", context)


def sessions_of(request: HttpRequest, person: User) -> dict[str, Any]:
    """Return the sessions of a person that have not run out, the newest first."""
    rows = UserSession.objects.filter(user=person, expire_date__gt=timezone.now()).order_by("-seen_at")
    return {"sessions": list(rows[:SESSIONS_SHOWN]), "here": request.session.session_key}


@require_POST
@page
def session_end(request: HttpRequest, user_id: UUID, reference: str) -> HttpResponse:
    """Sign a browser out."""
    person = _find(request, user_id)
    sessions = UserSession.objects.filter(user=person).select_related("user")
    session = next((each for each in sessions if each.reference == reference), None)
    if session is not None:
        accounts.end_session(session, by=request.user)
    messages.success(request, "That browser is signed out.")
    if user_id == request.user.pk and request.POST.get("back") == "account":
        return redirect("account-sessions")
    return redirect("user-sessions", user_id)


@require_POST
@page
def user_key_revoke(request: HttpRequest, user_id: UUID, key_id: UUID) -> HttpResponse:
    """Take a key of this user away for good."""
    person = _find(request, user_id)
    key = get_object_or_404(ApiKey.objects.select_related("user"), pk=key_id, user=person)
    accounts.revoke_key(key, by=request.user)
    messages.success(request, f"Revoked the key “{key.name}”. Programs that use it are refused from now on.")
    return redirect("user-sessions", user_id)


@require_GET
@page
def user_history(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show what the user did and what was done to the account, as far as the asking person may see it."""
    person = _find(request, user_id)
    context = _context(request, person, "history")
    context |= entries_about(request, "user", person.pk, user_id=person.pk)
    return render(request, "access/user_history.html", context)
