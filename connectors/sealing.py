"""Secrets at rest: sealed with a key that the database does not know, and bound to the row they belong to.

The key is `SECRETS_KEY` or a file in the data folder, made once. Either may hold several: the first seals, all
open. `manage.py rotate_secrets` changes it. See docs/connectors.md on keeping the key.
"""

import base64
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import connection, transaction

_LOCK = 0x5EA1  # advisory: shared by those who seal, taken alone by who changes the key


class CannotOpen(Exception):
    """The key that these secrets were sealed with is not here."""


def seal(owner: str, value: Any) -> str:
    """Return a value as a text that only the holder of the key can read, and only as a value of this owner.

    Call it in the transaction that stores the text: a change of the key waits for that.
    """
    assert connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, 0)", [_LOCK])
    return _keys().encrypt(orjson.dumps({"of": owner, "value": value})).decode()


def unseal(owner: str, sealed: str) -> Any:
    """Return the value that was sealed for this owner. Raises CannotOpen."""
    try:
        found = orjson.loads(_keys().decrypt(sealed.encode()))
    except InvalidToken:
        raise CannotOpen(
            "The secrets cannot be read: they were sealed with a key that is not the present one."
            " Put the former key behind it; docs/connectors.md says where."
        ) from None
    if found["of"] != owner:
        raise CannotOpen("The secrets belong to another record.")
    return found["value"]


Reseal = Callable[
    [Callable[[str], str]], int
]  # given what makes a sealed text new: applies it to all; how many
_reseals: list[Reseal] = []


def keep_sealed(reseal: Reseal) -> None:
    """Let `reseal` be called when the key changes. Every app that stores sealed texts does so when it is ready."""
    _reseals.append(reseal)


def rotate() -> int:
    """Make a new key (where the key is in our file) and seal everything that is stored with it; returns how much.

    The former key stays in the file until the next time: for who has just read a text, and for backups.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_LOCK])
        if not settings.ENGINE_SECRETS_KEY:
            _write_file([secrets.token_urlsafe(48), *_texts()])
        keys = _keys()
        count = sum(reseal(lambda sealed: keys.rotate(sealed.encode()).decode()) for reseal in _reseals)
    if not settings.ENGINE_SECRETS_KEY:
        _write_file(_texts()[:2])
    return count


def _keys() -> MultiFernet:
    return _keys_of(tuple(_texts()))


@lru_cache(maxsize=2)
def _keys_of(texts: tuple[str, ...]) -> MultiFernet:
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())) for text in texts]
    )


def _texts() -> list[str]:
    given: str = settings.ENGINE_SECRETS_KEY
    if given:
        return [part.strip() for part in given.split(",") if part.strip()]
    path = settings.ENGINE_SECRETS_FILE
    # The file is read anew when it was changed: a rotation by a command reaches processes that run.
    found = path.stat()
    return _lines_of(path, (found.st_ino, found.st_mtime_ns))


@lru_cache(maxsize=2)
def _lines_of(path: Path, state: tuple[int, int]) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _write_file(texts: list[str]) -> None:
    path = settings.ENGINE_SECRETS_FILE
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(texts) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
