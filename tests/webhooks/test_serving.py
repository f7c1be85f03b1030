"""Calls over real HTTP, to a real web process, with a real worker: many at once, deaths, answers that flows shape."""

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from shutil import which
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from executions.models import Execution
from flows.operations import create_flow
from tests.cast import Cast, make_cast
from tests.executions.cluster import Fleet
from tests.executions.stage import wait_until
from tests.webhooks.conftest import KEY
from webhooks.call_log import shown_request
from webhooks.curl import curl_of, curls
from webhooks.models import Webhook, WebhookCall
from webhooks.operations import create_webhook, save_webhook
from webhooks.signatures import Scheme

pytestmark = pytest.mark.process


@dataclass
class Site:
    """A web process and a worker on the test database."""

    cast: Cast
    fleet: Fleet
    web: psutil.Process
    base: str

    def serve(self, name: str, body: str, **fields: Any) -> str:
        """Make a flow and a webhook for it; returns the webhook's address."""
        script = "def handler(system, this, inputs):\n" + textwrap.indent(textwrap.dedent(body), "    ")
        flow = create_flow(by=self.cast.root, project=self.cast.workshop, name=name, script=script)
        create_webhook(by=self.cast.root, flow=flow, **{"name": name, "is_enabled": True} | fields)
        return f"{self.base}/api/latest/webhook/{name}/call"


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Open the test database for all of these tests: the processes see what is committed."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", interactive=False, verbosity=0)
        connection.close()


@pytest.fixture(scope="module")
def site(db: None, database_url: str) -> Iterator[Site]:
    cast, fleet = make_cast(), Fleet(database_url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {
        "DATABASE_URL": database_url,
        "ENGINE_ROLE": "web",
        "DJANGO_SETTINGS_MODULE": "engine_site.settings",
    }
    daphne = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0"]
    with fleet.output.open("ab") as output:
        web = subprocess.Popen(
            [*daphne, "engine_site.asgi:application"],
            cwd=settings.BASE_DIR,
            env={**os.environ, **ours},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        fleet.have(workers=1, slots=4)
        wait_until(lambda: answers(port), f"the web process answered: {fleet.tail()}")
        yield Site(cast, fleet, psutil.Process(web.pid), f"http://127.0.0.1:{port}")
    finally:
        web.terminate()
        web.wait(20)
        fleet.stop()
        fleet.output.unlink(missing_ok=True)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/alive").status_code == 200
    except httpx.HTTPError:
        return False


def test_the_answer_is_status_and_output(site: Site) -> None:
    address = site.serve("sum", "return {'sum': sum(inputs['json'])}")
    answer = httpx.post(address, json=[1, 2, 3])
    assert (answer.status_code, answer.json()["output_value"]) == (200, {"sum": 6})
    failed = httpx.post(address, json={"a": None})
    assert (failed.status_code, failed.json()["status"], failed.json()["message"]) == (500, "ENDED_ERROR", "")
    later = httpx.post(address, json=[4], params={"async": "1"})
    key = later.json()["id"]
    wait_until(lambda: Execution.objects.get(pk=key).output_value == {"sum": 4})


def test_flows_shape_their_answers(site: Site) -> None:
    address = site.serve(
        "shapes",
        """
        match inputs['path']:
            case 'html':
                return this.webhook_html_response('<h1>It works</h1>')
            case 'json':
                return this.webhook_response(status=201, headers={'X-Order': '7'}, json={'id': 7})
            case 'bytes':
                return this.webhook_response(bytes=bytes(range(256)), headers={'Content-Type': 'image/png'})
            case 'error':
                this.webhook_response(status=422, text='no such order', end=False)
                return this.error('no such order')
            case 'output':
                return {'webhook_response': {'status': 302, 'headers': {'Location': '/there'}}}
            case 'split':
                try:
                    this.webhook_response(headers={'X-A': '1\\r\\nX-B: 2'})
                except Exception as error:
                    return this.webhook_response(text=str(error))
        """,
    )
    html = httpx.get(f"{address}/html")
    assert (html.text, html.headers["Content-Type"]) == ("<h1>It works</h1>", "text/html; charset=utf-8")
    assert html.headers["Content-Security-Policy"].startswith("sandbox")
    made = httpx.put(f"{address}/json")
    assert (made.status_code, made.json(), made.headers["X-Order"]) == (201, {"id": 7}, "7")
    assert httpx.get(f"{address}/bytes").content == bytes(range(256))
    assert httpx.head(f"{address}/bytes").headers["Content-Length"] == "256"
    failed = httpx.post(f"{address}/error")
    assert (failed.status_code, failed.text) == (422, "no such order")
    moved = httpx.post(f"{address}/output", follow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (302, "/there")
    assert "X-A takes one line of text" in httpx.post(f"{address}/split").text


def test_a_flow_answers_and_goes_on(site: Site) -> None:
    address = site.serve(
        "early",
        """
        this.webhook_response(text='thank you', end=False)
        this.sleep(1)
        this.save(message='done afterwards')
        """,
    )
    assert httpx.post(address).text == "thank you"
    call = WebhookCall.objects.filter(webhook__name="early").get()
    assert Execution.objects.get(pk=call.execution_id).ended_at is None
    wait_until(lambda: Execution.objects.get(pk=call.execution_id).message == "done afterwards")


def test_a_file_comes_whole(site: Site) -> None:
    address = site.serve(
        "files",
        """
        import base64
        found = inputs['files'][0]
        size = len(base64.b64decode(found['base64']))
        return {'name': found['filename'], 'size': size, 'title': inputs['form']['title']}
        """,
        body_limit_bytes=6_000_000,
    )
    content = os.urandom(5_000_000)
    sent = {"files": {"file": ("photo.jpg", content, "image/jpeg")}, "data": {"title": "A photo"}}
    answer = httpx.post(address, **sent, timeout=30)
    assert answer.json()["output_value"] == {"name": "photo.jpg", "size": 5_000_000, "title": "A photo"}
    assert httpx.post(address, content=base64.b64encode(content), timeout=30).status_code == 413


def test_a_hundred_callers_wait_without_a_thread_each(site: Site) -> None:
    address = site.serve("wait", "this.sleep(3)\nreturn {'number': inputs['json']}")

    async def all_at_once() -> tuple[int, list[httpx.Response]]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            calls = [asyncio.create_task(client.post(address, json=number)) for number in range(100)]
            await asyncio.sleep(2.5)
            waiting = sum(not each.done() for each in calls)
            threads = site.web.num_threads() if waiting else 0
            return threads, await asyncio.gather(*calls)

    threads, found = asyncio.run(all_at_once())
    assert [answer.status_code for answer in found] == [200] * 100
    assert [answer.json()["output_value"]["number"] for answer in found] == list(range(100))
    assert 0 < threads < 40


def test_twenty_deliveries_of_one_event_are_one_execution(site: Site) -> None:
    address = site.serve("once", "this.sleep(0.3)\nreturn 1", idempotency_path="event.id")

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=30) as client:
            body = {"event": {"id": "evt_7"}}
            return await asyncio.gather(*(client.post(address, json=body) for _ in range(20)))

    found = asyncio.run(all_at_once())
    assert {answer.status_code for answer in found} == {200}
    assert len({answer.json()["id"] for answer in found}) == 1
    assert Execution.objects.filter(flow__name="once").count() == 1


def test_the_caller_hears_of_an_execution_whose_worker_died(site: Site) -> None:
    address = site.serve("survivor", "this.log('before')\nthis.sleep(2)\nreturn {'attempt': 'any'}")

    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(httpx.post, address, timeout=60)
        wait_until(lambda: Execution.objects.filter(flow__name="survivor", status="SLEEPING").exists())
        assert site.fleet.workers[0].kill("host", signal.SIGKILL)
        answer = call.result(60)
    assert (answer.status_code, answer.json()["output_value"]) == (200, {"attempt": "any"})
    assert Execution.objects.get(pk=answer.json()["id"]).attempt > 1


@pytest.mark.skipif(not (which("curl") and which("openssl")), reason="needs curl and openssl")
@pytest.mark.parametrize("scheme", ["", *Scheme])
def test_the_commands_of_the_page_work_as_they_stand(site: Site, scheme: str) -> None:
    """Copied into a shell, with key and secret set: each of them starts the flow."""
    secret = "a secret of the sender"
    name = f"copied-{scheme or 'key'}"
    site.serve(name, "return {'hello': (inputs.get('json') or {}).get('hello')}")
    webhook = Webhook.objects.get(name=name)
    save_webhook(webhook, by=site.cast.root, signature_scheme=scheme, signing_secret=secret, key=KEY)
    commands = curls(webhook, site.base)
    assert len(commands) == (1 if scheme else 3)
    for words, command in commands:
        variables = {
            **os.environ,
            "WEBHOOK_KEY": quote(KEY) if "address" in words else KEY,
            "SIGNING_SECRET": secret,
        }
        done = subprocess.run(
            ["bash", "-ec", command], env=variables, capture_output=True, text=True, timeout=60
        )
        assert json.loads(done.stdout)["output_value"] == {"hello": "world"}, (
            command,
            done.stdout,
            done.stderr,
        )
    if not scheme:  # and as the page of a call shows it; the last one was made with the key as it is
        call = WebhookCall.objects.filter(webhook=webhook).latest("id")
        again = curl_of(webhook, site.base, shown_request(call, to=site.cast.root) or {})
        done = subprocess.run(
            ["bash", "-ec", again], env=variables, capture_output=True, text=True, timeout=60
        )
        assert json.loads(done.stdout)["output_value"] == {"hello": "world"}
