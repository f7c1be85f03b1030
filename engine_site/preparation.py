"""What must be in place before the parts start: tables, the first user, demo content, static files.

`launch.py` calls each step in turn; every step is quick and changes nothing when there is nothing to do.
"""

import fcntl
import hashlib
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

FIRST_USER = "admin"
# No letter that could be taken for another: the password is read off a screen.
PASSWORD_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def apply_migrations() -> int:
    """Bring the tables up to date and return how many migrations that took."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        call_command("migrate", verbosity=0, interactive=False)
    return len(missing)


def first_password(given: str | None) -> tuple[str, str]:
    """Return the first user's password, given or invented, and its hash; needs no database but half a second."""
    password = given or invent_password()
    return password, make_password(password)


def create_first_user(given: str | None, ready: tuple[str, str] | None = None) -> str | None:
    """Create the user `admin` if there are no users at all; return the password if we had to invent it."""
    users = get_user_model().objects
    if users.exists():
        return None
    password, hashed = ready or first_password(given)
    users.create(username=FIRST_USER, password=hashed, is_staff=True, is_superuser=True)
    return None if given else password


def invent_password() -> str:
    """Return a password of four short groups, some 79 bits, easy to type."""
    return "-".join("".join(secrets.choice(PASSWORD_LETTERS) for _ in range(4)) for _ in range(4))


def load_demo() -> None:
    """Load the demo content where the flows app offers it; it looks itself whether that is wanted."""
    if "load_demo" in get_commands():
        call_command("load_demo", if_empty=True, verbosity=0)


def collect_static_files() -> bool:
    """Collect and compress the static files if any changed since; return whether it did."""
    root = Path(settings.STATIC_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    stamp = root / ".collected"
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = _state_of_static_files()
        if stamp.exists() and stamp.read_text() == state:
            return False
        stamp.unlink(missing_ok=True)
        call_command("collectstatic", verbosity=0, interactive=False)
        stamp.write_text(state)
    return True


def _state_of_static_files() -> str:
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list(None):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
