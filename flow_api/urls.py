"""Takes a URL apart into the keyword arguments of a REST connection. Scripts call `flow_api.split_url`."""

from __future__ import annotations

from typing import Any


def split_url(url: str) -> dict[str, Any]:
    """Will return scheme, host, port, path and, where the URL has them, query, fragment, username and password."""
    from urllib.parse import parse_qsl, unquote, urlsplit

    parts = urlsplit(url)
    scheme = parts.scheme or "https"
    found: dict[str, Any] = {
        "scheme": scheme,
        "host": parts.hostname or "",
        "port": parts.port or {"http": 80, "https": 443}.get(scheme),
        "path": parts.path or "/",
        "query": [
            {"name": name, "value": value} for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ],
        "fragment": unquote(parts.fragment),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    return {name: value for name, value in found.items() if value not in ("", [], None)}
