"""Every record type, every operation, every place: what a role allows is what each door allows, and nothing else.

Generated from the record types that the apps offer; a new one is in it at once (see tests/access/samples.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from access.api_keys import create_api_key
from access.default_roles import DESCRIPTIONS, permissions_of_default, project_types
from access.identities import identity_for
from access.models import ANY_TYPE, IdentityRole, Operation, Role, RolePermission, User
from access.permissions import may, may_in_project, project_of, visible
from executions.calls import records
from executions.calls.base import Caller, CallRefused
from projects.models import Project
from records.kinds import Kind, all_kinds, kind_of
from tests.access.samples import NEEDS, sample_of
from tests.cast import Cast

KINDS = [kind.name for kind in all_kinds()]
IN_PROJECTS = sorted(project_types() - {"bundle"})  # a bundle is imported: see tests/bundles
READ, CREATE, UPDATE, DELETE, RUN = Operation


@dataclass
class World:
    """Samples of all types in two projects, and a person who holds nothing yet."""

    cast: Cast
    samples: dict[str, tuple[Any, Any]]  # in the workshop and in the attic
    person: User

    def holds(
        self, *cells: tuple[str, str], row: Project | None = None, grant: Project | None = None
    ) -> User:
        """Let the person hold one role with these cells and nothing else; returns them as the next request does."""
        IdentityRole.objects.filter(identity_id=self.person.pk).delete()
        role = Role.objects.create(name=f"Test {uuid4()}")
        RolePermission.objects.bulk_create(
            RolePermission(role=role, project=row, record_type=kind, operation=operation)
            for kind, operation in dict.fromkeys(cells)
        )
        self.hold(role, grant)
        return User.objects.get(pk=self.person.pk)

    def hold(self, role: Role, grant: Project | None) -> None:
        IdentityRole.objects.create(
            identity_kind="user", identity_id=self.person.pk, role=role, project=grant
        )


@pytest.fixture
def world(cast: Cast) -> World:
    samples = {
        kind.name: (sample_of(kind, cast, cast.workshop), sample_of(kind, cast, cast.attic))
        for kind in sorted(all_kinds(), key=lambda kind: kind.name == "audit_entry")
    }
    return World(cast, samples, cast.mallory)


def scopes(world: World) -> Iterator[tuple[dict[str, Project], bool]]:
    """Return the three ways to hold a role, and whether it also holds in the attic."""
    yield {}, True
    yield {"row": world.cast.workshop}, False
    yield {"grant": world.cast.workshop}, False


# -- The one function --------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", Operation, ids=str)
def test_one_cell_allows_itself_and_nothing_else(world: World, operation: Operation) -> None:
    for kind in (*KINDS, ANY_TYPE):
        check_one_cell(world, kind, operation)


def check_one_cell(world: World, kind: str, operation: Operation) -> None:
    for scope, is_everywhere in scopes(world):
        person = world.holds((kind, operation), **scope)
        for name, (here, there) in world.samples.items():
            for asked in Operation:
                is_allowed = asked == operation and kind in (name, ANY_TYPE)
                if (name, asked, operation) == ("role", READ, CREATE) and kind in ("identity_role", ANY_TYPE):
                    assert may(person, asked, here)  # whoever gives roles sees what there is to give
                    continue
                is_in_project = project_of(here) is not None
                expected = is_allowed and (is_everywhere or is_in_project)
                assert may(person, asked, here) is expected, (name, asked, scope)
                assert may(person, asked, there) is (is_allowed and is_everywhere), (name, asked, scope)
                assert may(person, asked, type(here)) is (is_allowed and is_everywhere)
                assert may_in_project(person, asked, world.cast.workshop.pk, name) is is_allowed
                assert may_in_project(person, asked, world.cast.attic.pk, name) is (
                    is_allowed and is_everywhere
                )
        for name in {kind} & set(KINDS) | {"flow", "execution"}:
            assert_visible(world, person, name)


def assert_visible(world: World, person: User, name: str) -> None:
    """Lists hold, by SQL, exactly the records that the function allows."""
    here, there = world.samples[name]
    for asked in Operation:
        rows = visible(person, type(here)._default_manager.filter(pk__in=[here.pk, there.pk]), asked)
        expected = {record.pk for record in (here, there) if may(person, asked, record)}
        assert set(rows.values_list("pk", flat=True)) == expected, (name, asked)


def test_the_default_roles(world: World) -> None:
    for name in DESCRIPTIONS:
        IdentityRole.objects.filter(identity_id=world.person.pk).delete()
        check_default_role(world, name)


def check_default_role(world: World, name: str) -> None:
    role, cells = Role.objects.get(name=name), permissions_of_default(name)
    world.hold(role, world.cast.workshop)
    person = User.objects.get(pk=world.person.pk)
    for kind, (here, there) in world.samples.items():
        for asked in Operation:
            is_allowed = bool({(kind, asked), (ANY_TYPE, asked)} & cells) and project_of(here) is not None
            is_allowed |= (name, kind, asked) == ("Admin", "role", READ)  # whoever gives roles sees them
            assert may(person, asked, here) is is_allowed, (kind, asked)
            assert kind == "role" or not (may(person, asked, there) and here != there), (kind, asked)
        assert_visible(world, person, kind)


def test_default_roles_grow_from_viewer_to_admin() -> None:
    viewer, user, developer, operator = map(
        permissions_of_default, ("Viewer", "User", "Developer", "Operator")
    )
    assert viewer < user < developer < operator
    assert all(operation == READ for _, operation in viewer)
    assert not {("connector", CREATE), ("webhook", CREATE), ("identity_role", CREATE)} & developer
    assert not {("identity_role", CREATE), ("project", UPDATE), ("audit_entry", READ)} & operator


# -- Doors ---------------------------------------------------------------------------------------------------

# What writing one of these takes besides: it points to other records.
ALSO = {
    "schedule": [
        ("flow", READ),
        ("flow", RUN),
        ("scheduler", READ),
        ("scheduler", RUN),
        ("execution", CREATE),
    ],
    "execution": [("flow", READ)],
    "webhook": [("flow", READ), ("flow", RUN), ("execution", CREATE)],
}
CHANGES: dict[str, dict[str, Any]] = {
    "identity_role": {"propagate": False},
    "message": {"response": {}},
}
WITHOUT_CREATE = {"audit_entry", "message", "bundle"}


def body_of(kind: Kind, world: World, place: Project) -> dict[str, Any]:
    """Return the body that makes one in this place."""
    if kind.name == "project":
        return {"name": f"New {place}"}
    if kind.name == "execution":
        return {"script": "def handler(system, this): pass", "project_id": str(place.pk)}
    if kind.name == "identity_role":
        powerless = Role.objects.get_or_create(name="Powerless")[0]
        return {
            "identity_kind": "user",
            "identity_id": str(world.cast.carol.pk),
            "role_id": str(powerless.pk),
        } | {"project_id": str(place.pk)}
    body = {"name": f"New {kind.name}", "project_id": str(place.pk)}
    sample = world.samples[kind.name][place == world.cast.attic]
    for name in NEEDS.get(kind.name, lambda *_: {})(world.cast, place) if kind.name == "connector" else ():
        body[name] = getattr(sample, name)
    if kind.name == "webhook":
        body["flow_id"] = str(sample.flow_id)
    if kind.name == "schedule":
        body |= {"scheduler_id": str(sample.scheduler_id), "flow_id": str(sample.flow_id)}
        body["configuration"] = sample.configuration
    return body


@pytest.fixture
def ask(world: World) -> Any:
    """Returns a caller of REST as the person; what it changes is rolled back."""
    client, key = Client(), create_api_key(world.person, "tests")[1]

    def call(method: str, path: str, body: Any = None) -> Any:
        with transaction.atomic():
            response = client.generic(
                method,
                f"/api/latest/{path}",
                b"" if body is None else orjson.dumps(body),
                content_type="application/json",
                headers={"Authorization": f"Bearer {key}"},
            )
            transaction.set_rollback(True)
        return response

    return call


@pytest.mark.parametrize("name", IN_PROJECTS)
def test_rest(world: World, ask: Any, name: str) -> None:
    kind, (here, there) = kind_of(name), world.samples[name]
    change = CHANGES.get(name, {"description": "changed"})
    support = [(other, READ) for other in ("project", "role") if other != name] + ALSO.get(name, [])
    for operation in Operation:
        for scope, is_everywhere in scopes(world):
            world.holds((name, READ), (name, operation), *support, **scope)
            for record, sees in ((here, True), (there, is_everywhere)):
                where = (name, operation, scope, record)
                place = world.cast.workshop if record is here else world.cast.attic

                def expected(wanted: str, good: int, sees: bool = sees, operation: str = operation) -> int:
                    return 404 if not sees else good if operation == wanted else 403

                address = f"{name}/{record.pk}"
                assert ask("GET", address).status_code == (200 if sees else 404), where
                listed = {row["id"] for row in ask("GET", name).json()["results"]}
                assert (str(record.pk) in listed) is sees, where
                if kind.save is not None:
                    assert ask("PATCH", address, change).status_code == expected(UPDATE, 200), where
                if kind.trash is not None:
                    assert ask("DELETE", address).status_code == expected(DELETE, 204), where
                if name not in WITHOUT_CREATE:
                    may_create = operation == CREATE and (is_everywhere or (sees and name != "project"))
                    answer = ask("POST", name, body_of(kind, world, place))
                    assert (answer.status_code == 201) is may_create, (where, answer.content)
                    assert answer.status_code in (201, 400, 403, 404), (where, answer.content)
    IdentityRole.objects.filter(identity_id=world.person.pk).delete()
    for method, path, body in (("GET", address, None), ("PATCH", address, change), ("DELETE", address, None)):
        assert ask(method, path, body).status_code in (404, 405)
    assert ask("GET", name).json()["results"] == []


@pytest.mark.parametrize("operation", [READ, RUN], ids=str)
def test_rest_of_control(world: World, ask: Any, operation: Operation) -> None:
    here, there = world.samples["execution"]
    flow, _ = world.samples["flow"]
    good = operation == RUN
    world.holds(("execution", READ), ("execution", operation), grant=world.cast.workshop)
    for verb in ("run", "cancel"):
        assert ask("POST", f"execution/{here.pk}/{verb}", {}).status_code == (200 if good else 403)
        assert ask("POST", f"execution/{there.pk}/{verb}", {}).status_code == 404
    assert ask("POST", "execution/cancel", {"ids": [str(there.pk)]}).json()["results"][0]["done"] is False
    world.holds(("flow", READ), ("flow", operation), ("execution", CREATE), ("execution", READ))
    assert ask("POST", "execution", {"flow_id": str(flow.pk)}).status_code == (201 if good else 403)
    world.holds(("flow", RUN), ("flow", READ))
    assert ask("POST", "execution", {"flow_id": str(flow.pk)}).status_code == 403


def test_flows(world: World) -> None:
    for name in IN_PROJECTS:
        if name != "message":  # asked for by calls of its own: see tests/inbox
            check_flows(world, name)


def check_flows(world: World, name: str) -> None:
    kind, (here, there) = kind_of(name), world.samples[name]
    change = CHANGES.get(name, {"description": "changed"})

    def outcome(caller: Caller, call: Any, arguments: dict[str, Any]) -> str:
        with transaction.atomic():
            try:
                call(caller, arguments)
            except CallRefused as refused:
                return refused.type
            except Exception as error:
                return type(error).__name__
            finally:
                transaction.set_rollback(True)
        return "done"

    for operation in Operation:
        for scope, is_everywhere in scopes(world):
            person = world.holds((name, READ), (name, operation), *ALSO.get(name, []), **scope)
            key = uuid4()
            user = identity_for("execution", key, "test", person, holder=("user", person.pk))
            place = world.cast.workshop.pk
            caller = Caller(
                id=key, host_id=1, attempt=1, project_id=place, root_id=key, is_productive=True, user=user
            )
            for record, sees in ((here, True), (there, is_everywhere)):
                where, chosen = (
                    (name, operation, scope, record),
                    {"type": name, "select": str(record.pk), "by": "id"},
                )
                unseen = "ResourceNotFoundError"
                assert outcome(caller, records.get, chosen) == ("done" if sees else unseen), where
                found = {row["id"] for row in records.list_records(caller, {"type": name})}
                assert (record.pk in found) is sees, where
                if kind.save is not None:
                    done = outcome(caller, records.save, {**chosen, "fields": change})
                    assert (done == "done") is (sees and operation == UPDATE), (where, done)
                if kind.trash is not None:
                    done = outcome(caller, records.delete, chosen)
                    assert (done == "done") is (sees and operation == DELETE), (where, done)


def test_the_admin(world: World) -> None:
    for name in KINDS:
        check_admin(world, name)


def check_admin(world: World, name: str) -> None:
    kind, (here, there) = kind_of(name), world.samples[name]
    meta = kind.model._meta
    if name in ("user", "role", "process"):  # whoever may read one reads all
        there = here
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")

    def page_of(record: Any) -> str:
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[record.pk])

    browser = Client()
    for cells, seen in (([("flow" if name != "flow" else "execution", READ)], []), ([(name, READ)], [here])):
        person = world.holds(*cells, grant=world.cast.workshop if project_of(here) else None)
        User.objects.filter(pk=person.pk).update(is_staff=True)
        browser.force_login(User.objects.get(pk=person.pk))
        answer = browser.get(address)
        if seen:
            assert {row.pk for row in answer.context["cl"].result_list} & {here.pk, there.pk} == {here.pk}
            assert browser.get(page_of(here)).status_code == 200
            assert there == here or browser.get(page_of(there)).status_code in (302, 403, 404)
        elif name != "user" and name != "identity_role" and name != "role":  # everybody reads their own
            assert answer.status_code == 403
