"""REST: one request over HTTP. The inputs and the output are described in docs/connectors.md.

Here are the names of inputs and what they mean; `connectors.types.http` sends the request.
"""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from connectors.types.base import Context, InputRefused, Inputs, Result, moved_into, renamed, schema

TITLE = "REST: a request over HTTP"
IDEMPOTENT = {"get", "head", "options", "put", "delete", "trace"}
METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"]
BODIES = ("json", "text", "urlencoded", "multipart", "file")
WHOLE = frozenset({*BODIES, "expected_status_code"})
NAMED = frozenset({"query", "headers", "cookies", "urlencoded"})

_USER = re.compile(r"(\w+://)([^/?#:@]*)(:[^/?#@]*)?@(.*)", re.DOTALL)
_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
# A name may come several times: then its value is a list.
_LISTS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean", "null", "array"]},
}
_FILE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "content": {"type": "string", "description": "In Base64"},
        "text": {"type": "string", "description": "In place of content"},
        "content_type": {"type": "string"},
    },
    "additionalProperties": False,
}
_SECONDS: dict[str, Any] = {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 86_400}
_PEM: dict[str, Any] = {"type": "string", "form-element": "textarea"}

SCHEMA = schema(
    {
        "url": {
            "type": "string",
            "title": "URL",
            "description": "The whole address, or else its parts",
            "order": 1,
        },
        "scheme": {"type": "string", "enum": ["http", "https"], "order": 2},
        "host": {"type": "string", "order": 3},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535, "order": 4},
        "base_path": {"type": "string", "description": "What stands before every path", "order": 5},
        "path": {"type": "string", "order": 6},
        "method": {"type": "string", "enum": METHODS, "description": "get, unless given", "order": 7},
        "query": {**_LISTS, "order": 8},
        "headers": {**_LISTS, "order": 9},
        "cookies": {**_TEXTS, "order": 10},
        "json": {"title": "Body: JSON", "order": 20},
        "text": {"type": "string", "title": "Body: text", "form-element": "textarea", "order": 21},
        "urlencoded": {**_LISTS, "title": "Body: form fields", "order": 22},
        "multipart": {
            "type": "object",
            "title": "Body: form fields and files",
            "additionalProperties": {"type": ["string", "number", "boolean", "object", "array"]},
            "order": 23,
        },
        "file": {**_FILE, "title": "Body: a file", "order": 24},
        "authentication": {
            "type": "object",
            "order": 30,
            "properties": {
                "authentication_method": {
                    "type": "string",
                    "enum": ["none", "basic", "digest", "bearer", "oauth2"],
                },
                "username": {"type": "string"},
                "password": {"type": "string", "writeOnly": True},
                "token": {"type": "string", "writeOnly": True, "description": "For bearer"},
                "token_url": {"type": "string", "description": "For oauth2: where a token is got"},
                "client_id": {"type": "string"},
                "client_secret": {"type": "string", "writeOnly": True},
                "scope": {"type": "string"},
                "audience": {"type": "string"},
                "client_authentication": {
                    "type": "string",
                    "enum": ["header", "body"],
                    "description": "For oauth2: how the client says who it is. header, unless given",
                },
            },
            "additionalProperties": False,
        },
        "expected_status_code": {
            "type": "array",
            "items": {"type": ["integer", "string"], "pattern": "^[1-5](xx|[0-9]{2})(-[1-5][0-9]{2})?$"},
            "description": "200, 201, 202 and 204, unless given; also 2xx or 200-299",
            "order": 40,
        },
        "allow_redirects": {"type": "boolean", "description": "true, unless given", "order": 41},
        "max_redirects": {
            "type": "integer",
            "minimum": 0,
            "maximum": 50,
            "description": "10, unless given",
            "order": 42,
        },
        "total_timeout": {**_SECONDS, "description": "Seconds; 30, unless given", "order": 43},
        "connect_timeout": {**_SECONDS, "description": "Seconds; 30, unless given", "order": 44},
        "read_timeout": {**_SECONDS, "description": "Seconds without a byte; 30, unless given", "order": 45},
        "max_bytes": {
            "type": "integer",
            "minimum": 0,
            "maximum": 100_000_000,
            "description": "The largest answer; 10,000,000, unless given",
            "order": 46,
        },
        "tls": {
            "type": "object",
            "title": "TLS",
            "order": 50,
            "properties": {
                "verify": {"type": "boolean", "description": "true, unless given"},
                "ca": {
                    **_PEM,
                    "description": "Certificates of authorities to trust in place of the usual ones",
                },
                "client_certificate": _PEM,
                "client_key": {**_PEM, "writeOnly": True},
                "client_key_password": {"type": "string", "writeOnly": True},
            },
            "additionalProperties": False,
        },
        "retry_backoff": {
            "type": ["object", "null"],
            "title": "Retries",
            "description": "Send it again when the other side is away or busy. Without it nothing is repeated.",
            "order": 60,
            "properties": {
                "initial": {
                    "type": "number",
                    "minimum": 0,
                    "description": "Seconds before the first; 1, unless given",
                },
                "multiplier": {"type": "number", "minimum": 1, "description": "2, unless given"},
                "maximum": {
                    "type": "number",
                    "minimum": 0,
                    "description": "Seconds at most; 60, unless given",
                },
                "deadline": {
                    "type": "number",
                    "minimum": 0,
                    "description": "Seconds in all; 600, unless given",
                },
            },
            "additionalProperties": False,
        },
    }
)
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
    return {name: value for name, value in inputs.items() if name not in _ONE_REQUEST} | {"method": "get"}


def is_idempotent(inputs: Inputs) -> bool:
    return inputs.get("method", "get") in IDEMPOTENT


async def run(inputs: Inputs, context: Context) -> Result:
    from connectors.types.http import exchange  # its libraries are loaded where connections are carried out

    return await exchange(inputs, context)
