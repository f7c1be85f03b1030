"""REST: one request over HTTP. The inputs and the output are described in docs/connectors.md.

Here are the names of inputs and what they mean; `connectors.types.http` sends the request.
"""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from connectors.types.base import Context, InputRefused, Inputs, Result, moved_into, renamed
from connectors.types.rest_schema import FORM, FORM_RULES, MORE, SCHEMA

__all__ = [
    "EXAMPLE", "FORM", "FORM_RULES", "MORE", "NAMED", "SAMPLE", "SCHEMA", "TITLE", "WHOLE", "is_idempotent",
    "normalize", "run", "targets", "trial",
]  # fmt: skip

TITLE = "REST: a request over HTTP"
EXAMPLE = "path='/things', query={'size': 10}"
SAMPLE = "method: get\npath: /"
IDEMPOTENT = {"get", "head", "options", "put", "delete", "trace"}
BODIES = ("json", "text", "urlencoded", "multipart", "file")
WHOLE = frozenset({*BODIES, "expected_status_code"})
NAMED = frozenset({"query", "headers", "cookies", "urlencoded"})

_USER = re.compile(r"(\w+://)([^/?#:@]*)(:[^/?#@]*)?@(.*)", re.DOTALL)
# Inputs with which a connector says where its things lie, and which a trial leaves out.
_ONE_REQUEST = {"method", "path", "query", *BODIES}


def normalize(inputs: Inputs) -> Inputs:
    found = renamed(
        {name: value for name, value in inputs.items() if name not in ("schema_version", "fragment")},
        {
            "hostname": "host",
            "params": "query",
            "verify_ssl": "verify_tls",
            "status_code": "expected_status_code",
        },
    )
    found = _without_user(_without_groups(found))
    found = moved_into(
        found,
        "authentication",
        {name: name for name in ("authentication_method", "username", "password", "token", "grant")},
    )
    found = moved_into(
        found,
        "tls",
        {
            "verify_tls": "verify",
            "cacert": "ca",
            "client_cert": "client_certificate",
            "client_key": "client_key",
        },
    )
    if isinstance(found.get("authentication"), dict):
        found["authentication"] = _authentication(found["authentication"])
    for name in ("query", "headers", "cookies", "urlencoded"):
        found |= {name: _by_name(found[name])} if name in found else {}
    if "data" in found:
        value = found.pop("data")
        found.setdefault("text" if isinstance(value, str) else "urlencoded", value)
    if isinstance(found.get("method"), str):
        found["method"] = found["method"].lower()
    if isinstance(found.get("expected_status_code"), int | str):
        found["expected_status_code"] = [found["expected_status_code"]]
    return found


def _without_groups(inputs: Inputs) -> Inputs:
    """Take `mode` and `body` apart: they hold the method and what is sent."""
    found = dict(inputs)
    for group in ("mode", "body"):
        inner = found.get(group)
        if isinstance(inner, dict):
            del found[group]
            found = renamed({**inner, **found}, {"mode_name": "method"})
    return found


def _without_user(inputs: Inputs) -> Inputs:
    """Take `user:password@` out of the address: it is seen in many places."""
    url = inputs.get("url")
    match = _USER.match(url) if isinstance(url, str) else None
    if not match:
        return inputs
    found = {**inputs, "url": match[1] + match[4]}
    found.setdefault("username", unquote(match[2]))
    if match[3]:
        found.setdefault("password", unquote(match[3][1:]))
    return found


def _authentication(given: Inputs) -> Inputs:
    found = dict(given)
    older = {"username_password": "basic", "client_credentials": "oauth2", "token": "bearer"}
    if found.pop("grant", None):
        found.setdefault("authentication_method", "oauth2")
    method = found.get("authentication_method")
    return found | (
        {"authentication_method": older[method]} if isinstance(method, str) and method in older else {}
    )


def _by_name(value: Any) -> Any:
    """Return a list of {name, value} as an object; a name that comes twice gets a list of values."""
    if not isinstance(value, list) or not all(isinstance(each, dict) and "name" in each for each in value):
        return value
    found: dict[str, Any] = {}
    for each in value:
        name, item = str(each["name"]), each.get("value")
        found[name] = [*_as_list(found[name]), item] if name in found else item
    return found


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def method_of(login: Inputs) -> str:
    """Return the method of authentication: the one given, or else what the other fields are for."""
    found = login.get("authentication_method")
    meant = {"token_url": "oauth2", "token": "bearer", "username": "basic"}
    return (
        str(found) if found else next((method for name, method in meant.items() if login.get(name)), "none")
    )


def address(inputs: Inputs) -> str:
    """Return the address of the request, without the query. Raises InputRefused."""
    url = inputs.get("url")
    if url is None:
        if not inputs.get("host"):
            raise InputRefused("url: give an address such as https://example.org/things, or host and path.")
        scheme = inputs.get("scheme", "https")
        host = inputs["host"]
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        port = f":{inputs['port']}" if inputs.get("port") else ""
        url = f"{scheme}://{host}{port}"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InputRefused(f"url: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        words = "give a whole address such as https://example.org/things"
        raise InputRefused(f"url: {words}; what follows the host of a connector goes into path.")
    for piece in (inputs.get("base_path"), inputs.get("path")):
        if piece and piece.strip("/"):
            base, question, query = url.partition("?")
            url = f"{base.rstrip('/')}/{piece.lstrip('/')}{question}{query}"
    return str(url)


def targets(inputs: Inputs) -> set[str]:
    found = set()
    url = address(inputs) if inputs.get("url") or inputs.get("host") else None
    token_url = inputs.get("authentication", {}).get("token_url")
    for each in (url, token_url and address({"url": token_url})):
        if each:
            parts = urlsplit(each)
            found.add(
                f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80}.get(parts.scheme, 443)}"
            )
    return found


def trial(inputs: Inputs) -> Inputs:
    kept = {name: value for name, value in inputs.items() if name not in _ONE_REQUEST}
    # That nothing lies at this very address is no fault of the connection; that it is not let in, is.
    return {"expected_status_code": ["2xx", "3xx", 404, 405], **kept, "method": "get"}


def is_idempotent(inputs: Inputs) -> bool:
    return inputs.get("method", "get") in IDEMPOTENT


async def run(inputs: Inputs, context: Context) -> Result:
    from connectors.types.http import exchange  # its libraries are loaded where connections are carried out

    return await exchange(inputs, context)
