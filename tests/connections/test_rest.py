"""REST against a real server: what is sent, what comes back, and what is refused."""

import asyncio
import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flow_api
from connectors.types.base import ConnectionFailed, ConnectionTimedOut, InputRefused
from connectors.types.rest import is_idempotent, normalize
from tests.connections.certificates import PASSWORD, Authority
from tests.connections.exchanges import Exchange
from tests.connections.servers import Answer, Asked, Web, as_json


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def echo(web: Web) -> str:
    """The address of a page that tells what it was sent."""

    async def page(asked: Asked) -> Answer:
        headers = {name.lower(): value for name, value in asked.headers}
        body = {
            "method": asked.method,
            "target": asked.target,
            "headers": headers,
            "body": asked.body.decode("latin-1"),
        }
        return as_json(body)

    return web.page("/echo", page)


def test_every_method(exchange: Exchange, echo: str, web: Web) -> None:
    for method in ("get", "post", "put", "patch", "delete", "options", "HEAD"):
        output = exchange.rest(url=echo, method=method)
        assert output["status_code"] == 200
        assert web.asked["/echo"][-1].method == method.upper()
    assert output["text"] == ""


def test_query_headers_and_cookies_in_either_form(exchange: Exchange, echo: str) -> None:
    flat = exchange.rest(
        url=echo + "?a=1", params={"b": [2, 3], "c": True}, headers={"X-One": 1}, cookies={"k": "v"}
    )
    listed = exchange.rest(
        url=echo + "?a=1",
        query=[{"name": "b", "value": 2}, {"name": "b", "value": 3}, {"name": "c", "value": True}],
        headers=[{"name": "X-One", "value": "1"}],
        cookies=[{"name": "k", "value": "v"}],
    )
    for output in (flat, listed):
        got = output["json"]
        assert got["target"] == "/echo?a=1&b=2&b=3&c=true"
        assert (got["headers"]["x-one"], got["headers"]["cookie"]) == ("1", "k=v")


@pytest.mark.parametrize(
    ("inputs", "body", "content_type"),
    [
        ({"json": {"ä": [1, None]}}, '{"ä":[1,null]}', "application/json"),
        ({"json": None}, "null", "application/json"),
        ({"text": "plain ü"}, "plain ü", "text/plain; charset=utf-8"),
        ({"urlencoded": {"a": "b c", "n": [1, 2]}}, "a=b+c&n=1&n=2", "application/x-www-form-urlencoded"),
        ({"data": "raw"}, "raw", "text/plain; charset=utf-8"),
        ({"data": {"a": 1}}, "a=1", "application/x-www-form-urlencoded"),
        ({"body": {"json": [1]}}, "[1]", "application/json"),
        ({"mode": {"mode_name": "put", "text": "in a mode"}}, "in a mode", "text/plain; charset=utf-8"),
        (
            {"file": {"content": base64.b64encode(b"\x00\xff").decode(), "content_type": "image/x"}},
            "\x00\xff",
            "image/x",
        ),
        ({"text": "<a/>", "headers": {"content-type": "text/xml"}}, "<a/>", "text/xml"),
    ],
)
def test_bodies(exchange: Exchange, echo: str, inputs: dict[str, Any], body: str, content_type: str) -> None:
    got = exchange.rest(url=echo, **{"method": "post", **inputs})["json"]
    sent = body if "file" in inputs else body.encode().decode("latin-1")
    assert (got["body"], got["headers"]["content-type"]) == (sent, content_type)


def test_a_form_with_files(exchange: Exchange, echo: str) -> None:
    files = {
        "one": {"name": "a.txt", "text": "hello", "content_type": "text/plain"},
        "word": "yes",
        "many": ["1", "2"],
    }
    got = exchange.rest(url=echo, method="post", multipart=files)["json"]
    assert got["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    for piece in ('name="one"; filename="a.txt"', "hello", 'name="word"\r\n\r\nyes', 'name="many"\r\n\r\n2'):
        assert piece in got["body"]


@pytest.mark.parametrize(
    ("answer", "kind", "value"),
    [
        (Answer(body=b'{"a": 1}'), "json", {"a": 1}),
        (Answer(body=b"12"), "json", 12),
        (
            Answer(body="grün".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"}),
            "text",
            "grün",
        ),
        (Answer(body=b"not { json"), "text", "not { json"),
        (Answer(body=b"\xff\x00"), "bytes", base64.b64encode(b"\xff\x00").decode()),
        (
            Answer(body=rb"\ud800", headers={"Content-Type": "text/plain; charset=unicode_escape"}),
            "bytes",
            base64.b64encode(rb"\ud800").decode(),
        ),
        (Answer(204), "text", ""),
    ],
)
def test_answers(exchange: Exchange, web: Web, answer: Answer, kind: str, value: object) -> None:
    output = exchange.rest(url=web.page("/answers", answer))
    assert output[kind] == value
    assert len({"json", "text", "bytes"} & set(output)) == 1
    assert output["status_code"] == answer.status


def test_split_url_gives_the_parts(exchange: Exchange, echo: str) -> None:
    parts = flow_api.split_url(echo.replace("//", "//me:top%20secret@") + "?q=1#part")
    got = exchange.rest(**parts, method="get")["json"]
    assert got["target"] == "/echo?q=1"
    assert got["headers"]["authorization"] == "Basic " + base64.b64encode(b"me:top secret").decode()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"host": "example.org"}, "https://example.org"),
        (
            {"hostname": "example.org", "scheme": "http", "port": 81, "path": "a/b"},
            "http://example.org:81/a/b",
        ),
        ({"host": "::1", "base_path": "/api/", "path": "/x"}, "https://[::1]/api/x"),
        ({"url": "https://example.org/v1?k=1", "path": "/things"}, "https://example.org/v1/things?k=1"),
    ],
)
def test_addresses(given: dict[str, Any], url: str) -> None:
    from connectors.types.rest import address

    assert address(normalize(given)) == url


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"url": "/relative"}, "give a whole address"),
        ({"url": "ftp://127.0.0.1/"}, "give a whole address"),
        ({"url": "http://127.0.0.1:99999/"}, "url"),
        ({}, "url: give an address"),
        ({"url": "http://127.0.0.1/", "method": "fetch"}, "inputs.method: must be one of get"),
        ({"url": "http://127.0.0.1/", "json": 1, "text": "2"}, "give only one body"),
        ({"url": "http://127.0.0.1/", "headers": {"X": "a\r\nY: b"}}, "headers: 'x'"),
        ({"url": "http://127.0.0.1/", "file": {"content": "***"}}, "file: content is not Base64"),
        ({"url": "http://127.0.0.1/", "tls": {"ca": "nonsense"}}, "tls.ca: give certificates"),
        (
            {"url": "http://127.0.0.1/", "authentication": {"authentication_method": "bearer"}},
            "authentication.token",
        ),
        ({"url": "http://127.0.0.1/", "wrong": 1}, "inputs.wrong: is not known"),
    ],
)
def test_what_is_no_request_is_refused(exchange: Exchange, inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(InputRefused) as refused:
        exchange.rest(**inputs)
    assert words in refused.value.message


def test_statuses_that_are_expected(exchange: Exchange, web: Web) -> None:
    url = web.page("/teapot", Answer(418, body=b"short and stout"))
    with pytest.raises(ConnectionFailed) as failed:
        exchange.rest(url=url)
    assert "418" in failed.value.message and "short and stout" in failed.value.message
    assert failed.value.output is not None and failed.value.output["text"] == "short and stout"
    for expected in (418, [200, 418], ["4xx"], ["400-420"], "4xx"):
        assert exchange.rest(url=url, expected_status_code=expected)["status_code"] == 418
    with pytest.raises(ConnectionFailed):
        exchange.rest(url=url, expected_status_code=["5xx", 417])


# -- Redirects ----------------------------------------------------------------------------------------------


def test_redirects_are_followed_and_counted(exchange: Exchange, web: Web, echo: str) -> None:
    hop = web.page("/hop", Answer(302, {"Location": "/echo?from=hop", "Set-Cookie": "seen=yes; Path=/"}))
    output = exchange.rest(
        url=hop, method="post", json={"a": 1}, headers={"X-Key": "k"}, cookies={"mine": "1"}
    )
    got = output["json"]
    assert (got["method"], got["target"], got["body"]) == ("GET", "/echo?from=hop", "")
    assert (got["headers"]["x-key"], got["headers"]["cookie"]) == ("k", "mine=1; seen=yes")
    assert output["cookies"] == {"seen": "yes"}
    stay = exchange.rest(url=hop, allow_redirects=False, expected_status_code=[302])
    assert stay["headers"]["location"] == "/echo?from=hop"
    loop = web.page("/loop", Answer(307, {"Location": "/loop"}))
    with pytest.raises(ConnectionFailed, match="max_redirects"):
        exchange.rest(url=loop, max_redirects=3)
    assert len(web.asked["/loop"]) == 4


def test_another_host_gets_nothing_that_was_meant_for_the_first(
    exchange: Exchange, web: Web, echo: str
) -> None:
    elsewhere = echo.replace("127.0.0.1", "localhost")
    hop = web.page("/away", Answer(307, {"Location": elsewhere}))
    output = exchange.rest(
        url=hop,
        method="post",
        json={"a": 1},
        headers={"X-Api-Key": "key-of-the-first", "Accept": "text/x"},
        cookies={"session": "of-the-first"},
        authentication={"authentication_method": "bearer", "token": "token-of-the-first"},
    )
    assert web.asked["/away"][-1].header("Authorization") == "Bearer token-of-the-first"
    got = output["json"]
    assert (got["method"], got["body"]) == ("POST", '{"a":1}')
    assert "of-the-first" not in str(got)
    assert got["headers"]["accept"] == "text/x"


# -- Authentication -----------------------------------------------------------------------------------------


def test_basic_and_bearer_in_older_words(exchange: Exchange, echo: str) -> None:
    basic = "Basic " + base64.b64encode(b"me:pass").decode()
    for inputs in (
        {"username": "me", "password": "pass"},
        {"authentication": {"authentication_method": "basic", "username": "me", "password": "pass"}},
        {
            "authentication": {
                "authentication_method": "username_password",
                "username": "me",
                "password": "pass",
            }
        },
    ):
        assert exchange.rest(url=echo, **inputs)["json"]["headers"]["authorization"] == basic
    assert exchange.rest(url=echo, token="t")["json"]["headers"]["authorization"] == "Bearer t"


def test_digest(exchange: Exchange, web: Web) -> None:
    async def page(asked: Asked) -> Answer:
        if 'username="me"' in (asked.header("Authorization") or ""):
            return as_json({"body": asked.body.decode()})
        return Answer(
            401, {"WWW-Authenticate": 'Digest realm="r", nonce="n1", qop="auth", algorithm=SHA-256'}
        )

    url = web.page("/digest", page)
    login = {"authentication_method": "digest", "username": "me", "password": "pass"}
    assert exchange.rest(url=url, method="post", text="twice", authentication=login)["json"] == {
        "body": "twice"
    }


def test_oauth_gets_a_token_and_keeps_it(exchange: Exchange, web: Web) -> None:
    given: list[str] = []

    async def token(asked: Asked) -> Answer:
        given.append(f"token-{len(given)}-{time.monotonic_ns()}")
        return as_json({"access_token": given[-1], "expires_in": 3600, "token_type": "bearer"})

    async def page(asked: Asked) -> Answer:
        return as_json(
            "in" if asked.header("Authorization") == f"Bearer {given[-1]}" else 0, 200 if given else 500
        )

    token_url, url = web.page("/token", token), web.page("/guarded", page)
    login = {
        "authentication_method": "oauth2",
        "token_url": token_url,
        "client_id": "me & co",
        "client_secret": f"secret {time.monotonic_ns()}",
        "scope": "read write",
    }
    for _ in range(2):
        assert exchange.rest(url=url, authentication=login)["json"] == "in"
    assert len(given) == 1 and given[0] in exchange.secrets
    asked = web.asked["/token"][0]
    assert asked.body == b"grant_type=client_credentials&scope=read+write"
    assert base64.b64decode((asked.header("Authorization") or "")[6:]).startswith(b"me%20%26%20co:secret%20")

    async def refuse_the_first(asked: Asked) -> Answer:
        is_new = asked.header("Authorization") == f"Bearer {given[-1]}" and len(given) == 2
        return as_json("in again") if is_new else Answer(401)

    url = web.page("/revoked", refuse_the_first)
    assert exchange.rest(url=url, authentication=login)["json"] == "in again"
    assert len(given) == 2


# -- Limits, time, retries ----------------------------------------------------------------------------------


def test_an_answer_that_is_too_large(exchange: Exchange, web: Web) -> None:
    url = web.page("/large", Answer(body=b"x" * 100_001))
    with pytest.raises(ConnectionFailed, match="larger than 100,000 bytes"):
        exchange.rest(url=url, max_bytes=100_000)
    assert len(exchange.rest(url=url, max_bytes=100_001)["text"]) == 100_001


def test_times(exchange: Exchange, web: Web) -> None:
    async def never(asked: Asked) -> Answer:
        await asyncio.sleep(60)
        return Answer()

    url = web.page("/never", never)
    with pytest.raises(ConnectionTimedOut, match="total_timeout"):
        exchange.rest(url=url, total_timeout=0.05)
    with pytest.raises(ConnectionTimedOut, match="read_timeout"):
        exchange.rest(url=url, read_timeout=0.05)


def test_nobody_is_there(exchange: Exchange, free_port: Any) -> None:
    with pytest.raises(ConnectionFailed, match="Connection refused"):
        exchange.rest(url=f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(ConnectionFailed, match=r"'no-such-host\.invalid' is not found"):
        exchange.rest(url="http://no-such-host.invalid/")


def test_retries_only_where_they_are_asked_for_and_harmless(exchange: Exchange, web: Web) -> None:
    async def busy_twice(asked: Asked) -> Answer:
        return Answer(503) if len(web.asked["/busy"]) % 3 else as_json("at last")

    url = web.page("/busy", busy_twice)
    quick = {"initial": 0.01, "maximum": 0.02}
    with pytest.raises(ConnectionFailed, match="503"):
        exchange.rest(url=url)
    web.page("/busy", busy_twice)
    assert exchange.rest(url=url, retry_backoff=quick)["json"] == "at last"
    assert [line for line in exchange.lines if "Sent again in" in line] != []
    web.page("/busy", busy_twice)
    with pytest.raises(ConnectionFailed, match="503"):
        exchange.rest(url=url, method="post", retry_backoff=quick)
    assert len(web.asked["/busy"]) == 1
    web.page("/busy", busy_twice)
    assert exchange.rest(url=url, method="post", idempotent=True, retry_backoff=quick)["json"] == "at last"
    web.page("/busy", Answer(503, {"Retry-After": "3600"}))
    with pytest.raises(ConnectionFailed, match="503"):  # the wait would go beyond the deadline
        exchange.rest(url=url, retry_backoff={"initial": 0.01, "deadline": 1})
    assert len(web.asked["/busy"]) == 1


def test_what_may_be_repeated() -> None:
    assert [m for m in ("get", "post", "put", "patch", "delete", "head") if is_idempotent({"method": m})] == [
        "get", "put", "delete", "head",
    ]  # fmt: skip
    assert is_idempotent({})


def test_the_environment_is_not_the_flows(
    exchange: Exchange, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert "proxy" not in str(exchange.rest(url=echo)["json"]["headers"])


def test_secrets_of_a_connector_stay_at_home(exchange: Exchange, web: Web, echo: str) -> None:
    connector = {"value": {"url": web.url}, "secrets": {"authentication": {"token": "t"}}}
    assert exchange.rest(**connector, path="echo")["json"]["headers"]["authorization"] == "Bearer t"
    away = web.url.replace("127.0.0.1", "localhost")
    for inputs in (
        {"url": away},
        {"authentication": {"authentication_method": "oauth2", "token_url": away + "/token"}},
    ):
        with pytest.raises(InputRefused, match=r"go to http://127\.0\.0\.1:"):
            exchange.rest(**connector, **inputs)
    assert exchange.rest(secrets=connector["secrets"], url=echo)["status_code"] == 200


# -- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture
def tls_web(authority: Authority, tmp_path: Path) -> Iterator[Web]:
    """A server that wants a certificate of its clients."""
    made = Web(authority.server_context(tmp_path, asks_clients=True))
    yield made
    made.stop()


def test_tls_and_whom_to_trust(exchange: Exchange, authority: Authority, tmp_path: Path) -> None:
    server = Web(authority.server_context(tmp_path))
    try:
        url = server.page("/safe", as_json("safe"))
        assert exchange.rest(url=url, tls={"ca": authority.pem})["json"] == "safe"
        assert exchange.rest(url=url, cacert=authority.pem)["json"] == "safe"
        assert exchange.rest(url=url, verify_ssl=False)["json"] == "safe"
        for inputs in ({}, {"tls": {"ca": Authority("Others").pem}}):
            with pytest.raises(ConnectionFailed, match="certificate verify failed"):
                exchange.rest(url=url, **inputs)
        # The name in the address is what the certificate must have, whatever address was connected to.
        assert (
            exchange.rest(url=url.replace("127.0.0.1", "localhost"), cacert=authority.pem)["json"] == "safe"
        )
        with pytest.raises(ConnectionFailed, match=r"not valid for '127\.0\.0\.2'|refused"):
            exchange.rest(url=url.replace("127.0.0.1", "127.0.0.2"), cacert=authority.pem)
    finally:
        server.stop()


def test_a_certificate_of_the_client(exchange: Exchange, tls_web: Web, authority: Authority) -> None:
    url, me = tls_web.page("/mine", as_json("welcome")), authority.pair("me")
    mine = {"ca": authority.pem, "client_certificate": me.certificate}
    assert exchange.rest(url=url, tls={**mine, "client_key": me.key})["json"] == "welcome"
    locked = {**mine, "client_key": me.locked_key, "client_key_password": PASSWORD}
    assert exchange.rest(url=url, tls=locked)["json"] == "welcome"
    with pytest.raises(ConnectionFailed):
        exchange.rest(url=url, tls={"ca": authority.pem})
    with pytest.raises(InputRefused, match=r"tls\.client_certificate"):
        exchange.rest(url=url, tls={**locked, "client_key_password": "another"})
