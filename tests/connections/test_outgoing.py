"""Where connections may go: metadata of clouds is denied by whatever name, lists deny and allow, also redirects."""

import asyncio
import ipaddress
import socket
from typing import Any

import pytest

from connectors.outgoing import DEFAULT_DENY, OutgoingDenied, Policy, rules, unwrapped
from records.configuration import _options
from tests.connections.exchanges import Exchange
from tests.connections.servers import Answer, Web, as_json


def may_go(
    host: str, port: int = 443, deny: tuple[str, ...] = DEFAULT_DENY, allow: tuple[str, ...] = ()
) -> bool:
    policy = Policy(rules(deny), rules(allow))
    try:
        return bool(asyncio.run(policy.addresses(host, port)))
    except OutgoingDenied:
        return False


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.170.2", "metadata.google.internal", "METADATA.google.internal.", "100.100.100.200",
        "168.63.129.16", "fd00:ec2::254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
        "::169.254.169.254", "0.0.0.0", "::", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "224.0.0.1",
    ],
)  # fmt: skip
def test_metadata_is_denied_by_default(host: str) -> None:
    assert not may_go(host, 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "localhost", "8.8.8.8"])
def test_everything_else_is_allowed_by_default(host: str) -> None:
    assert may_go(host)


@pytest.mark.parametrize(
    ("deny", "allow", "host", "port", "is_allowed"),
    [
        (("127.0.0.0/8",), (), "127.0.0.1", 443, False),
        (("127.0.0.0/8",), (), "localhost", 443, False),
        (("127.0.0.1:22",), (), "127.0.0.1", 22, False),
        (("127.0.0.1:22",), (), "127.0.0.1", 443, True),
        (("[::1]:22", "127.0.0.1"), (), "::1", 443, True),
        (("*.example.org",), (), "a.b.example.org", 443, False),
        (("none",), (), "169.254.169.254", 80, True),
        (("default", "10.0.0.0/8"), (), "10.0.0.1", 443, False),
        (("default", "10.0.0.0/8"), (), "169.254.169.254", 80, False),
        ((), ("10.0.0.0/8",), "10.0.0.1", 443, True),
        ((), ("10.0.0.0/8",), "127.0.0.1", 443, False),
        ((), ("localhost",), "localhost", 443, True),
        ((), ("localhost",), "127.0.0.1", 443, False),
        (("127.0.0.1", "::1"), ("localhost",), "localhost", 443, False),  # deny wins
        (DEFAULT_DENY, ("0.0.0.0/0",), "169.254.169.254", 80, False),
    ],
)
def test_lists(deny: tuple[str, ...], allow: tuple[str, ...], host: str, port: int, is_allowed: bool) -> None:
    assert may_go(host, port, deny, allow) is is_allowed


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/99", "exa mple.org", "*", "https://example.org", "a..b", "10.0.0.0/8/9"]
)
def test_entries_that_are_none(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a network"):
        _options["OUTGOING_DENY"].parse(entry)


def test_the_options_are_read() -> None:
    assert _options["OUTGOING_DENY"].parse("default, 10.0.0.0/8,*.corp:443") == [
        "default",
        "10.0.0.0/8",
        "*.corp:443",
    ]
    assert unwrapped(ipaddress.ip_address("::1")) == ipaddress.ip_address("::1")


def test_a_redirect_to_a_denied_place_is_not_followed(web: Web) -> None:
    hidden = Web()
    try:
        hidden.page("/credentials", as_json("keys of the kingdom"))
        there = hidden.url.replace("127.0.0.1", "127.0.0.99") + "/credentials"
        hop = web.page("/to-metadata", Answer(302, {"Location": there}))
        exchange = Exchange(deny=("127.0.0.99",))
        with pytest.raises(OutgoingDenied, match=r"127\.0\.0\.99 is denied"):
            exchange.rest(url=hop)
        with pytest.raises(OutgoingDenied):
            exchange.rest(url=there)
        with pytest.raises(OutgoingDenied):
            exchange.sql(host="127.0.0.99", username="x", fetchval="SELECT 1")
        assert hidden.asked["/credentials"] == []
    finally:
        hidden.stop()


def test_the_checked_address_is_the_one_connected_to(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is something else when it is asked again gets no second chance: it is not asked again."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host != "rebinding.test":
            return really(host, port, *args, **options)
        asked.append(host)
        return really("127.0.0.1" if len(asked) == 1 else "127.0.0.99", port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = web.page("/named", as_json("by name")).replace("127.0.0.1", "rebinding.test")
    assert Exchange(deny=("127.0.0.99",)).rest(url=url)["json"] == "by name"
    assert len(asked) == 1
    assert web.asked["/named"][0].header("Host") == f"rebinding.test:{web.port}"
