"""What goes with a project that is deleted for good: all that lives in it. `records.purging` calls it."""

from typing import Any

from django.db.models import QuerySet

from projects.models import Project
from records.kinds import Kind, all_kinds
from records.purging import StillNeeded, offer_remover, remove, remove_one


def remove_projects(rows: "QuerySet[Any]", until: float) -> None:
    """Remove projects with their records. Raises StillNeeded, for example for an execution that lives."""
    for project in rows:
        _empty(project, until)
        remove_one(project, until)


def _empty(project: Project, until: float) -> None:
    """Remove what lives in the project. Records may need each other: try until nothing more can go."""
    kinds = [kind for kind in all_kinds() if _lives_in_projects(kind)]
    while kinds:
        left: list[Kind] = []
        for kind in kinds:
            try:
                remove(kind.model._default_manager.filter(project=project), until)
            except StillNeeded as error:
                left.append(kind)
                refusal = error
        if len(left) == len(kinds):
            raise refusal
        kinds = left


def _lives_in_projects(kind: Kind) -> bool:
    """Tell whether records of this type live in projects and can be deleted: what tells of the past stays."""
    return kind.trash is not None and any(
        column.name == "project" for column in kind.model._meta.concrete_fields
    )


offer_remover(Project, remove_projects)
