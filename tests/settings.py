"""The site's settings for tests, with a PostgreSQL of their own for as long as the tests run.

pytest-django loads it before anything else of ours. With DATABASE_URL given, that server is used instead. The
workers of pytest-xdist find DATABASE_URL set by the process that started them.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from engine_site.embedded_postgres import EmbeddedPostgres


def _start_database(home: Path) -> str:
    server = EmbeddedPostgres(home / "database", durable=False)
    starter = os.getpid()

    def stop() -> None:
        # A test may fork: only the process that started the server ends it.
        if os.getpid() == starter:
            server.stop()
            shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)
    return server.start()


if "DATABASE_URL" not in os.environ:
    _home = Path(tempfile.mkdtemp(prefix="engine-tests-"))
    os.environ["DATABASE_URL"] = _start_database(_home)
    os.environ["ENGINE_DATA"] = str(_home / "data")

from engine_site.settings import *  # noqa: E402, F403  the database's address must be known first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; the passwords are ours

# Nothing is collected for tests: files are served from where they lie.
STATIC_ROOT = None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
