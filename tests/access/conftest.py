"""The cast, and roles made for a test."""

from collections.abc import Callable
from typing import Any

import pytest

from access.models import Role
from access.operations import create_role
from tests.cast import Cast, make_cast

Making = Callable[..., Role]


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def role(cast: Cast) -> Making:
    """Returns a maker of roles: role("Reader", "flow READ", "execution READ", project=…)."""

    def make(name: str, *allowed: str, project: Any = None) -> Role:
        rows = [
            {"project_id": project and project.pk, "record_type": kind, "operation": operation}
            for kind, operation in (words.split() for words in allowed)
        ]
        return create_role(by=cast.root, name=name, permissions=rows)

    return make
