"""The answer that a flow gives to the caller of its webhook: checked when the flow gives it, written out by the door.

It stands in the output under `webhook_response`: status, headers, and one of json, text, html, base64.
Pure: no database, no request.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from records.json_text import dump_json

OUTPUT_NAME = "webhook_response"
BODIES = ("json", "text", "html", "base64")
_FIELDS = {"status", "headers", *BODIES}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]{0,4000}")
MAX_HEADERS = 50
# What concerns the connection is the server's; what concerns this whole site's origin is no flow's to say.
_REFUSED = {
    "connection", "content-length", "date", "keep-alive", "proxy-authenticate", "proxy-connection", "server", "te",
    "trailer", "transfer-encoding", "upgrade",
    "alt-svc", "clear-site-data", "content-security-policy", "cross-origin-opener-policy", "idempotent-replay",
    "public-key-pins", "service-worker-allowed", "set-cookie", "strict-transport-security", "x-content-type-options",
}  # fmt: skip
_SCRIPT = re.compile(r"(java|ecma|live|j)script|wasm", re.IGNORECASE)
# Whatever a flow answers stands on the origin of this site. A sandbox has an origin of its own: what runs in it
# can read no page of ours and send no request in the name of the person who looks at it.
SAFE_HEADERS = (
    ("Content-Security-Policy", "sandbox allow-forms allow-popups allow-scripts; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
_TYPES = {
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "base64": "application/octet-stream",
}


class ShapeRefused(Exception):
    """This is no answer that can be sent; the message says what is wrong."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, ready to be sent. `error` is what its call's log says of it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=())
    error: str = ""


def json_answer(status: int, value: Any, *headers: tuple[str, str], error: str = "") -> Answer:
    """Return an answer of the engine itself."""
    return Answer(
        status, dump_json(value), (("Content-Type", _TYPES["json"]), *SAFE_HEADERS, *headers), error
    )


def shaped_answer(shape: Any) -> Answer:
    """Return the answer that a flow gave. Raises ShapeRefused."""
    check_shape(shape)
    given = {name: str(value) for name, value in (shape.get("headers") or {}).items()}
    kind = next((name for name in BODIES if name in shape), None)
    names = {name.lower() for name in given}
    headers = list(given.items())
    if kind and "content-type" not in names:
        headers.insert(0, ("Content-Type", _TYPES[kind]))
    headers += [pair for pair in SAFE_HEADERS if pair[0].lower() not in names]
    return Answer(shape.get("status", 200), _body(kind, shape.get(kind or "")), tuple(headers))


def check_shape(shape: Any) -> None:
    """Raise ShapeRefused unless this is an answer that can be sent, saying what is wrong."""
    if not isinstance(shape, dict):
        raise ShapeRefused(f"An answer is an object with {', '.join(sorted(_FIELDS))}, not {shape!r}.")
    if unknown := sorted(set(shape) - _FIELDS):
        raise ShapeRefused(f"An answer has no {unknown[0]!r}; it has: {', '.join(sorted(_FIELDS))}.")
    status = shape.get("status", 200)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise ShapeRefused(f"status: give a number from 200 to 599, not {status!r}.")
    bodies = [name for name in BODIES if name in shape]
    if len(bodies) > 1:
        raise ShapeRefused(f"Give one body, not {' and '.join(bodies)}.")
    if bodies and status in (204, 304):
        raise ShapeRefused(f"An answer with status {status} has no body.")
    if bodies and bodies[0] != "json" and not isinstance(shape[bodies[0]], str):
        raise ShapeRefused(f"{bodies[0]}: give text, not {type(shape[bodies[0]]).__name__}.")
    if bodies == ["base64"]:
        _body("base64", shape["base64"])
    _check_headers(shape.get("headers"))


def _check_headers(headers: Any) -> None:
    if headers is None:
        return
    if not isinstance(headers, dict) or len(headers) > MAX_HEADERS:
        raise ShapeRefused(
            f'headers: give an object such as {{"Location": "/"}}, with {MAX_HEADERS} at most.'
        )
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ShapeRefused(f"headers: {name!r} is no name of a header.")
        if name.lower() in _REFUSED:
            raise ShapeRefused(f"headers: {name} cannot be set by a flow.")
        if (
            isinstance(value, bool)
            or not isinstance(value, str | int)
            or not _HEADER_VALUE.fullmatch(str(value))
        ):
            raise ShapeRefused(f"headers: {name} takes one line of text, up to 4,000 characters.")
        if name.lower() == "content-type" and _SCRIPT.search(str(value)):
            raise ShapeRefused(
                "headers: scripts cannot be served here: pages of this site could be made to run them."
            )


def _body(kind: str | None, value: Any) -> bytes:
    match kind:
        case None:
            return b""
        case "json":
            return dump_json(value)
        case "base64":
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise ShapeRefused("base64: this is not Base64.") from None
        case _:
            return str(value).encode("utf-8", "replace")
