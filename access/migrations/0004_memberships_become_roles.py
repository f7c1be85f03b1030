"""Memberships become roles held in a project, and staff who may do everything become Admins.

What the roles allow is written by `access.default_roles` when the migrations are done.
"""

from django.db import migrations

ROLES = {"viewer": "Viewer", "operator": "User", "editor": "Admin"}


def memberships_to_roles(apps, schema_editor):
    roles = {}

    def role(name):
        if name not in roles:
            roles[name] = apps.get_model("access", "Role").objects.create(name=name, is_readonly=True)
        return roles[name]

    grants = apps.get_model("access", "IdentityRole").objects
    for held in apps.get_model("access", "Membership").objects.all():
        grants.create(
            identity_kind="user", identity_id=held.user_id, role=role(ROLES[held.role]), project_id=held.project_id
        )
    for user in apps.get_model("access", "User").objects.filter(is_staff=True, is_superuser=False):
        grants.create(identity_kind="user", identity_id=user.pk, role=role("Admin"))


class Migration(migrations.Migration):
    dependencies = [("access", "0003_roles")]

    operations = [migrations.RunPython(memberships_to_roles)]
