"""Masks for secrets in what people see: the secret itself, and the ways in which programs write it.

Used on log lines, messages and outputs. It knows texts and values; who uses which secrets is for the host to know.
"""

import base64
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import orjson

from connectors.merging import MASK

SHORTEST = 4  # a shorter one would take half of the log with it
_SHORTEST_PIECE = 6  # of a piece of Base64 or of one line of several


class Masker:
    """Replaces secrets by MASK. It can learn more of them and never forgets one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._forms: list[str] = []
        self.learn(secrets)

    def __bool__(self) -> bool:
        return bool(self._forms)

    @property
    def longest(self) -> int:
        """How long the longest form is: what is masked in pieces must overlap by so much."""
        return len(self._forms[0]) if self._forms else 0

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these secrets, too."""
        new = {secret for secret in secrets if len(secret) >= SHORTEST} - self._known
        if new:
            self._known |= new
            forms = set(self._forms).union(*map(forms_of, new))
            # Longest first: a secret that holds another one is masked as a whole.
            self._forms = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return the text with every secret masked."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value with every secret masked, also in the keys of objects."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        # As one text it is looked through much faster than piece by piece, and mostly there is nothing.
        try:
            text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except orjson.JSONEncodeError:
            return MASK  # nested too deep to be looked through
        return self._walk(value) if any(form in text for form in self._forms) else value

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self._walk(each) for each in value]
        if isinstance(value, dict):
            return {self.text(str(key)): self._walk(each) for key, each in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool) and str(value) in self._known:
            return MASK
        return value


def forms_of(secret: str) -> set[str]:
    """Return the texts as which a secret may appear: itself, escaped, and encoded, also inside of longer texts."""
    plain = {secret, secret.strip()}
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:  # logs are written line by line
        plain |= {line for line in lines if len(line) >= _SHORTEST_PIECE}
    forms: set[str] = set()
    for text in plain:
        forms |= {text, repr(text)[1:-1], escape(text), escape(text, {'"': "&quot;", "'": "&#x27;"})}
        for as_json in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
            forms |= {as_json, json.dumps(as_json, ensure_ascii=False)[1:-1]}  # and JSON inside of JSON
        forms |= {form.replace("/", "\\/") for form in list(forms)}
        for encoded in (quote(text, safe=""), quote(text), quote_plus(text)):
            forms |= {encoded, encoded.lower() if "%" in encoded else encoded, quote(encoded, safe="")}
        octets = text.encode()
        forms |= {octets.hex(), octets.hex().upper()} if len(octets) >= SHORTEST else set()
        forms |= _as_base64(octets)
    return {form for form in forms if len(form) >= SHORTEST}


def _as_base64(octets: bytes) -> set[str]:
    """Return what stays the same of these octets in Base64, wherever in a longer text they begin."""
    pieces = set()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + octets).decode()
        # The first and the last characters also hold bits of what stands around.
        first, rest = (0, 2, 3)[before], (before + len(octets)) % 3
        piece = whole[first : {0: len(whole), 1: -3, 2: -2}[rest]]
        if len(piece) >= _SHORTEST_PIECE:
            pieces |= {piece, piece.replace("+", "-").replace("/", "_")}
    return pieces
