"""What can be done with any record that lives in a project: who may make, move, trash and restore it, and free names.

The operations of each record type call these; they say what is special about it.
"""

from typing import Any, TypeVar

from access.permissions import Operation, require, require_in_project
from projects.models import Project, ProjectRecord
from records.models import NAME_LENGTH
from records.operations import restore_record, trash_record

R = TypeVar("R", bound=ProjectRecord)


def new_in_project(model: type[R], project: Project | None, *, by: Any) -> R:
    """Return a record, not stored yet, in `project` or the Default project. Raises PermissionRefused."""
    project = project or Project.default()
    require_in_project(by, Operation.CREATE, project, model)
    return model(project=project)


def require_save(record: ProjectRecord, fields: dict[str, Any], *, by: Any) -> None:
    """Raise PermissionRefused unless `by` may change the record, and move it to the project among `fields`."""
    require(by, Operation.UPDATE, record)
    project = fields.get("project")
    if project and project.pk != record.project_id:
        require_in_project(by, Operation.CREATE, project, type(record))


def trash(record: R, *, by: Any) -> R:
    """Put a record into the trash."""
    require(by, Operation.DELETE, record)
    return trash_record(record, by=by)


def restore(record: R, *, by: Any) -> R:
    """Take a record out of the trash."""
    require(by, Operation.DELETE, record)
    return restore_record(record, by=by)


def free_name(model: type[ProjectRecord], wanted: str) -> str:
    """Return `wanted`, with a number behind it when a record of that name exists."""
    name, number = wanted[:NAME_LENGTH], 1
    while model._default_manager.filter(deleted_at=None, name=name).exists():
        number += 1
        tail = f" {number}"
        name = wanted[: NAME_LENGTH - len(tail)] + tail
    return name
