"""The operator's door to users and API keys; `access.admin_roles` has the roles. The site's own page signs in."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access import accounts, admin_audit, admin_roles, audit  # noqa: F401  (register their pages)
from access.admin_lists import ReadOnlyAdmin, StaffAdmin
from access.admin_parts import clock, link_to, link_to_list
from access.models import ApiKey, SignInFailure, User
from access.operations import user_roles
from access.permissions import Operation, require


def _sign_in(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Send strangers to the site's sign-in page, and tell those who are signed in but not staff."""
    if request.user.is_authenticated:
        raise PermissionDenied(
            "The admin is for staff. Ask an administrator to make you staff, or use the site."
        )
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


admin.site.login = _sign_in  # type: ignore[method-assign]
admin.site.unregister(Group)  # what people may do is decided by roles, not by groups


@admin.register(User)
class UserAdmin(StaffAdmin, DjangoUserAdmin):  # type: ignore[misc]
    """Accounts. Staff see them, superusers change them; an account is switched off, never removed."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "standing", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("username__istartswith", "email__istartswith")
    search_help_text = "User name or e-mail address, from its beginning"
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined", "keys", "roles_held")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "What they may do",
            {"fields": ("is_active", "is_staff", "is_superuser", "roles_held", "keys")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "usable_password", "password1", "password2")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        before = form.initial if change else {}
        changes = {name: (before.get(name), getattr(obj, name, None)) for name in form.changed_data}
        audit.note("update" if change else "create", obj, by=request.user, changes=changes)
        if not obj.is_active:
            obj.sessions.all().delete()

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response: HttpResponse = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            user = User.objects.get(pk=id)
            user.sessions.exclude(pk=request.session.session_key).delete()
            audit.note("set password", user, by=request.user)
        return response

    @display(description="Standing", label={"Superuser": "info", "Staff": "info", "Switched off": "danger"})
    def standing(self, user: User) -> str:
        if not user.is_active:
            return "Switched off"
        return "Superuser" if user.is_superuser else "Staff" if user.is_staff else "User"

    @display(description="API keys")
    def keys(self, user: User) -> str:
        return link_to_list(ApiKey, "Show the keys", user=user.pk)

    @display(description="Roles")
    def roles_held(self, user: User) -> str:
        return ", ".join(map(str, user_roles(user.pk))) or "–"


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys can only be looked at and revoked: their text is shown once, to the person who makes one."""

    list_display = ("name", "shown_prefix", "user", "created_at", "last_used_at", "expires_at")
    list_select_related = ("user",)
    list_lookups = ("user",)
    search_fields = ("prefix",)
    search_help_text = "Beginning of a key (eng_…), or its name from the beginning"
    fields = ("name", "shown_prefix", "owner", "created_at", "last_used_at", "expires_at")
    readonly_fields = ("shown_prefix", "owner")
    actions = ("revoke_chosen",)
    actions_detail = ("revoke",)

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[ApiKey]", search_term: str
    ) -> tuple["QuerySet[ApiKey]", bool]:
        term = search_term.strip()
        if term.startswith("eng_"):
            return queryset.filter(prefix=term.split("_")[1]), False
        return (queryset.filter(name__startswith=term) if term else queryset), False

    @display(description="Key")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"eng_{key.prefix}_…"

    @display(description="User")
    def owner(self, key: ApiKey) -> str:
        return link_to(key.user)

    @admin.action(description="Revoke the chosen keys")
    def revoke_chosen(self, request: HttpRequest, keys: "QuerySet[ApiKey]") -> None:
        self.do_to_each(request, keys, lambda key: self._revoke(request, key), "Revoked")

    @action(
        description="Revoke",
        icon="block",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Revoke this key?",
            "description": "Programs that use it are refused from then on. This cannot be undone.",
            "form_class": None,
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Take the key away for good."""
        return self.do_to_one(
            request, object_id, lambda key: self._revoke(request, key), "Revoked", "changelist"
        )

    def _revoke(self, request: HttpRequest, key: ApiKey) -> None:
        self.log_deletions(request, [key])
        accounts.revoke_key(key, by=request.user)


@admin.register(SignInFailure)
class SignInFailureAdmin(ReadOnlyAdmin):
    """Refused sign-ins of the last minutes. Forgetting them lets a person who was held up try again at once."""

    list_display = ("moment", "username", "address")
    search_fields = ("username__startswith",)
    search_help_text = "User name, from its beginning"
    fields = ("username", "address", "at")
    actions = ("forget_chosen",)

    @display(description="At")
    def moment(self, failure: SignInFailure) -> str:
        return clock(failure.at)

    @admin.action(description="Forget the chosen")
    def forget_chosen(self, request: HttpRequest, failures: "QuerySet[SignInFailure]") -> None:
        def forget(failure: SignInFailure) -> None:
            require(request.user, Operation.UPDATE, User)
            failure.delete()

        self.do_to_each(request, failures, forget, "Forgot")
