"""Who a REST connection says it is: basic, digest, bearer, and OAuth 2 with client credentials.

A token of OAuth 2 is kept in this worker's memory until it is about to expire, for the next connection alike.
"""

import base64
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

from connectors.types.base import ConnectionFailed, InputRefused, Inputs
from connectors.types.rest import method_of

_MARGIN = 30.0  # a token is used no more so many seconds before it expires
_MOST_TOKENS = 1_000
_tokens: dict[tuple[str, ...], tuple[str, float]] = {}


async def login(
    client: httpx.AsyncClient, given: Inputs, is_secret: Callable[[str], None]
) -> httpx.Auth | None:
    """Return how a request is to be signed. `is_secret` is told what must be shown nowhere."""
    match method_of(given):
        case "basic":
            name, word = _needed(given, "username"), given.get("password", "")
            is_secret(base64.b64encode(f"{name}:{word}".encode()).decode())
            return httpx.BasicAuth(name, word)
        case "digest":
            return httpx.DigestAuth(_needed(given, "username"), given.get("password", ""))
        case "bearer":
            return _Bearer(_needed(given, "token"))
        case "oauth2":
            token = await _token(client, given)
            is_secret(token)
            return _Bearer(token)
    return None


def forget_token(given: Inputs) -> bool:
    """Forget the kept token of this login; tells whether there was one."""
    return method_of(given) == "oauth2" and _tokens.pop(_key(given), None) is not None


class _Bearer(httpx.Auth):
    """Signs with a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


async def _token(client: httpx.AsyncClient, given: Inputs) -> str:
    kept = _tokens.get(_key(given))
    if kept and kept[1] > time.monotonic():
        return kept[0]
    url, client_id = _needed(given, "token_url"), _needed(given, "client_id")
    secret = _needed(given, "client_secret")
    form = {"grant_type": "client_credentials"}
    form |= {name: given[name] for name in ("scope", "audience") if given.get(name)}
    auth: tuple[str, str] | httpx.Auth = httpx.Auth()
    if given.get("client_authentication") == "body":
        form |= {"client_id": client_id, "client_secret": secret}
    else:  # as RFC 6749 has it: both are encoded as in a form
        auth = httpx.BasicAuth(quote(client_id, safe=""), quote(secret, safe=""))
    answer = await client.post(url, data=form, auth=auth, headers={"Accept": "application/json"})
    try:
        told = answer.json()
        token, seconds = str(told["access_token"]), float(told.get("expires_in") or 300)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{answer.status_code} {answer.reason_phrase}".strip()
        raise ConnectionFailed(f"authentication: {url} gave no token; it answered with {said}.") from error
    if len(_tokens) >= _MOST_TOKENS:
        _tokens.clear()
    _tokens[_key(given)] = token, time.monotonic() + seconds - _MARGIN
    return token


def _key(given: Inputs) -> tuple[str, ...]:
    return tuple(
        str(given.get(name, "")) for name in ("token_url", "client_id", "client_secret", "scope", "audience")
    )


def _needed(given: Inputs, name: str) -> str:
    if not given.get(name):
        raise InputRefused(f"authentication.{name}: it is needed for {method_of(given)}.")
    return str(given[name])
