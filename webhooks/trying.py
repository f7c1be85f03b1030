"""The test button's request: sent through the door, which sees no difference to one from outside.

It comes with the webhook's key and signature; who may press the button is for the views to say.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import orjson
from asgiref.sync import async_to_sync

from webhooks.door import door
from webhooks.incoming import WITH_BODY
from webhooks.models import Webhook
from webhooks.signatures import sign

JSON = "application/json"


@dataclass
class Trial:
    """A request to be sent, and after that what came back."""

    method: str = "POST"
    path: str = ""
    query: str = ""
    content_type: str = JSON
    body: str = ""
    is_async: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    status: int = 0
    answer_headers: list[tuple[str, str]] = field(default_factory=list)
    answer: bytes = b""
    took_ms: int = 0

    def send(self, webhook: Webhook, *, host: str, remote_address: str) -> None:
        """Send it to the webhook through the door and keep the answer. Raises connectors.sealing.CannotOpen."""
        body = self.body.encode() if self.method in WITH_BODY else b""
        headers = {
            "Host": host,
            "Content-Length": str(len(body)),
            "User-Agent": "Engine test",
            **self.headers,
        }
        if body:
            headers["Content-Type"] = self.content_type
        headers |= _proof(webhook, body)
        query = "&".join(
            part for part in (self.query.lstrip("?"), "async=1" if self.is_async else "") if part
        )
        scope = {
            "type": "http",
            "method": self.method,
            "path": unquote(webhook.path) + (f"/{self.path.lstrip('/')}" if self.path else ""),
            "query_string": quote(query, safe="=&%+;:@/?,!$'()*-._~").encode(),
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
                for name, value in headers.items()
            ],
            "client": (remote_address, 0),
        }
        began = time.monotonic()
        async_to_sync(self._send)(scope, body)
        self.took_ms = round((time.monotonic() - began) * 1000)

    async def _send(self, scope: dict[str, Any], body: bytes) -> None:
        messages = [{"type": "http.request", "body": body}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            return await asyncio.get_running_loop().create_future()  # the caller stays

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.answer_headers = [
                    (name.decode(), value.decode("latin-1")) for name, value in message["headers"]
                ]
            else:
                self.answer += message["body"]

        await door(scope, receive, send)

    @property
    def shown_answer(self) -> str:
        """The answer as text; JSON with its lines."""
        try:
            return orjson.dumps(orjson.loads(self.answer), option=orjson.OPT_INDENT_2).decode()
        except orjson.JSONDecodeError:
            return self.answer.decode("utf-8", "replace")


def _proof(webhook: Webhook, body: bytes) -> dict[str, str]:
    """Return the headers with the key and the signature that the webhook asks for."""
    secrets = webhook.open_secrets()
    proof = {"X-Webhook-Key": secrets["key"]} if "key" in secrets else {}
    if webhook.signature_scheme and "signing_secret" in secrets:
        secret, header = secrets["signing_secret"], webhook.signature_header
        proof |= sign(webhook.signature_scheme, secret, body, now=time.time(), header=header)
    return proof
