"""Answers that flows give: what can be sent, and what must not."""

import base64
from typing import Any

import pytest

from webhooks.shaping import ShapeRefused, shaped_answer


def headers_of(shape: Any) -> dict[str, str]:
    return dict(shaped_answer(shape).headers)


@pytest.mark.parametrize(
    ("shape", "status", "kind", "body"),
    [
        ({}, 200, None, b""),
        ({"json": {"a": 1}, "status": 201}, 201, "application/json", b'{"a":1}'),
        ({"json": None}, 200, "application/json", b"null"),
        ({"text": "grüß"}, 200, "text/plain; charset=utf-8", "grüß".encode()),
        ({"html": "<p>"}, 200, "text/html; charset=utf-8", b"<p>"),
        ({"base64": base64.b64encode(b"\0\1").decode()}, 200, "application/octet-stream", b"\0\1"),
        ({"base64": "", "headers": {"Content-Type": "image/png"}}, 200, "image/png", b""),
        ({"text": "a,b", "headers": {"content-type": "text/csv"}}, 200, None, b"a,b"),
        ({"status": 302, "headers": {"Location": "/there"}}, 302, None, b""),
        ({"status": 204}, 204, None, b""),
    ],
)
def test_answers(shape: Any, status: int, kind: str | None, body: bytes) -> None:
    answer = shaped_answer(shape)
    assert (answer.status, answer.body) == (status, body)
    assert dict(answer.headers).get("Content-Type") == kind


def test_every_answer_is_in_a_sandbox() -> None:
    for shape in ({"html": "<script>"}, {"text": "<svg>", "headers": {"Content-Type": "image/svg+xml"}}, {}):
        headers = headers_of(shape)
        policy = headers["Content-Security-Policy"]
        assert (
            policy.startswith("sandbox ") and "same-origin" not in policy and "top-navigation" not in policy
        )
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_some_defaults_can_be_replaced() -> None:
    headers = headers_of({"text": "", "headers": {"cache-control": "max-age=60", "X-Request-Id": "7"}})
    assert headers["cache-control"] == "max-age=60" and "Cache-Control" not in headers
    assert headers["X-Request-Id"] == "7"


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ([], "is an object with"),
        ({"body": "x"}, "has no 'body'"),
        ({"status": "200"}, "status"),
        ({"status": True}, "status"),
        ({"status": 100}, "from 200"),
        ({"status": 600}, "to 599"),
        ({"json": 1, "text": "1"}, "one body, not json and text"),
        ({"status": 204, "text": ""}, "no body"),
        ({"html": 5}, "html: give text"),
        ({"base64": "%%"}, "not Base64"),
        ({"headers": []}, "headers: give an object"),
        ({"headers": {"X-A": "1\r\nSet-Cookie: a=b"}}, "X-A takes one line"),
        ({"headers": {"X-A": "1\nb"}}, "X-A takes one line"),
        ({"headers": {"X-A": "\0"}}, "X-A takes one line"),
        ({"headers": {"X-A": "\u20ac"}}, "X-A takes one line"),
        ({"headers": {"X-A": None}}, "X-A takes one line"),
        ({"headers": {"X-A\r\nX-B": "1"}}, "no name of a header"),
        ({"headers": {"X A": "1"}}, "no name of a header"),
        ({"headers": {"": "1"}}, "no name of a header"),
        ({"headers": {"Set-Cookie": "sessionid=abc"}}, "cannot be set"),
        ({"headers": {"content-security-policy": "default-src *"}}, "cannot be set"),
        ({"headers": {"Content-Length": "5"}}, "cannot be set"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "cannot be set"),
        ({"headers": {"Content-Type": "text/javascript"}}, "scripts cannot be served"),
        ({"headers": {"Content-Type": "application/ecmascript; x=y"}}, "scripts cannot be served"),
        ({"headers": {f"X-{number}": "1" for number in range(51)}}, "50 at most"),
    ],
)
def test_what_cannot_be_sent(shape: Any, words: str) -> None:
    with pytest.raises(ShapeRefused, match=words):
        shaped_answer(shape)
