"""What can be done with projects. The Default project always exists and cannot be deleted."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from access.models import IdentityKind, IdentityRole, Role
from access.operations import give_role, take_role, user_roles
from access.permissions import Operation, is_unrestricted, require
from projects.models import Project
from records.operations import restore_record, save_record, trash_record


class DefaultProjectStays(ValidationError):
    """The Default project can be neither deleted nor renamed."""

    def __init__(self) -> None:
        words = "The Default project cannot be deleted or renamed: it holds what has no other place."
        super().__init__({"name": words})


def create_project(name: str, *, by: Any, **fields: Any) -> Project:
    """Make a project. A person who makes one becomes Admin of it."""
    require(by, Operation.CREATE, Project)
    with transaction.atomic():
        project = save_record(Project(), by=by, name=name, **fields)
        admin = Role.objects.alive().filter(name="Admin").first()
        if admin is not None and by.acting is None and not is_unrestricted(by):
            IdentityRole.objects.create(
                identity_kind=IdentityKind.USER, identity_id=by.pk, role=admin, project=project, created_by=by
            )
    return project


def save_project(project: Project, *, by: Any, **fields: Any) -> Project:
    """Change a project's own fields."""
    require(by, Operation.UPDATE, project)
    if project.is_default and fields.get("name", project.name).strip() != project.name:
        raise DefaultProjectStays
    return save_record(project, by=by, **fields)


def trash_project(project: Project, *, by: Any) -> Project:
    """Put a project into the trash. What lives in it stays where it is and is hidden from lists with it."""
    require(by, Operation.DELETE, project)
    if project.is_default:
        raise DefaultProjectStays
    return trash_record(project, by=by)


def restore_project(project: Project, *, by: Any) -> Project:
    """Take a project out of the trash."""
    require(by, Operation.DELETE, project)
    return restore_record(project, by=by)


def set_member(project: Project, user: Any, role: Role, *, by: Any) -> IdentityRole:
    """Give `user` this role in the project, replacing those held there before."""
    with transaction.atomic():
        given = give_role(IdentityKind.USER, user.pk, role, by=by, project=project)
        for held in user_roles(user.pk).filter(project=project).exclude(pk=given.pk):
            take_role(held, by=by)
    return given


def remove_member(project: Project, user: Any, *, by: Any) -> None:
    """Take every role in the project from `user`. Roles held everywhere stay."""
    with transaction.atomic():
        for held in user_roles(user.pk).filter(project=project):
            take_role(held, by=by)
