"""Canaries: secrets that are used are found nowhere afterwards: no table, no REST answer, no page, no worker's log.

The flow is handed the secret in two halves, so that no mask on the way keeps it from it, and tells it in every way.
"""

import base64
import json
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from connectors.operations import create_connector
from executions.lifecycle import Status
from executions.models import Execution
from executions.snapshots import read_rows
from executions.views import TABS
from records.export_form import document_of
from records.kinds import all_kinds
from tests.connections.servers import Answer, Asked, Postgres, Web, as_json
from tests.executions.cluster import Fleet
from tests.executions.stage import Stage

pytestmark = pytest.mark.process

LEAKS = """
import base64, json, os, subprocess, sys, traceback
from urllib.parse import quote

def handler(system, this, inputs):
    answer = this.connect(inputs['connector'], path='halves').get('output_value')['json']
    secret = answer['first'] + answer['second']
    this.sleep(inputs.get('pause', 0))
    this.log('plain', secret, {'in': {'a': [secret, {secret: 1}]}}, key=secret)
    this.log(json.dumps({'k': secret}), repr({'k': secret}), quote(secret, safe=''))
    this.log(base64.b64encode(('user:' + secret).encode()).decode(), secret.encode().hex())
    print(secret)
    print(secret, file=sys.stderr)
    sys.stdout.write(secret[:7]); sys.stdout.write(secret[7:] + '\\n')
    subprocess.run(['sh', '-c', 'printf %s "$0"; printf "%s\\n" "$1"', secret[:5], secret[5:]])
    os.write(2, (secret + '\\n').encode())
    this.set_output(secret=secret, inside=[secret])
    this.save(message='it is ' + secret)
    form = {'properties': {'a': {'type': 'string', 'default': secret, 'description': secret}}}
    this.message('about ' + secret, message='it is ' + secret, body=form, wait=False)
    try:
        raise ValueError(secret)
    except ValueError:
        traceback.print_exc()
    grown_up = {'local': secret}
    if inputs.get('raises'):
        raise RuntimeError('it was ' + secret + ' in ' + json.dumps(grown_up))
    return this.success(secret)
"""


@pytest.fixture
def canary() -> str:
    # With what is escaped in JSON, in addresses and in HTML.
    return f"Zx{secrets.token_hex(8)}/+&\"'ö{secrets.token_hex(4)}"


def forms(secret: str) -> Iterator[str]:
    for text in (secret, secret[2:18]):  # the random part alone has no other way to be written
        raw = text.encode()
        yield from (
            text,
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            repr(text)[1:-1],
        )
        yield from (quote(text, safe=""), raw.hex(), base64.b64encode(raw).decode().rstrip("=")[:-1])
        for before in (b"a", b"ab"):
            yield base64.b64encode(before + raw).decode()[4:-4]


def everything_stored() -> str:
    """Return all rows of all tables as text, in the database's own writing and as JSON."""
    texts = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            cursor.execute(
                f"SELECT string_agg(t::text, ' '), string_agg(to_jsonb(t)::text, ' ') FROM {table} t"
            )
            texts += [str(part) for part in cursor.fetchone()]
    return "\n".join(texts)


def everything_shown(stage: Stage, ids: list[Any]) -> str:
    """Return what REST, pages, admin, live rows and exports show of these executions and of the connectors."""
    client = Client()
    client.force_login(stage.cast.root)
    connectors = [str(row["id"]) for row in client.get("/api/latest/connector").json()["results"]]
    admin, rest = "/admin/{}/", "/api/latest/{}"
    addresses = ["/executions/", admin.format("executions/execution"), admin.format("connectors/connector")]
    addresses += [rest.format("execution"), rest.format("connector"), rest.format("audit_entry")]
    for key in connectors:
        addresses.append(rest.format(f"connector/{key}"))
        addresses.append(admin.format(f"connectors/connector/{key}/change"))
    for key in ids:
        parts = ("", "/log", "/children", "/tree", "/transitions", "/savepoints")
        addresses += [rest.format(f"execution/{key}{part}") for part in parts]
        parts = ("drawer", "children", "log", "log.txt", *(f"?tab={tab}" for tab, *_ in TABS))
        addresses += [f"/executions/{key}/{part}" for part in parts]
        addresses.append(admin.format(f"executions/execution/{key}/change"))
    texts = [json.dumps(row, default=str) for row in read_rows(Execution.objects.filter(pk__in=ids))]
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        texts.append(b"".join(answer).decode() if answer.streaming else answer.content.decode())
    for kind in all_kinds():
        if kind.write:
            texts += [str(document_of(kind, row).fields) for row in kind.rows()[:50]]
    return "\n".join(texts)


def assert_nowhere(canary: str, stage: Stage, fleet: Fleet, ids: list[Any]) -> None:
    for name, text in (
        ("database", everything_stored()),
        ("doors", everything_shown(stage, ids)),
        ("workers", fleet.output.read_text(errors="replace")),
    ):
        for form in forms(canary):
            at = text.find(form)
            assert at < 0, f"{name} shows {form!r}: …{text[max(0, at - 200) : at + 80]}…"


@pytest.fixture
def leaky(stage: Stage, web: Web, canary: str) -> str:
    """The name of a connector with the canary, to a server that gives it back in every way."""

    async def halves(asked: Asked) -> Answer:
        assert asked.header("X-Api-Key") == quote(canary)
        return as_json({"first": canary[:9], "second": canary[9:]})

    async def echo(asked: Asked) -> Answer:
        told = {
            "headers": asked.headers,
            "whole": canary,
            canary: [canary],
            "escaped": json.dumps({"k": canary}),
            "encoded": base64.b64encode(f"user:{canary}".encode()).decode(),
            "quoted": quote(canary, safe=""),
        }
        return as_json(told, 200, **{"X-Echo": quote(canary), "Set-Cookie": f"k={quote(canary)}"})

    async def fails(asked: Asked) -> Answer:
        return Answer(500, {"X-Echo": quote(canary)}, f"no such key: {canary}".encode())

    async def sends_on(asked: Asked) -> Answer:
        return Answer(302, {"Location": f"/leaky/fails?key={quote(canary)}"})

    for path, page in (("halves", halves), ("echo", echo), ("fails", fails), ("sent-on", sends_on)):
        web.page(f"/leaky/{path}", page)
    login = {"authentication_method": "basic", "username": "user", "password": canary}
    return create_connector(
        by=stage.cast.root,
        name=f"Leaky {secrets.token_hex(4)}",
        project=stage.cast.workshop,
        connector_type="REST",
        value={
            "url": web.url + "/leaky",
            "headers": {"X-Api-Key": quote(canary)},
            "query": {"token": canary},
        },
        secrets={"authentication": login},
    ).name


def test_what_a_connection_gives_back(play: Stage, fleet: Fleet, canary: str, leaky: str) -> None:
    parent = play.run(
        "for path in ('echo', 'fails', 'sent-on'):\n"
        "    child = this.connect(inputs['connector'], path=path, wait=system.return_when.ALL_ENDED)\n"
        "    this.log(child.get('output_value'), child.get('message'))\n"
        "    this.set_output(path, child.get('output_value'))\n"
        "this.connect(inputs['connector'], path='fails')",
        inputs={"connector": leaky},
    )
    assert parent.status == Status.ENDED_ERROR and "DependencyFailedError" in parent.message
    children = play.children(parent)
    assert [child.status for child in children] == [Status.ENDED_SUCCESS, *[Status.ENDED_ERROR] * 3]
    assert children[0].output_value["json"]["whole"] == "•••"
    assert_nowhere(canary, play, fleet, [parent.pk, *(child.pk for child in children)])


@pytest.mark.parametrize("raises", [False, True])
def test_what_a_flow_tells_that_knows_it(
    play: Stage, fleet: Fleet, canary: str, leaky: str, raises: bool
) -> None:
    parent = play.run(LEAKS, inputs={"connector": leaky, "raises": raises})
    assert parent.status == (Status.ENDED_ERROR if raises else Status.ENDED_SUCCESS), parent.message
    said = "\n".join(play.log(parent))
    assert said.count("•••") >= 8, said
    assert "•••" in parent.message and parent.output_value == {"secret": "•••", "inside": ["•••"]}
    assert_nowhere(canary, play, fleet, [parent.pk, *(child.pk for child in play.children(parent))])


def test_another_host_knows_what_was_used(fleet: Fleet, stage: Stage, canary: str, leaky: str) -> None:
    worker = fleet.have(workers=1, slots=4)[0]
    parent = stage.start(LEAKS, inputs={"connector": leaky, "pause": 2.0})
    stage.in_status(parent, Status.SLEEPING)
    worker.kill("host")
    stage.ended(parent)
    assert parent.attempt == 2 and "•••" in parent.message
    assert_nowhere(canary, stage, fleet, [parent.pk])


def test_secret_inputs_and_a_database(play: Stage, postgres: Postgres, fleet: Fleet, canary: str) -> None:
    parent = play.run(
        "child = this.connect(connector_type='SQLPG', inputs=inputs, wait=system.return_when.ALL_ENDED)\n"
        "return [child.get('message'), child.get('input_value')]",
        inputs={**postgres.inputs, "password": canary, "fetchval": "SELECT 1"},
    )
    child = play.children(parent)[0]
    assert child.status == Status.ENDED_ERROR and "password authentication failed" in child.message
    assert child.input_value["password"] == "•••"
    # What the flow itself was given stands in its inputs; nothing else has it.
    Execution.objects.filter(pk=parent.pk).update(input_value=None)
    assert_nowhere(canary, play, fleet, [parent.pk, child.pk])
