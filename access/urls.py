"""Addresses of the pages of access."""

from django.urls import path

from access import account_views, audit_views, holding_views, role_views, user_views, views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="login"),
    path("sign-out/", views.SignOut.as_view(), name="logout"),
    path("set-password/<str:secret>/", account_views.set_password, name="set-password"),
    path("account/", account_views.account, name="account"),
    path("account/save/", account_views.account_save, name="account-save"),
    path("account/password/", account_views.password_change, name="password-change"),
    path("account/sessions/", account_views.account_sessions, name="account-sessions"),
    path("account/permissions/", account_views.account_permissions, name="account-permissions"),
    path("users/", user_views.user_list, name="user-list"),
    path("users/invite/", user_views.user_invite, name="user-invite"),
    path("users/<uuid:user_id>/", user_views.user_detail, name="user-detail"),
    path("users/<uuid:user_id>/save/", user_views.user_save, name="user-save"),
    path("users/<uuid:user_id>/switch/", user_views.user_switch, name="user-switch"),
    path("users/<uuid:user_id>/link/", user_views.user_link, name="user-link"),
    path("users/<uuid:user_id>/unlock/", user_views.user_unlock, name="user-unlock"),
    path("users/<uuid:user_id>/roles/", user_views.user_roles, name="user-roles"),
    path("users/<uuid:user_id>/roles/give/", user_views.user_give_role, name="user-give-role"),
    path("users/<uuid:user_id>/permissions/", user_views.user_permissions, name="user-permissions"),
    path("users/<uuid:user_id>/sessions/", user_views.user_sessions, name="user-sessions"),
    path("users/<uuid:user_id>/sessions/<str:reference>/end/", user_views.session_end, name="session-end"),
    path(
        "users/<uuid:user_id>/keys/<uuid:key_id>/revoke/", user_views.user_key_revoke, name="user-key-revoke"
    ),
    path("users/<uuid:user_id>/history/", user_views.user_history, name="user-history"),
    path("identities/<str:kind>/<uuid:identity_id>/", holding_views.identity_roles, name="identity-roles"),
    path("roles/", role_views.role_list, name="role-list"),
    path("roles/create/", role_views.role_create, name="role-create"),
    path("roles/held/<uuid:held_id>/take/", holding_views.role_take, name="role-take"),
    path("roles/<uuid:role_id>/", role_views.role_detail, name="role-detail"),
    path("roles/<uuid:role_id>/allow/", role_views.role_allow, name="role-allow"),
    path("roles/<uuid:role_id>/save/", role_views.role_save, name="role-save"),
    path("roles/<uuid:role_id>/duplicate/", role_views.role_duplicate, name="role-duplicate"),
    path("roles/<uuid:role_id>/delete/", role_views.role_delete, name="role-delete"),
    path("roles/<uuid:role_id>/restore/", role_views.role_restore, name="role-restore"),
    path("roles/<uuid:role_id>/holders/", role_views.role_holders, name="role-holders"),
    path("roles/<uuid:role_id>/history/", role_views.role_history, name="role-history"),
    path("audit/", audit_views.audit_log, name="audit-log"),
    path("api-keys/", views.api_key_list, name="api-key-list"),
    path("api-keys/create/", views.api_key_create, name="api-key-create"),
    path("api-keys/<uuid:key_id>/revoke/", views.api_key_revoke, name="api-key-revoke"),
]
