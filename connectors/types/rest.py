"""REST: one request over HTTP. See docs/connectors.md for its inputs and its output."""

from typing import Any

import httpx

from connectors.types.base import ConnectionFailed, ConnectionTimedOut, Context, InputRefused, Result

IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}
EXPECTED = (200, 201, 202, 204)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "description": "The whole address, such as https://example.org/things?size=3",
        },
        "method": {"type": "string", "default": "get"},
        "query": {"type": "object"},
        "headers": {"type": "object"},
        "json": {},
        "text": {"type": "string"},
        "expected_status_code": {"type": "array", "items": {"type": "integer"}, "default": list(EXPECTED)},
        "total_timeout": {"type": "number", "exclusiveMinimum": 0, "default": 30},
    },
    "required": ["url"],
    "additionalProperties": False,
}


async def run(inputs: dict[str, Any], context: Context) -> Result:
    """Send the request and return the answer."""
    method = str(inputs.get("method", "get")).upper()
    body = {"json": inputs["json"]} if "json" in inputs else {"content": inputs.get("text")}
    async with httpx.AsyncClient(trust_env=False, timeout=inputs.get("total_timeout", 30)) as client:
        try:
            request = client.build_request(
                method, inputs["url"], params=inputs.get("query"), headers=inputs.get("headers"), **body
            )
            answer = await client.send(request, follow_redirects=True)
        except httpx.InvalidURL as error:
            raise InputRefused(f"url: {error}") from error
        except httpx.TimeoutException as error:
            raise ConnectionTimedOut(f"{method} {inputs['url']} was not answered in time.") from error
        except httpx.HTTPError as error:
            raise ConnectionFailed(f"{method} {inputs['url']}: {error or type(error).__name__}") from error
    said = f"{answer.status_code} {answer.reason_phrase}".strip()
    expected = inputs.get("expected_status_code", EXPECTED)
    if answer.status_code not in expected:
        words = ", ".join(map(str, expected))
        raise ConnectionFailed(
            f"{method} {answer.url} was answered with {said}, not with {words}.", _output(answer)
        )
    return Result(_output(answer), said)


def is_idempotent(inputs: dict[str, Any]) -> bool:
    return str(inputs.get("method", "get")).upper() in IDEMPOTENT


def _output(answer: httpx.Response) -> dict[str, Any]:
    output: dict[str, Any] = {"status_code": answer.status_code, "headers": dict(answer.headers)}
    try:
        return output | {"json": answer.json()}
    except ValueError:
        return output | {"text": answer.text}
