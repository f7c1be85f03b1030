"""What a request becomes for the flow: its body by its type, and nothing in it that is a secret."""

import base64
from typing import Any

import pytest

from webhooks.incoming import FILTERED, Incoming, Unreadable

PNG = b"\x89PNG\r\n\x1a\n\x00\x00"


def request_with(
    body: bytes = b"", kind: str = "", method: str = "POST", query: str = "", **headers: str
) -> Incoming:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind:
        named["content-type"] = kind
    return Incoming(method, "", query, named, "192.0.2.1", body)


@pytest.mark.parametrize(
    ("kind", "body", "read"),
    [
        ("application/json", b'{"a": [1, null]}', {"json": {"a": [1, None]}}),
        ("application/json", b"[1]", {"json": [1]}),
        ("application/json; charset=utf-8", b'"text"', {"json": "text"}),
        ("application/vnd.github+json", b"{}", {"json": {}}),
        (
            "application/x-www-form-urlencoded",
            b"a=1&b=2&b=%C3%A9&c=",
            {"form": {"a": "1", "b": ["2", "é"], "c": ""}},
        ),
        ("text/plain", "grüß".encode(), {"text": "grüß"}),
        ("text/plain; charset=latin-1", "grüß".encode("latin-1"), {"text": "grüß"}),
        ("text/plain; charset=nonsense", b"abc", {"base64": "YWJj"}),
        ("text/csv", b"a;b\n1;2\n", {"text": "a;b\n1;2\n"}),
        ("application/soap+xml", b"<a/>", {"text": "<a/>"}),
        ("", b"just text", {"text": "just text"}),
        ("", PNG, {"base64": base64.b64encode(PNG).decode()}),
        ("text/plain", b"with a \0 null", {"base64": base64.b64encode(b"with a \0 null").decode()}),
        ("image/png", PNG, {"base64": base64.b64encode(PNG).decode()}),
        ("application/json", b"", {}),
    ],
)
def test_a_body_is_read_by_its_type(kind: str, body: bytes, read: dict[str, Any]) -> None:
    assert request_with(body, kind).read_body() == read


def test_files_come_with_their_fields() -> None:
    boundary = "xyz"
    parts = [
        b'--xyz\r\nContent-Disposition: form-data; name="title"\r\n\r\nA picture\r\n',
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="../a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + PNG * 400_000 + b"\r\n",
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="b.txt"\r\n\r\nB\r\n--xyz--\r\n',
    ]
    body = request_with(b"".join(parts), f"multipart/form-data; boundary={boundary}").read_body()
    assert body["form"] == {"title": "A picture"}
    first, second = body["files"]
    assert (first["field"], first["filename"], first["content_type"], first["size"]) == (
        "file", "a.png", "image/png", len(PNG) * 400_000,
    )  # fmt: skip
    assert base64.b64decode(first["base64"]) == PNG * 400_000
    assert base64.b64decode(second["base64"]) == b"B"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("application/json", b'{"a": ', "The body is not JSON"),
        ("application/json", b'{"a": "\\u0000"}', "null character"),
        ("application/json", b"[" * 110 + b"]" * 110, "nested"),
        ("multipart/form-data", b"abc", "multipart"),
        ("application/x-www-form-urlencoded", b"a=1&" * 10_001, "more than 10,000 fields"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(kind: str, body: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        request_with(body, kind).read_body()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_some_methods_have_no_body(method: str) -> None:
    assert request_with(b"{}", "application/json", method).read_body() == {}


def test_a_null_character_in_the_query_is_replaced() -> None:
    request = request_with(query="a=%00&b=%ED%A0%80")
    assert request.as_input({}, (), "")["query"] == {"a": "\ufffd", "b": "\ufffd\ufffd\ufffd"}


def test_secrets_in_headers_are_not_passed_on() -> None:
    request = request_with(
        authorization="Bearer abc", cookie="sessionid=abc", x_api_key="abc", x_webhook_key="abc", x_my_mark="abc",
        x_auth_token="abc", x_github_event="push", idempotency_key="7",
    )  # fmt: skip
    headers = request.as_input({}, ["x-my-mark"], "")["headers"]
    assert headers.pop("x-github-event") == "push"
    assert headers.pop("idempotency-key") == "7"
    assert set(headers.values()) == {FILTERED}


@pytest.mark.parametrize(
    ("query", "headers", "json", "found", "left_query", "left_json"),
    [
        ("key=q&a=1&async=1", {}, {"key": "j", "b": 2}, ("q", "query"), {"a": "1"}, {"key": "j", "b": 2}),
        ("a=1", {}, {"key": "j", "b": 2}, ("j", "json"), {"a": "1"}, {"b": 2}),
        ("key=q", {"x_webhook_key": "h"}, {"key": "j"}, ("h", "header"), {"key": "q"}, {"key": "j"}),
        ("", {}, {"key": 5}, ("", ""), {}, {"key": 5}),
        ("", {}, ["key"], ("", ""), {}, ["key"]),
    ],
)
def test_the_key_is_left_out_where_it_was(
    query: str, headers: dict[str, str], json: Any, found: Any, left_query: Any, left_json: Any
) -> None:
    request = request_with(b"x", "application/json", query=query, **headers)
    key, place = request.find_key({"json": json})
    assert (key, place) == found
    given = request.as_input({"json": json}, (), place)
    assert (given["query"], given["json"]) == (left_query, left_json)
