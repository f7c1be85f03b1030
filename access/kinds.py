"""User, role, held role and API key as their doors see them; users and keys have further doors in `access.api`."""

from access import accounts, operations
from access.models import ApiKey, AuditEntry, IdentityRole, Role, User
from records.kinds import Kind, register

AUDIT = ("created_at", "created_by_id", "modified_at", "modified_by_id", "deleted_at", "deleted_by_id")

USER = register(
    Kind(
        name="user",
        model=User,
        read=(
            "id",
            "username",
            "email",
            "first_name",
            "last_name",
            "is_active",
            "is_activated",
            "is_staff",
            "is_superuser",
            "date_joined",
            "last_login",
        ),
        write=("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser"),
        required=("username",),
        create=accounts.create_user,
        save=accounts.save_user,
        name_field="username",
        order="username",
        has_trash=False,
    )
)
ROLE = register(
    Kind(
        name="role",
        model=Role,
        read=("id", "name", "description", "bundle_id", "is_readonly", *AUDIT),
        write=("name", "description", "is_readonly"),  # and its permissions, see `access.roles_api`
        parts={"permissions": operations.permissions_of},
        create=operations.create_role,
        save=operations.save_role,
        trash=operations.trash_role,
        restore=operations.restore_role,
        duplicate=operations.duplicate_role,
    )
)
IDENTITY_ROLE = register(
    Kind(
        name="identity_role",
        model=IdentityRole,
        read=(
            "id", "identity_kind", "identity_id", "role_id", "project_id", "propagate", "created_at", "created_by_id",
        ),
        write=("identity_kind", "identity_id", "role", "project", "propagate"),
        references={"role": "role", "project": "project"},
        by="id",
        name_field="id",
        order="-id",
        required=("identity_kind", "identity_id"),
        has_trash=False,
        create=operations.create_identity_role,
        save=operations.save_identity_role,
        trash=operations.take_role,
    )
)  # fmt: skip
AUDIT_ENTRY = register(
    Kind(
        name="audit_entry",
        model=AuditEntry,
        read=(
            "id", "at", "identity_kind", "identity_id", "identity_name", "user_id", "door", "address", "action",
            "record_type", "record_id", "record_name", "project_id", "changes",
        ),
        by="id",
        name_field="id",
        order="-id",
        clock="at",
        has_trash=False,
    )
)  # fmt: skip
# Not registered: flows have no business with keys.
API_KEY = Kind(
    name="api_key",
    model=ApiKey,
    read=("id", "name", "prefix", "user_id", "created_at", "last_used_at", "expires_at"),
    by="id",
    order="-id",
    has_trash=False,
)
