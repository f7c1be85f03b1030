"""Signatures of requests: the ways in which senders sign, each able to make a signature and to check one.

All are HMAC-SHA256 over the raw body, most with a time that is signed too. Pure: no request object, no database.
See docs/webhooks.md for each of them in words.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from django.db.models import TextChoices

TIMESTAMP_HEADER = "x-timestamp"  # of the generic scheme


class Scheme(TextChoices):
    """Who signs, and so how."""

    GENERIC = "generic", "Generic"
    GITHUB = "github", "GitHub"
    GITLAB = "gitlab", "GitLab"
    STRIPE = "stripe", "Stripe"
    SLACK = "slack", "Slack"


class SignatureRefused(Exception):
    """The request is not signed, or not with this secret, or too long ago."""


Headers = Mapping[str, str]  # by their names in lower case


def check_signature(
    scheme: str, secret: str, headers: Headers, body: bytes, *, now: float, window: int, header: str = ""
) -> None:
    """Raise SignatureRefused unless the request is signed with this secret, by this scheme.

    `window`: for so many seconds around the time that was signed a request is good; 0 for ever. `header` is where the
    generic scheme's signature stands.
    """
    match scheme:
        case Scheme.GITHUB:
            _compare(_hex(secret, body), [_needed(headers, "x-hub-signature-256").removeprefix("sha256=")])
        case Scheme.GITLAB:
            # The sender does not sign: it sends the secret itself.
            _compare(secret, [_needed(headers, "x-gitlab-token")])
        case Scheme.STRIPE:
            parts = [part.strip().partition("=") for part in _needed(headers, "stripe-signature").split(",")]
            moment = next((value for name, _, value in parts if name == "t"), "")
            _compare(
                _hex(secret, f"{moment}.".encode() + body),
                [value for name, _, value in parts if name == "v1"],
            )
            _check_age(moment, now, window)
        case Scheme.SLACK:
            moment = _needed(headers, "x-slack-request-timestamp")
            _compare(
                "v0=" + _hex(secret, f"v0:{moment}:".encode() + body), [_needed(headers, "x-slack-signature")]
            )
            _check_age(moment, now, window)
        case Scheme.GENERIC:
            moment = headers.get(TIMESTAMP_HEADER, "")
            if window and not moment:
                raise SignatureRefused(
                    "Send the time at which you signed, in seconds since 1970, as X-Timestamp."
                )
            signed = f"{moment}.".encode() + body if moment else body
            _compare(_hex(secret, signed), [_as_hex(_needed(headers, header.lower()))])
            if moment:
                _check_age(moment, now, window)
        case _:
            raise SignatureRefused("This webhook has no way of signing.")


def sign(scheme: str, secret: str, body: bytes, *, now: float, header: str = "") -> dict[str, str]:
    """Return the headers with which a sender signs this body."""
    moment = str(int(now))
    match scheme:
        case Scheme.GITHUB:
            return {"X-Hub-Signature-256": "sha256=" + _hex(secret, body)}
        case Scheme.GITLAB:
            return {"X-Gitlab-Token": secret}
        case Scheme.STRIPE:
            return {"Stripe-Signature": f"t={moment},v1={_hex(secret, f'{moment}.'.encode() + body)}"}
        case Scheme.SLACK:
            signature = "v0=" + _hex(secret, f"v0:{moment}:".encode() + body)
            return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": signature}
        case Scheme.GENERIC:
            signature = "sha256=" + _hex(secret, f"{moment}.".encode() + body)
            return {"X-Timestamp": moment, header: signature}
        case _:
            return {}


def signature_headers(scheme: str, header: str) -> set[str]:
    """Return the headers, in lower case, that carry a signature or secret with this scheme."""
    return {
        Scheme.GITHUB: {"x-hub-signature", "x-hub-signature-256"},
        Scheme.GITLAB: {"x-gitlab-token"},
        Scheme.STRIPE: {"stripe-signature"},
        Scheme.SLACK: {"x-slack-signature"},
        Scheme.GENERIC: {header.lower()},
    }.get(Scheme(scheme), set()) if scheme else set()  # fmt: skip


def is_same(one: str, other: str) -> bool:
    """Tell whether two texts are the same, in a time that says nothing of where they differ."""
    return hmac.compare_digest(hashlib.sha256(one.encode()).digest(), hashlib.sha256(other.encode()).digest())


def _hex(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _compare(expected: str, given: list[str]) -> None:
    # All are compared, so that the time does not tell which one was right.
    if not sum(is_same(expected, each) for each in given):
        raise SignatureRefused("The signature does not fit.")


def _needed(headers: Headers, name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise SignatureRefused(f"The request is not signed: it has no header {name}.")
    return value


def _as_hex(signature: str) -> str:
    """Return a signature in hexadecimal, which may be given in Base64 and with `sha256=` in front."""
    signature = signature.removeprefix("sha256=").strip()
    if len(signature) == 64:
        return signature.lower()
    try:
        return base64.b64decode(signature, validate=True).hex()
    except (binascii.Error, ValueError):
        return signature


def _check_age(moment: str, now: float, window: int) -> None:
    if not (moment.isascii() and moment.isdecimal() and len(moment) < 12):
        raise SignatureRefused("The time of the signature is not a number of seconds since 1970.")
    if window and abs(now - int(moment)) > window:
        raise SignatureRefused(
            f"The signature is {abs(now - int(moment)):.0f} seconds off; {window} are allowed."
        )
