"""Sees to it that the bundle of the default roles is imported and up to date: called after every migration.

Without it nobody could be given anything. Who changes its roles by hand, and how they come back: `projects.bundles`.
"""

from django.db import transaction

from access.default_roles import permissions_of_default
from access.models import Role, RolePermission
from projects.models import Bundle, Project, join
from projects.shipped_bundles import default_roles
from records.export_form import Document, document_of


@transaction.atomic
def keep_default_roles() -> None:
    """Import the bundle or make its roles that are missing, and bring those that nobody changed up to date."""
    shipped = default_roles()
    fields = {"version": shipped.version, "description": shipped.description, "project": Project.default()}
    bundle, is_new = Bundle.objects.get_or_create(name=shipped.name, defaults=fields)
    if is_new:
        _adopt(bundle)
    roles = {role.name: role for role in Role.objects.alive().select_related("bundle")}
    for document in shipped.documents:
        role = roles.get(document.name)
        if role is None:
            role = Role(name=document.name, bundle=bundle)
        elif role.bundle_id != bundle.pk or _is_changed(role, bundle, document):
            continue
        _write(role, document)
        bundle.digests[join(document.key)] = [document.digest] * 2  # a role is stored as it is shipped
    Bundle.objects.filter(pk=bundle.pk).update(**fields | {"project": bundle.project}, digests=bundle.digests)


def _adopt(bundle: Bundle) -> None:
    """Take over the default roles of the time before they were a bundle. One that can be changed, was."""
    roles = Role.objects.alive().filter(name__in=[name for _, name in default_roles().digests()])
    if roles.filter(is_readonly=False).exists():
        bundle.is_readonly = False
        bundle.save(update_fields=["is_readonly"])
    for role in roles.filter(is_readonly=False):
        bundle.digests[join(("role", role.name))] = [default_roles().digests()["role", role.name], ""]
    roles.update(bundle=bundle, is_readonly=False)


def _is_changed(role: Role, bundle: Bundle, document: Document) -> bool:
    noted = bundle.digests.get(join(document.key))
    return noted is not None and noted[1] != document_of(document.kind, role).digest


def _write(role: Role, document: Document) -> None:
    description = document.fields["description"]
    if role._state.adding or role.description != description:
        role.description = description
        role.save()
    wanted = permissions_of_default(role.name)
    rows = RolePermission.objects.filter(role=role)
    found = {(row.record_type, row.operation): row.pk for row in rows if row.project_id is None}
    rows.exclude(pk__in=[key for cell, key in found.items() if cell in wanted]).delete()
    RolePermission.objects.bulk_create(
        RolePermission(role=role, record_type=kind, operation=operation)
        for kind, operation in sorted(wanted - set(found))
    )
