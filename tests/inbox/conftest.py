"""What the inbox's tests share: the engine tests' database, cast, stage, hosts and workers; callers and browsers."""

from collections.abc import Callable

import pytest
from django.test import Client

from access.models import User
from tests.executions.conftest import cast, db, fleet, hosts, stage  # noqa: F401  fixtures are found by their names
from tests.rest.conftest import Caller


@pytest.fixture
def caller(cast) -> Callable[[str], Caller]:  # noqa: F811
    """Returns someone of the cast with an API key."""
    return lambda name: Caller(getattr(cast, name))


@pytest.fixture
def browser() -> Callable[[User], Client]:
    """Returns a client signed in as the given person."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
