"""Connectors as records: what is a secret is sealed and shown nowhere, who may do what, and the key that is changed."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from access.permissions import PermissionRefused
from connectors import sealing
from connectors.kinds import CONNECTOR
from connectors.merging import MASK, merge, part, patch
from connectors.models import Connector, SecretUse
from connectors.operations import (
    create_connector,
    duplicate_connector,
    restore_connector,
    save_connector,
    trash_connector,
)
from connectors.types import MODULES, type_of
from executions.masks import forget_uses
from executions.models import Execution
from executions.operations import rerun_execution
from executions.sealed_inputs import secret_inputs_of
from executions.starting import Start, start_execution
from projects.models import Project
from records.export_form import document_of
from records.forms import check_form
from records.identifiers import uuid7
from tests.cast import Cast, make_cast

CANARY = "canary-c4n4ry-7f3a"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def make(cast: Cast, **fields: Any) -> Connector:
    wanted = {"name": "Things", "project": cast.workshop, "connector_type": "REST", **fields}
    return create_connector(by=cast.alice, **wanted)


def stored_text() -> str:
    """Return all that the database holds of connectors, executions and the audit log, as text."""
    tables = ("connectors_connector", "executions_execution", "access_auditentry", "executions_logline")
    with connection.cursor() as cursor:
        texts = []
        for table in tables:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t")
            texts.append(cursor.fetchone()[0])
    return " ".join(texts)


def test_secrets_are_sealed_wherever_they_are_given(cast: Cast) -> None:
    connector = make(
        cast,
        value={
            "url": f"https://me:{CANARY}@example.org",
            "headers": [{"name": "X-Api-Key", "value": f"{CANARY}-2"}, {"name": "Accept", "value": "text/x"}],
            "token": f"{CANARY}-3",
        },
        secrets={"tls": {"client_key": f"{CANARY}-4"}},
    )
    assert connector.value == {
        "url": "https://example.org",
        "headers": {"Accept": "text/x"},
        "authentication": {"username": "me"},
    }
    assert connector.secret_fields == [
        "authentication.password", "authentication.token", "headers.X-Api-Key", "tls.client_key",
    ]  # fmt: skip
    assert CANARY not in stored_text()
    connector.refresh_from_db()
    assert connector.open_secrets()["headers"] == {"X-Api-Key": f"{CANARY}-2"}
    shown = json.dumps([CONNECTOR.snapshot(connector), document_of(CONNECTOR, connector).fields], default=str)
    assert CANARY not in shown and '"has_secrets": true' in shown


def test_secrets_are_changed_one_by_one(cast: Cast) -> None:
    connector = make(cast, secrets={"authentication": {"password": "one-one", "token": "two-two"}})
    save_connector(connector, by=cast.alice, secrets={"authentication": {"token": None}})
    assert connector.open_secrets() == {"authentication": {"password": "one-one"}}
    save_connector(connector, by=cast.alice, value={"password": "three-three", "username": "me"})
    assert connector.open_secrets() == {"authentication": {"password": "three-three"}}
    save_connector(connector, by=cast.alice, description="nothing about secrets", secrets=None)
    assert connector.open_secrets() == {"authentication": {"password": "three-three"}}
    save_connector(connector, by=cast.alice, secrets={"password": None})
    assert (connector.open_secrets(), connector.has_secrets, connector.secret_fields) == ({}, False, [])


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"connector_type": "SMOKE"}, "connector_type", "Give one of: REST"),
        ({"value": {"port": "many"}}, "value", "value.port: must be a whole number"),
        ({"value": {"wrong": 1}}, "value", "value.wrong: is not known here"),
        ({"value": [1]}, "value", "give an object"),
        ({"secrets": "open"}, "secrets", "give an object"),
        ({"secrets": {"authentication": {"pasword": "x"}}}, "secrets", "pasword: is not known"),
    ],
)
def test_what_is_no_connector_is_refused(cast: Cast, fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        make(cast, **fields)
    assert words in refused.value.message_dict[field][0]


def test_a_connector_keeps_its_type(cast: Cast) -> None:
    connector = make(cast)
    with pytest.raises(ValidationError, match="keeps its type"):
        save_connector(connector, by=cast.alice, connector_type="SQLPG")


def test_who_may_do_what(cast: Cast) -> None:
    connector = make(cast, secrets={"token": CANARY})
    for person, may_see in ((cast.bob, True), (cast.mallory, False)):
        with pytest.raises(PermissionRefused):
            save_connector(connector, by=person, description="mine")
        with pytest.raises(PermissionRefused):
            trash_connector(connector, by=person)
        if not may_see:
            with pytest.raises(PermissionRefused):
                duplicate_connector(connector, by=person)
    for person in (cast.alice, cast.bob):
        start_execution(Start(connector=connector), by=person, origin="API")
    for person in (cast.carol, cast.mallory):  # one looks on, the other belongs nowhere
        with pytest.raises(PermissionRefused):
            start_execution(Start(connector=connector), by=person, origin="API")


def test_a_copy_has_the_secrets_only_for_who_may_change_the_original(cast: Cast) -> None:
    connector = make(cast, secrets={"token": CANARY})
    copy = duplicate_connector(connector, by=cast.alice)
    assert (copy.name, copy.open_secrets()) == ("Things copy", {"authentication": {"token": CANARY}})
    assert copy.sealed != connector.sealed
    connector.sealed = copy.sealed
    with pytest.raises(sealing.CannotOpen, match="another record"):  # sealed for the copy only
        connector.open_secrets()


def test_the_trash(cast: Cast) -> None:
    connector = make(cast)
    trash_connector(connector, by=cast.alice)
    assert not Connector.objects.alive().exists()
    make(cast)
    with pytest.raises(ValidationError):
        restore_connector(connector, by=cast.alice)


def test_secret_inputs_of_one_connection(cast: Cast) -> None:
    inputs = {"host": "db", "username": "me", "password": CANARY, "fetchval": "SELECT 1"}
    start = Start(connector_type="SQLPG", inputs=inputs, project=cast.workshop)
    execution, _ = start_execution(start, by=cast.alice, origin="API")
    assert execution.input_value == {**inputs, "password": MASK}
    assert CANARY not in stored_text()
    again = rerun_execution(execution, by=cast.alice, origin="API")
    assert again.input_value == execution.input_value
    assert secret_inputs_of(again) == {"password": CANARY}
    assert again.sealed_inputs != execution.sealed_inputs


# -- The key ------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(settings: Any, tmp_path: Path) -> Path:
    path = tmp_path / "secrets_key"
    path.write_text("the first key, which is long enough for anybody\n")
    settings.ENGINE_SECRETS_FILE = path
    settings.ENGINE_SECRETS_KEY = ""
    return path


def test_the_key_in_the_file_is_changed(cast: Cast, key_file: Path) -> None:
    connector = make(cast, secrets={"token": CANARY})
    start = Start(connector_type="SQLPG", inputs={"password": f"{CANARY}-5"}, project=cast.workshop)
    execution, _ = start_execution(start, by=cast.alice, origin="API")
    sealed = (connector.sealed, execution.sealed_inputs)
    call_command("rotate_secrets")
    connector.refresh_from_db()
    execution.refresh_from_db()
    assert not {connector.sealed, execution.sealed_inputs} & set(sealed)
    lines = key_file.read_text().split("\n")
    assert (len(lines), lines[1]) == (3, "the first key, which is long enough for anybody")
    assert key_file.stat().st_mode & 0o777 == 0o600
    key_file.write_text(lines[0] + "\n")  # the former key is not needed
    assert connector.open_secrets() == {"authentication": {"token": CANARY}}
    assert secret_inputs_of(execution) == {"password": f"{CANARY}-5"}


def test_the_key_of_the_environment_is_changed(cast: Cast, settings: Any) -> None:
    settings.ENGINE_SECRETS_KEY = "an old key of more than thirty-two characters"
    connector = make(cast, secrets={"token": CANARY})
    settings.ENGINE_SECRETS_KEY = (
        f"a new key of more than thirty-two characters,{settings.ENGINE_SECRETS_KEY}"
    )
    assert connector.open_secrets()
    call_command("rotate_secrets")
    connector.refresh_from_db()
    settings.ENGINE_SECRETS_KEY = settings.ENGINE_SECRETS_KEY.split(",")[0]
    assert connector.open_secrets() == {"authentication": {"token": CANARY}}


def test_a_lost_key_is_said_and_nothing_is_written_over(cast: Cast, settings: Any) -> None:
    settings.ENGINE_SECRETS_KEY = "a key of more than thirty-two characters that is lost"
    connector = make(cast, secrets={"token": CANARY})
    settings.ENGINE_SECRETS_KEY = "a key of more than thirty-two characters that is found"
    with pytest.raises(sealing.CannotOpen, match="not the present one"):
        connector.open_secrets()
    with pytest.raises(ValidationError, match="not the present one"):
        save_connector(connector, by=cast.alice, secrets={"token": "another"})
    with pytest.raises(CommandError, match="former key"), transaction.atomic():
        call_command("rotate_secrets")
    settings.ENGINE_SECRETS_KEY = "a key of more than thirty-two characters that is lost"
    connector.refresh_from_db()
    assert connector.open_secrets() == {"authentication": {"token": CANARY}}


# -- Merging ------------------------------------------------------------------------------------------------


def test_merging() -> None:
    below = {"a": {"b": 1, "c": 2}, "json": {"x": 1}, "list": [1]}
    above = {"a": {"c": 3}, "json": {"y": 2}, "list": [2], "new": None}
    merged = merge(below, above, frozenset({"json"}))
    assert merged == {"a": {"b": 1, "c": 3}, "json": {"y": 2}, "list": [2], "new": None}
    assert below == {"a": {"b": 1, "c": 2}, "json": {"x": 1}, "list": [1]}
    assert patch({"a": {"b": 1}, "c": 2}, {"a": {"b": None}, "c": 3}) == {"c": 3}


@pytest.mark.parametrize("name", list(MODULES))
def test_every_type_is_complete(name: str) -> None:
    kind = type_of(name)
    check_form(kind.SCHEMA)
    assert kind.normalize({}) == {} and kind.targets({}) == set()
    once = kind.normalize({"host": "h", "username": "u", "password": "p"})
    assert kind.normalize(once) == once
    shown, hidden = part(kind, once)
    assert "p" not in str(shown.values()) and "'p'" in str(hidden)
    assert set(kind.SCHEMA["properties"]) >= kind.WHOLE | kind.NAMED


def test_a_project_with_connectors_is_kept(cast: Cast) -> None:
    make(cast)
    assert Project.objects.get(pk=cast.workshop.pk).connectors.count() == 1
    assert Execution.objects.filter(connector__isnull=False).count() == 0


def test_which_secrets_were_used_is_forgotten_with_the_last_execution(cast: Cast) -> None:
    connector = make(cast, secrets={"token": CANARY})
    execution, _ = start_execution(Start(connector=connector), by=cast.alice, origin="API")
    for root_id in (execution.root_id, uuid7()):
        SecretUse.objects.create(root_id=root_id, connector=connector)
    assert forget_uses() == 1
    assert list(SecretUse.objects.values_list("root_id", flat=True)) == [execution.root_id]
