"""Project as its doors see it."""

from projects import operations
from projects.models import Project
from records.kinds import Kind, register

AUDIT = ("created_at", "created_by_id", "modified_at", "modified_by_id", "deleted_at", "deleted_by_id")

PROJECT = register(
    Kind(
        name="project",
        model=Project,
        read=("id", "name", "description", "is_readonly", *AUDIT),
        write=("name", "description", "is_readonly"),
        create=operations.create_project,
        save=operations.save_project,
        trash=operations.trash_project,
        restore=operations.restore_project,
    )
)
