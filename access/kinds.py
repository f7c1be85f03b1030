"""User and API key as their doors see them: read only, keys have their own shape in `access.api`."""

from access.models import ApiKey, User
from records.kinds import Kind, register

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
            "is_staff",
            "date_joined",
            "last_login",
        ),
        name_field="username",
        order="username",
        has_trash=False,
    )
)
# Not registered: flows have no business with keys.
API_KEY = Kind(
    name="api_key",
    model=ApiKey,
    read=("id", "name", "prefix", "user_id", "created_at", "last_used_at", "expires_at"),
    by="id",
    order="-id",
    has_trash=False,
)
