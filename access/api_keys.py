"""API keys: `eng_<prefix>_<secret>`. The prefix finds the row, the secret is compared by its SHA-256.

A plain hash is enough because the secret has 256 random bits: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from django.utils import timezone

from access.models import ApiKey, User

_USED_PRECISION = timedelta(minutes=1)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create_api_key(user: User, name: str, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """Make a key for `user` and return it with its text, which cannot be read again later."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    key = ApiKey(
        user=user, name=name.strip(), prefix=prefix, secret_hash=_digest(secret), expires_at=expires_at
    )
    key.full_clean()
    key.save()
    return key, f"eng_{prefix}_{secret}"


def find_api_key(text: str) -> ApiKey | None:
    """Return the valid key with this text and note its use, or None when unknown, expired or its user disabled."""
    scheme, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    if scheme != "eng" or not secret:
        return None
    key = ApiKey.objects.select_related("user").filter(prefix=prefix).first()
    if key is None or not hmac.compare_digest(key.secret_hash, _digest(secret)):
        return None
    now = timezone.now()
    if not key.user.is_active or (key.expires_at and key.expires_at <= now):
        return None
    if key.last_used_at is None or now - key.last_used_at > _USED_PRECISION:
        # To the minute: a write per request would be the dearest part of a read.
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key
