"""Calls of webhooks as commands to copy: one for each way to prove that one may, and one like a call that was made."""

import shlex
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from webhooks.incoming import FILTERED, WITH_BODY
from webhooks.models import Webhook
from webhooks.signatures import Scheme

_KEY = '-H "X-Webhook-Key: $WEBHOOK_KEY"'
_JSON = "-H 'Content-Type: application/json'"
# What clients send by themselves, and what a proxy adds.
_NOT_COPIED = {
    "accept", "accept-encoding", "connection", "content-length", "host", "user-agent", "x-forwarded-for",
    "x-forwarded-host", "x-forwarded-proto",
}  # fmt: skip
# How each sender signs: what is signed, and the headers that say so.
_SIGNED = {
    Scheme.GENERIC: ('\'%s.%s\' "$NOW" "$BODY"', ("X-Timestamp: $NOW", "{header}: sha256=$SIGNATURE")),
    Scheme.GITHUB: ("'%s' \"$BODY\"", ("X-Hub-Signature-256: sha256=$SIGNATURE",)),
    Scheme.GITLAB: ("", ("X-Gitlab-Token: $SIGNING_SECRET",)),
    Scheme.STRIPE: ('\'%s.%s\' "$NOW" "$BODY"', ("Stripe-Signature: t=$NOW,v1=$SIGNATURE",)),
    Scheme.SLACK: (
        '\'v0:%s:%s\' "$NOW" "$BODY"',
        ("X-Slack-Request-Timestamp: $NOW", "X-Slack-Signature: v0=$SIGNATURE"),
    ),
}


def curls(webhook: Webhook, base_url: str) -> list[tuple[str, str]]:
    """Return commands that call the webhook, with words for each way to prove that one may."""
    address, method = base_url + webhook.path, webhook.methods[0]
    has_body = method in WITH_BODY
    first = ['BODY=\'{"hello": "world"}\''] if has_body else ["BODY=''"] if webhook.signature_scheme else []
    sent = [_JSON, '-d "$BODY"'] if has_body else []
    key = [_KEY] if webhook.is_key_required else []

    def command(*parts: str, to: str = address) -> str:
        return _lines([f'curl -X {method} "{to}"', *parts])

    if webhook.signature_scheme:
        steps, headers = _signing(webhook)
        return [
            ("Signed, as the sender does it", "\n".join([*first, *steps, command(*key, *headers, *sent)]))
        ]
    shown = [("With the key in a header" if key else "", "\n".join([*first, command(*key, *sent)]))]
    if key:
        by_query = command(*sent, to=f"{address}?key=$WEBHOOK_KEY")
        shown.append(("With the key in the address", "\n".join([*first, by_query])))
    if key and has_body:
        in_json = '-d "{\\"key\\": \\"$WEBHOOK_KEY\\", \\"hello\\": \\"world\\"}"'
        shown.append(("With the key in the JSON", command(_JSON, in_json)))
    return shown


def _signing(webhook: Webhook) -> tuple[list[str], list[str]]:
    """Return the lines of a script that sign $BODY as this webhook wants it, and the headers with the signature."""
    signed, headers = _SIGNED[Scheme(webhook.signature_scheme)]
    steps = ["NOW=$(date +%s)"] if "NOW" in signed else []
    if signed:
        digest = "openssl dgst -sha256 -hmac \"$SIGNING_SECRET\" -hex | sed 's/^.* //'"
        steps.append(f"SIGNATURE=$(printf {signed} | {digest})")
    return steps, [f'-H "{each.format(header=webhook.signature_header)}"' for each in headers]


def curl_of(webhook: Webhook, base_url: str, request: dict[str, Any]) -> str:
    """Return a command that sends a request like this one; what was filtered is left to be filled in."""
    address = base_url + webhook.path + (f"/{quote(request['path'])}" if request.get("path") else "")
    if query := request.get("query"):
        address += "?" + urlencode(query, doseq=True)
    parts = [_KEY] if webhook.is_key_required else []
    for name, value in request.get("headers", {}).items():
        is_implied = name in _NOT_COPIED or (name == "content-type" and "form" in request)
        if value != FILTERED and not is_implied:
            parts.append(f"-H {shlex.quote(f'{name}: {value}')}")
    return _lines([f"curl -X {request['method']} {shlex.quote(address)}", *parts, *_body_of(request)])


def _body_of(request: dict[str, Any]) -> list[str]:
    if "json" in request:
        return [f"--data-binary {shlex.quote(orjson.dumps(request['json']).decode())}"]
    if "text" in request:
        return [f"--data-binary {shlex.quote(request['text'])}"]
    if "base64" in request:
        return [f"--data-binary @<(echo {request['base64']} | base64 -d)"]
    flag = "-F" if "files" in request else "--data-urlencode"
    fields = [
        f"{flag} {shlex.quote(f'{name}={each}')}"
        for name, value in request.get("form", {}).items()
        for each in (value if isinstance(value, list) else [value])
    ]
    files = [
        f"-F {shlex.quote(file['field'] + '=@' + file['filename'])}" for file in request.get("files", [])
    ]
    return fields + files


def _lines(parts: list[str]) -> str:
    return " \\\n  ".join(parts)
