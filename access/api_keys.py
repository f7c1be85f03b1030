"""API keys: `eng_<prefix>_<secret>`. The prefix finds the row, the secret is compared by its SHA-256.

A plain hash is enough because the secret has 256 random bits: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from access import audit
from access.models import ApiKey, User

_USED_PRECISION = timedelta(minutes=1)
# Written out, as every request of a program begins with it: composing it would cost more than running it.
_FIND = """
SELECT u.*, k.id AS key_id, k.secret_hash AS key_secret_hash, k.last_used_at AS key_last_used_at,
    k.expires_at AS key_expires_at
FROM access_apikey k JOIN access_user u ON u.id = k.user_id WHERE k.prefix = %s
"""


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create_api_key(
    user: User, name: str, expires_at: datetime | None = None, *, by: User | None = None
) -> tuple[ApiKey, str]:
    """Make a key for `user` and return it with its text, which cannot be read again later."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    key = ApiKey(
        user=user, name=name.strip(), prefix=prefix, secret_hash=_digest(secret), expires_at=expires_at
    )
    key.full_clean()
    with transaction.atomic():
        key.save()
        audit.note("create", key, by=by or user, changes={"expires_at": (None, expires_at)})
    return key, f"eng_{prefix}_{secret}"


def find_api_key(text: str) -> ApiKey | None:
    """Return the valid key with this text and note its use, or None when unknown, expired or its user disabled."""
    scheme, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    if scheme != "eng" or not secret:
        return None
    user: Any = next(iter(User.objects.raw(_FIND, [prefix])), None)
    if user is None or not hmac.compare_digest(user.key_secret_hash, _digest(secret)):
        return None
    key = ApiKey(
        pk=user.key_id,
        user=user,
        prefix=prefix,
        last_used_at=user.key_last_used_at,
        expires_at=user.key_expires_at,
    )
    now = timezone.now()
    if not user.is_active or (key.expires_at and key.expires_at <= now):
        return None
    if key.last_used_at is None or now - key.last_used_at > _USED_PRECISION:
        # To the minute: a write per request would be the dearest part of a read.
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key
