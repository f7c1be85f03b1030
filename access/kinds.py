"""User as its doors see it: read only for now."""

from access.models import User
from records.kinds import Kind, register

USER = register(
    Kind(
        name="user",
        model=User,
        read=("id", "username", "email", "first_name", "last_name", "is_active", "is_staff", "date_joined", "last_login"),
        name_field="username",
        has_trash=False,
    )
)
