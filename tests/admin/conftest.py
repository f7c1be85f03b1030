"""Who visits the admin in its tests."""

import pytest
from django.test import Client

from tests.cast import Cast, make_cast


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def client_of_root(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.root)
    return client
