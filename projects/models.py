"""Project, and the base of records that live in one."""

from django.db import models

from records.models import Record, unique_name

DEFAULT_PROJECT = "Default project"
DEFAULT_DESCRIPTION = "Holds everything that is not assigned to another project."


class Project(Record):
    """A place for records: groups them, and memberships say who may do what there."""

    class Meta:
        constraints = [unique_name("project")]

    @property
    def is_default(self) -> bool:
        return self.name == DEFAULT_PROJECT

    @classmethod
    def default(cls) -> "Project":
        """Return the Default project, which holds everything not assigned elsewhere. There always is one."""
        found, _ = cls.objects.alive().get_or_create(
            name=DEFAULT_PROJECT, defaults={"description": DEFAULT_DESCRIPTION}
        )
        return found


class ProjectRecord(Record):
    """A record that lives in a project."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="%(class)ss")

    class Meta:
        abstract = True
