"""Whatever the description of REST allows, and what it does not: never a 5xx, and nobody reads what is not theirs.

Three people send the same generated requests to the real application: to records of all types, of their own projects
and of others'. Every text of a project carries its mark; a mark in the answer to somebody who may not read there is a
leak. `FUZZ_TIMES=20` tries twenty times as much.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core import NotSet

from access.api_keys import create_api_key
from executions.models import Execution, LogLine, Savepoint
from projects.models import Project
from records.kinds import all_kinds
from tests.access.samples import sample_of
from tests.cast import Cast, hold

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
EXAMPLES = {GenerationMode.POSITIVE: 2 * TIMES, GenerationMode.NEGATIVE: TIMES}
MARKS = {"Workshop": "mark-of-the-workshop", "Attic": "mark-of-the-attic", "Vault": "mark-of-the-vault"}


class Targets:
    """What generated requests aim at: the ids and names of all samples, and small numbers."""

    def __init__(self, samples: dict[str, list[Any]]) -> None:
        self.by_type = {name: [str(record.pk) for record in records] for name, records in samples.items()}
        self.names = {name: [str(record) for record in records] for name, records in samples.items()}
        self.ids = [key for keys in self.by_type.values() for key in keys]

    def key(self, kind: str, by_name: bool) -> Any:
        mine = (self.names if by_name else self.by_type).get(kind) or self.ids
        return st.one_of(st.sampled_from(mine), st.sampled_from(mine), st.sampled_from(self.ids))

    def aimed(self, draw: Any, name: str, value: Any) -> Any:
        """Return a value for a field: mostly a real record where the field names one, else what was generated."""
        if draw(st.integers(0, 9)) < 2:
            return value
        if name == "ids" and isinstance(value, list):
            return draw(st.lists(self.key("execution", False), min_size=1, max_size=4))
        stem, _, way = name.rpartition("_")
        if way in ("id", "name") and stem in self.by_type:
            return draw(self.key(stem, way == "name"))
        return value


@pytest.fixture
def world(cast: Cast) -> dict[str, Any]:
    """Marked samples of every type in three projects, and three people: of the workshop, of the attic, of both."""
    vault = Project.objects.create(name="Vault")
    places = {"Workshop": cast.workshop, "Attic": cast.attic, "Vault": vault}
    samples: dict[str, list[Any]] = {}
    for place in places.values():
        Project.objects.filter(pk=place.pk).update(description=MARKS[place.name])
        for kind in all_kinds():
            if kind.name not in ("user", "process", "audit_entry"):
                record = sample_of(kind, cast, place)
                mark_record(record, MARKS[place.name])
                samples.setdefault(kind.name, []).append(record)
    for name in ("user", "audit_entry"):
        kind = next(each for each in all_kinds() if each.name == name)
        samples[name] = list(kind.model._default_manager.all()[:20])
    hold(cast.mallory, "Admin", cast.attic)
    return {
        "samples": samples,
        "people": {cast.alice: {"Workshop", "Attic"}, cast.bob: {"Workshop"}, cast.mallory: {"Attic"}},
    }


def mark_record(record: Any, mark: str) -> None:
    """Write the mark into whatever text the record has, and into what hangs on it."""
    texts = {"description": mark, "message": mark, "subject": mark}
    columns = {column.name for column in record._meta.concrete_fields}
    fields: dict[str, Any] = {name: value for name, value in texts.items() if name in columns}
    for name in ("value", "input_value", "output_value", "configuration"):
        if name in columns and record._meta.label != "schedules.Schedule":
            fields[name] = {"text": mark}
    if fields and record._meta.label != "access.Role":  # roles belong to no project
        type(record)._default_manager.filter(pk=record.pk).update(**fields)
    if isinstance(record, Execution):
        LogLine.objects.create(execution=record, number=1, at=record.created_at, text=mark)
        Savepoint.objects.create(
            execution=record, number=1, attempt=1, call="record.get", value={"text": mark}
        )


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)  # thousands of refusals
    yield
    logging.disable(logging.NOTSET)


def test_nothing_breaks_and_nothing_leaks(world: dict[str, Any], quiet: None) -> None:
    description = orjson.loads(
        Client().get("/api/latest/schema", {"format": "json"}, headers={"Accept": "*/*"}).content
    )
    schema = schemathesis.openapi.from_dict(description)
    people = [
        (Client(headers={"Authorization": f"Bearer {create_api_key(person, 'fuzz')[1]}"}), person, reads)
        for person, reads in world["people"].items()
    ]
    targets = Targets(world["samples"])
    faults: list[str] = []
    statuses: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith(("/auth/logout", "/auth/login")):
            continue
        for mode, most in EXAMPLES.items():
            try_out(operation, mode, most, targets, people, faults, statuses)
    assert not faults, "\n".join(dict.fromkeys(faults))
    # What was tried is worth something: most kinds of answers were among it.
    assert {200, 201, 204, 400, 403, 404} <= set(statuses), statuses


def try_out(
    operation: Any,
    mode: Any,
    most: int,
    targets: Targets,
    people: Any,
    faults: list[str],
    statuses: Counter[int],
) -> None:
    kind = operation.path.removeprefix("/api/latest/").split("/")[0]

    @settings(
        max_examples=most,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def run(case: Any, data: Any) -> None:
        request = aim(case, data.draw, kind, targets)
        for client, person, reads in people:
            answer = send(client, *request)
            statuses[answer.status_code] += 1
            asked = f"{request[0]} {request[1]} {request[2][:300]!r} as {person}: {answer.status_code}"
            if answer.status_code >= 500:
                faults.append(asked)
            text = answer.content.decode(errors="replace")
            for place, mark in MARKS.items():
                if place not in reads and mark in text:
                    faults.append(f"{asked} tells of the {place}: {text[:300]}")

    try:
        run()
    except Exception as error:  # no request can be generated in this mode
        if type(error).__name__ not in ("Unsatisfiable", "SkipTest", "Skipped"):
            raise


def aim(case: Any, draw: Any, kind: str, targets: Targets) -> tuple[str, str, bytes]:
    """Return method, address and body of a request: the generated one, turned to records that there are."""
    given = {} if isinstance(case.query, NotSet) or not case.query else dict(case.query)
    # Most addresses have few parameters; with all of them almost every request would be refused for one.
    query = {name: value for name, value in given.items() if draw(st.integers(0, 9)) < 3}
    if "wait" in query:
        query["wait"] = "0"  # nobody works here
    by_name = query.get("by") == "name"
    path = case.operation.path
    for name, value in (case.path_parameters or {}).items():
        if name == "key" and draw(st.integers(0, 9)) < 8:
            value = draw(targets.key(kind, by_name))
        elif name == "number":
            value = draw(st.sampled_from([1, 1, 2, value]))
        path = path.replace(f"{{{name}}}", quote(str(value), safe="") or "x")
    body = b""
    if not isinstance(case.body, NotSet):
        value = case.body
        if isinstance(value, dict):
            value = {name: targets.aimed(draw, name, inner) for name, inner in value.items()}
        body = value if isinstance(value, bytes) else json.dumps(value, default=str).encode()
    return case.method, f"{path}?{urlencode(query, doseq=True)}" if query else path, body


def send(client: Client, method: str, address: str, body: bytes) -> Any:
    """Send it; what it changed is undone."""
    with transaction.atomic():
        try:
            return client.generic(method, address, body, content_type="application/json")
        finally:
            transaction.set_rollback(True)
