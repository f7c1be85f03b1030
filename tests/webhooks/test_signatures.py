"""Signatures against what the senders themselves publish, and everything that must not pass."""

import base64
import hashlib
import hmac

import pytest

from webhooks.signatures import Scheme, SignatureRefused, check_signature, sign

SECRET = "a secret of some length"
BODY = b'{"order": 7}'
NOW = 1_900_000_000.0

# From the documentation of the senders.
GITHUB = {
    "secret": "It's a Secret to Everybody",
    "body": b"Hello, World!",
    "headers": {
        "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    },
}
SLACK = {
    "secret": "8f742231b10e8888abcd99yyyzzz85a5",
    "body": (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    ),
    "headers": {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    },
}


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def check(
    scheme: str, headers: dict[str, str], body: bytes = BODY, secret: str = SECRET, **more: float
) -> None:
    options = {"now": NOW, "window": 300, **more}
    check_signature(scheme, secret, headers, body, header="X-Signature", **options)  # type: ignore[arg-type]


def test_the_published_example_of_github_passes() -> None:
    check(Scheme.GITHUB, GITHUB["headers"], GITHUB["body"], GITHUB["secret"])  # type: ignore[arg-type]
    with pytest.raises(SignatureRefused):
        check(Scheme.GITHUB, GITHUB["headers"], GITHUB["body"] + b" ", GITHUB["secret"])  # type: ignore[arg-type, operator]


def test_the_published_example_of_slack_passes_at_its_time_only() -> None:
    given = SLACK["headers"], SLACK["body"], SLACK["secret"]
    check(Scheme.SLACK, *given, now=1531420618.0 + 299)  # type: ignore[arg-type]
    with pytest.raises(SignatureRefused, match="301 seconds off; 300 are allowed"):
        check(Scheme.SLACK, *given, now=1531420618.0 + 301)  # type: ignore[arg-type]
    with pytest.raises(SignatureRefused, match="off"):
        check(Scheme.SLACK, *given, now=1531420618.0 - 301)  # type: ignore[arg-type]


def test_stripe_takes_any_of_several_signatures() -> None:
    """While a secret is rolled, Stripe signs with both: `t=…,v1=…,v1=…,v0=…`."""
    moment = str(int(NOW))
    good = hmac.new(SECRET.encode(), f"{moment}.".encode() + BODY, hashlib.sha256).hexdigest()
    check(Scheme.STRIPE, {"stripe-signature": f"t={moment},v1={'0' * 64},v1={good},v0={'1' * 64}"})
    with pytest.raises(SignatureRefused, match="does not fit"):
        check(Scheme.STRIPE, {"stripe-signature": f"t={moment},v0={good}"})
    with pytest.raises(SignatureRefused, match="does not fit"):
        check(Scheme.STRIPE, {"stripe-signature": f"t={int(NOW) + 1},v1={good}"})


def test_gitlab_sends_its_secret() -> None:
    check(Scheme.GITLAB, {"x-gitlab-token": SECRET})
    with pytest.raises(SignatureRefused):
        check(Scheme.GITLAB, {"x-gitlab-token": SECRET[:-1]})


@pytest.mark.parametrize("form", ["{hex}", "sha256={hex}", "{b64}", "sha256={b64}", "{HEX}"])
def test_the_generic_signature_may_be_written_in_several_ways(form: str) -> None:
    digest = hmac.new(SECRET.encode(), BODY, hashlib.sha256).digest()
    written = form.format(hex=digest.hex(), HEX=digest.hex().upper(), b64=base64.b64encode(digest).decode())
    check(Scheme.GENERIC, {"x-signature": written}, window=0)


def test_a_window_wants_a_signed_time() -> None:
    without = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    with pytest.raises(SignatureRefused, match="X-Timestamp"):
        check(Scheme.GENERIC, {"x-signature": without})
    # A time that was not signed does not help.
    with pytest.raises(SignatureRefused, match="does not fit"):
        check(Scheme.GENERIC, {"x-signature": without, "x-timestamp": str(int(NOW))})
    # Nor does leaving away one that was.
    signed = lower(sign(Scheme.GENERIC, SECRET, BODY, now=NOW, header="X-Signature"))
    del signed["x-timestamp"]
    with pytest.raises(SignatureRefused, match="does not fit"):
        check(Scheme.GENERIC, signed, window=0)


@pytest.mark.parametrize("scheme", list(Scheme))
def test_what_we_sign_passes_and_nothing_else_does(scheme: Scheme) -> None:
    headers = lower(sign(scheme, SECRET, BODY, now=NOW, header="X-Signature"))
    check(scheme, headers)
    with pytest.raises(SignatureRefused):
        check(scheme, headers, secret=SECRET + "x")
    for name in headers:
        with pytest.raises(SignatureRefused):
            check(scheme, headers | {name: ""})
        with pytest.raises(SignatureRefused):
            check(scheme, headers | {name: headers[name] + "é"})
    if scheme != Scheme.GITLAB:
        with pytest.raises(SignatureRefused):
            check(scheme, headers, BODY + b"\n")


@pytest.mark.parametrize("scheme", [Scheme.GENERIC, Scheme.STRIPE, Scheme.SLACK])
def test_a_signature_grows_old(scheme: Scheme) -> None:
    headers = lower(sign(scheme, SECRET, BODY, now=NOW, header="X-Signature"))
    check(scheme, headers, now=NOW + 300)
    check(scheme, headers, now=NOW + 10**8, window=0)
    for now in (NOW + 301, NOW - 301):
        with pytest.raises(SignatureRefused, match="off"):
            check(scheme, headers, now=now)
