"""What every test may ask for: the address of the test database, a free port, surroundings for real processes."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest

# The same examples in every run; to look for new ones: pytest --hypothesis-profile=default
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

CHROMIUM = Path("/usr/bin/chromium")
ORDER = {"process": 1, "browser": 2}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quick tests first, then those with real processes, then those with a real browser."""
    items.sort(key=lambda item: max((ORDER.get(mark.name, 0) for mark in item.iter_markers()), default=0))
    if not CHROMIUM.exists() and "CI" not in os.environ:
        skip = pytest.mark.skip(reason=f"{CHROMIUM} is missing: apt-get install chromium")
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def database_url(django_db_setup: Any) -> str:
    """The address of the test database, for processes that a test starts."""
    from django.db import connection

    found = connection.settings_dict
    address = "&".join(
        f"{key}={quote(str(found[name]), safe='')}"
        for key, name in (("host", "HOST"), ("port", "PORT"), ("user", "USER"), ("password", "PASSWORD"))
        if found[name]
    )
    return f"postgresql:///{quote(str(found['NAME']))}?{address}"


@pytest.fixture
def process_environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a process of ours that works on the test database, with a data folder of its own.

    The test needs `@pytest.mark.django_db(transaction=True)`, or the process sees none of its rows.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return kept | {
        "DATABASE_URL": database_url,
        "ENGINE_DATA": str(tmp_path / "engine-data"),
        "DJANGO_SETTINGS_MODULE": "engine_site.settings",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Returns a port that nothing uses at the moment."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find
