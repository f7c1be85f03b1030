"""What a REST connection sends and gets: the request made of the inputs, and the output made of the answer.

Pure: it talks to nobody. `http` sends the one and reads the other.
"""

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

from connectors.types.base import InputRefused, Inputs
from connectors.types.rest import BODIES, address


def request_of(client: httpx.AsyncClient, inputs: Inputs) -> httpx.Request:
    """Return the request that the inputs describe. Raises InputRefused."""
    headers = httpx.Headers(_pairs(inputs, "headers"))
    for name, value in headers.multi_items():
        if not name or not name.isascii() or any(sign in name + value for sign in "\r\n\0"):
            raise InputRefused(f"headers: {name!r} has a name or a value that no header can have.")
    body, content_type = _body(inputs)
    if content_type:
        headers.setdefault("Content-Type", content_type)
    if cookies := cookies_of(inputs):
        headers.setdefault("Cookie", cookies)
    headers.setdefault("User-Agent", "engine")
    url = httpx.URL(address(inputs))
    if query := _pairs(inputs, "query"):
        url = url.copy_with(params=[*url.params.multi_items(), *query])
    return client.build_request(inputs.get("method", "get").upper(), url, headers=headers, **body)


def cookies_of(inputs: Inputs) -> str:
    """Return the cookies to send as the value of their header."""
    return "; ".join(f"{name}={_text(value)}" for name, value in inputs.get("cookies", {}).items())


def output_of(answer: httpx.Response, content: bytes) -> dict[str, Any]:
    """Return the answer as a flow sees it: `json` where it is JSON, else `text`, else `bytes` in Base64."""
    output = {
        "status_code": answer.status_code,
        "url": str(answer.url),
        "headers": dict(answer.headers),
        "cookies": {name: value for each in (*answer.history, answer) for name, value in _set_cookies(each)},
        "encoding": answer.charset_encoding,
    }
    if content:
        try:
            return output | {"json": orjson.loads(content)}
        except orjson.JSONDecodeError:
            pass
    try:
        text = content.decode(answer.charset_encoding or "utf-8")
        text.encode()  # some encodings give halves of characters, which nothing can store
    except (UnicodeError, LookupError):
        return output | {"bytes": base64.b64encode(content).decode()}
    return output | {"text": text}


def _set_cookies(answer: httpx.Response) -> list[tuple[str, str]]:
    lines = answer.headers.get_list("Set-Cookie")
    pairs = [line.split(";", 1)[0].partition("=") for line in lines]
    return [(name.strip(), value.strip()) for name, sign, value in pairs if sign]


def _body(inputs: Inputs) -> tuple[dict[str, Any], str]:
    """Return what httpx takes for the body, and its content type where httpx would not say it."""
    given = [name for name in BODIES if name in inputs]
    if len(given) > 1:
        raise InputRefused(f"{given[1]}: give only one body: {' or '.join(given)}.")
    value: Any = inputs[given[0]] if given else None
    match given:
        case ["json"]:
            return {"content": orjson.dumps(value)}, "application/json"
        case ["text"]:
            return {"content": value.encode()}, "text/plain; charset=utf-8"
        case ["urlencoded"]:
            return {
                "content": urlencode(_pairs(inputs, "urlencoded")).encode()
            }, "application/x-www-form-urlencoded"
        case ["multipart"]:
            parts = [(name, _part(name, each)) for name, item in value.items() for each in _several(item)]
            return {"files": parts}, ""
        case ["file"]:
            _, content, content_type = _file("file", value)
            return {"content": content}, content_type
    return {}, ""


def _part(name: str, value: Any) -> tuple[str | None, bytes] | tuple[str, bytes, str]:
    if isinstance(value, dict):
        return _file(f"multipart.{name}", value)
    return None, _text(value).encode()


def _file(where: str, value: Any) -> tuple[str, bytes, str]:
    unknown = sorted(set(value) - {"name", "content", "text", "content_type"})
    if unknown or ("content" in value) == ("text" in value):
        raise InputRefused(f"{where}: give a file as an object with name, content_type, and content or text.")
    try:
        content = (
            base64.b64decode(value["content"], validate=True)
            if "content" in value
            else value["text"].encode()
        )
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise InputRefused(f"{where}: content is not Base64; a plain text goes into text.") from error
    return str(value.get("name", "file")), content, str(value.get("content_type", "application/octet-stream"))


def _pairs(inputs: Inputs, name: str) -> list[tuple[str, str]]:
    return [(key, _text(each)) for key, value in inputs.get(name, {}).items() for each in _several(value)]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
