"""Secrets are masked as they are, escaped and encoded, alone and inside of longer texts, split over lines."""

import base64
import html
import json
import random
from urllib.parse import quote, quote_plus, urlencode

import pytest

from connectors.masking import MASK, Masker
from executions.log import LogCounter
from records.identifiers import uuid7

SECRETS = (
    "hunter2!x", "pä$$wörd \"quoted\" 'n' \\back", "a+b/c=d&e?f g", "line one\nline two of it", "<tag attr='x'>&amp;",
    "sk_live_51H8x", "0123456789",
)  # fmt: skip


def written(secret: str) -> dict[str, str]:
    """Return the ways in which programs write a secret."""
    raw = secret.encode()
    return {
        "plain": secret,
        "json": json.dumps({"k": secret}),
        "json without ascii": json.dumps([secret], ensure_ascii=False),
        "json in json": json.dumps(json.dumps(secret)),
        "repr": repr({"k": secret}),
        "url": "https://example.org/?k=" + quote(secret, safe=""),
        "path": "/" + quote(secret),
        "form": urlencode({"k": secret}),
        "plus": quote_plus(secret),
        "base64": base64.b64encode(raw).decode(),
        "basic": base64.b64encode(b"user:" + raw).decode(),
        "basic of a longer user": base64.b64encode(b"someone:" + raw + b":tail").decode(),
        "url-safe base64": base64.urlsafe_b64encode(b"ab" + raw).decode(),
        "hex": raw.hex(),
        "html": html.escape(secret),
    }


def remains(secret: str, text: str) -> bool:
    """Tell whether the secret can be read out of the text."""
    stripped = "".join(sign for sign in text if sign not in "\n\r")
    pieces = [secret, *(line for line in secret.splitlines() if len(line) > 5)]
    forms = {form for piece in pieces for form in written(piece).values()}
    return any(form in stripped for form in pieces) or any(
        form in text and MASK not in form for form in forms
    )


@pytest.mark.parametrize("secret", SECRETS)
def test_every_form(secret: str) -> None:
    masker = Masker([secret])
    for way, text in written(secret).items():
        masked = masker.text(f"before {text} after")
        assert MASK in masked, (way, masked)
        assert secret not in masked, way
        assert masked.startswith("before ") and masked.endswith(" after")


def test_secrets_of_any_content() -> None:
    draw = random.Random(7)
    alphabet = "abcXYZ019 +/=&%\"'\\<>{}äß€😀\n\t;:,.-_"
    for _ in range(300):
        secret = "".join(draw.choice(alphabet) for _ in range(draw.randint(8, 40)))
        masker = Masker([secret])
        for way, text in written(secret).items():
            assert MASK in masker.text(text), (secret, way)


def test_values_of_any_shape() -> None:
    masker = Masker(["open-sesame", "4711"])
    value = {"a": ["open-sesame", {"open-sesame": 1}], "n": 4711, "b": True, "x": 12, "none": None}
    assert masker.value(value) == {"a": [MASK, {MASK: 1}], "n": MASK, "b": True, "x": 12, "none": None}
    other = {"nothing": ["of", "this"]}
    assert masker.value(other) is other


def test_what_cannot_be_looked_through_is_not_shown() -> None:
    deep: object = "open-sesame"
    for _ in range(500):
        deep = [deep]
    assert Masker(["open-sesame"]).value({"deep": deep}) == MASK


def test_one_that_holds_another_is_masked_whole() -> None:
    masker = Masker(["secret", "secret-and-more"])
    assert masker.text("secret-and-more and secret") == f"{MASK} and {MASK}"


def test_what_is_too_short_is_left_and_nothing_is_forgotten() -> None:
    masker = Masker(["abc", ""])
    assert not masker
    assert masker.text("abc") == "abc"
    masker.learn(["long enough"])
    masker.learn(["another one"])
    assert masker.text("long enough, another one") == f"{MASK}, {MASK}"


def test_a_line_is_masked_before_it_is_cut() -> None:
    counter = LogCounter(uuid7(), masker=Masker(["across-the-cut"]))
    line = counter.line("x" * 63_995 + "across-the-cut", data={"k": "across-the-cut"})
    assert line is not None and "across" not in line.text and line.data == {"k": MASK}
