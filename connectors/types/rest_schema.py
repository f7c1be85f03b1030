"""The inputs of a REST connection as a JSON Schema, and what of it the form of a connector offers.

Only names, types and words; `rest` says what they mean.
"""

from typing import Any

from connectors.types.base import PEM, schema, seconds

METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"]
# What the form of a connector offers at once, and what it offers below.
FORM = ("url", "headers", "query", "authentication")
MORE = (
    "allow_redirects", "max_redirects", "total_timeout", "connect_timeout", "read_timeout", "max_bytes", "tls",
    "retry_backoff",
)  # fmt: skip

_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
# A name may come several times: then its value is a list.
_LISTS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean", "null", "array"]},
}
_LOGIN: dict[str, Any] = {
    "username": {"type": "string", "title": "User name"},
    "password": {"type": "string", "title": "Password", "writeOnly": True},
    "token": {"type": "string", "title": "Token", "writeOnly": True},
    "token_url": {"type": "string", "title": "URL of the token", "placeholder": "https://…/oauth/token"},
    "client_id": {"type": "string", "title": "Client id"},
    "client_secret": {"type": "string", "title": "Client secret", "writeOnly": True},
    "scope": {"type": "string", "title": "Scope", "description": "Several with blanks between"},
    "audience": {"type": "string", "title": "Audience"},
    "client_authentication": {
        "type": "string",
        "title": "The client signs in",
        "enum": ["header", "body"],
        "description": "In the header, unless given",
    },
}
_WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "basic": ("Basic", ("username", "password")),
    "digest": ("Digest", ("username", "password")),
    "bearer": ("Bearer token", ("token",)),
    "oauth2": (
        "OAuth 2 client credentials",
        ("token_url", "client_id", "client_secret", "scope", "audience", "client_authentication"),
    ),
}
_BACKOFF: dict[str, Any] = {
    "initial": {**seconds(3600), "title": "Seconds before the first"},
    "multiplier": {"type": "number", "minimum": 1, "title": "Times longer each further time"},
    "maximum": {**seconds(3600), "title": "Seconds at most"},
    "deadline": {**seconds(86_400), "title": "Seconds in all"},
}
_FILE: dict[str, Any] = {
    "name": {"type": "string"},
    "content": {"type": "string", "description": "In Base64"},
    "text": {"type": "string", "description": "In place of content"},
    "content_type": {"type": "string"},
}
_TLS: dict[str, Any] = {
    "verify": {"type": "boolean", "default": True, "title": "Check the certificate of the server"},
    "ca": {
        **PEM,
        "title": "Authorities",
        "description": "Certificates to trust in place of the usual ones, in PEM",
    },
    "client_certificate": {**PEM, "title": "Certificate of the client"},
    "client_key": {**PEM, "title": "Key of the client", "writeOnly": True},
    "client_key_password": {"type": "string", "title": "Password of the key", "writeOnly": True},
}


def _group(title: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "title": title, "properties": properties, "additionalProperties": False, **more}


SCHEMA = schema(
    {
        "url": {
            "type": "string",
            "title": "URL",
            "description": "What is common to all requests; flows add a path. In place of it: scheme, host, port",
            "placeholder": "https://api.example.org/v2",
        },
        "scheme": {"type": "string", "title": "Scheme", "enum": ["http", "https"]},
        "host": {"type": "string", "title": "Host"},
        "port": {"type": "integer", "title": "Port", "minimum": 1, "maximum": 65535},
        "base_path": {"type": "string", "title": "Base path", "description": "What stands before every path"},
        "path": {"type": "string", "title": "Path"},
        "method": {"type": "string", "title": "Method", "enum": METHODS, "description": "get, unless given"},
        "query": {**_LISTS, "title": "Query", "placeholder": "size: 100"},
        "headers": {**_LISTS, "title": "Headers", "placeholder": "Accept: application/json"},
        "cookies": {**_TEXTS, "title": "Cookies"},
        "json": {"title": "Body: JSON"},
        "text": {"type": "string", "title": "Body: text"},
        "urlencoded": {**_LISTS, "title": "Body: form fields"},
        "multipart": {
            "type": "object",
            "title": "Body: form fields and files",
            "additionalProperties": {"type": ["string", "number", "boolean", "object", "array"]},
        },
        "file": _group("Body: a file", _FILE),
        "authentication": _group(
            "Authentication",
            {
                "authentication_method": {"type": "string", "title": "Method", "enum": ["none", *_WAYS]},
                **_LOGIN,
            },
        ),
        "expected_status_code": {
            "type": "array",
            "title": "Expected statuses",
            "items": {"type": ["integer", "string"], "pattern": "^[1-5](xx|[0-9]{2})(-[1-5][0-9]{2})?$"},
            "description": "200, 201, 202 and 204, unless given; also 2xx or 200-299",
        },
        "allow_redirects": {"type": "boolean", "default": True, "title": "Follow redirects"},
        "max_redirects": {
            "type": "integer",
            "title": "Redirects at most",
            "minimum": 0,
            "maximum": 50,
            "placeholder": "10",
        },
        "total_timeout": {**seconds(86_400), "title": "Seconds in all", "placeholder": "30"},
        "connect_timeout": {**seconds(86_400), "title": "Seconds to connect", "placeholder": "30"},
        "read_timeout": {**seconds(86_400), "title": "Seconds without a byte", "placeholder": "30"},
        "max_bytes": {
            "type": "integer",
            "title": "Largest answer in bytes",
            "minimum": 0,
            "maximum": 100_000_000,
            "placeholder": "10,000,000",
        },
        "tls": _group("TLS", _TLS),
        "retry_backoff": _group(
            "Retries",
            _BACKOFF,
            description="Send it again when the other side is away or busy. Without it nothing is sent twice.",
        ),
    }
)


def _way(method: str) -> dict[str, Any]:
    title, names = _WAYS[method]
    properties = {"authentication_method": {"const": method}, **{name: _LOGIN[name] for name in names}}
    return _group(title, properties, required=["authentication_method"])


# In the form one chooses a way to sign in and sees what that one needs.
FORM_RULES: dict[str, Any] = {
    "authentication": {"title": "Authentication", "oneOf": [_way(way) for way in _WAYS]}
}
