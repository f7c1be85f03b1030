"""What can be done with projects. The Default project always exists and cannot be deleted."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from access.models import Membership
from access.permissions import Operation, PermissionRefused, is_unrestricted, require
from projects.models import Project
from records.operations import restore_record, save_record, trash_record


class DefaultProjectStays(ValidationError):
    """The Default project can be neither deleted nor renamed."""

    def __init__(self) -> None:
        words = "The Default project cannot be deleted or renamed: it holds what has no other place."
        super().__init__({"name": words})


def create_project(name: str, *, by: Any, **fields: Any) -> Project:
    """Make a project. Its maker becomes an editor of it. Only staff may make projects."""
    if not is_unrestricted(by):
        raise PermissionRefused("Only staff may create projects.")
    with transaction.atomic():
        return save_record(Project(), by=by, name=name, **fields)


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
    return restore_record(project)


def set_member(project: Project, user: Any, role: str, *, by: Any) -> Membership:
    """Give `user` this role in the project, replacing the one held before."""
    require(by, Operation.UPDATE, project)
    membership, _ = Membership.objects.update_or_create(user=user, project=project, defaults={"role": role})
    return membership


def remove_member(project: Project, user: Any, *, by: Any) -> None:
    """Take every role in the project from `user`."""
    require(by, Operation.UPDATE, project)
    Membership.objects.filter(user=user, project=project).delete()
