"""Roles: what one allows where, and that nobody hands out more than they have."""

from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError

from access.models import IdentityKind, IdentityRole, Role, User
from access.operations import (
    create_identity_role,
    create_role,
    give_role,
    restore_role,
    save_role,
    take_role,
    trash_role,
)
from access.permissions import Operation, PermissionRefused, may, may_in_project, projects_with, visible
from flows.models import Flow
from flows.operations import create_flow
from projects.models import Project
from records.models import RecordIsReadonly
from tests.access.conftest import Making
from tests.cast import Cast, hold

USER = IdentityKind.USER


def again(user: User) -> User:
    """Return the user as the next request sees them."""
    return User.objects.get(pk=user.pk)


def test_a_role_allows_its_rows_and_nothing_else(cast: Cast, role: Making) -> None:
    give_role(USER, cast.mallory.pk, role("Reader", "flow READ"), by=cast.root)
    flow = create_flow(by=cast.root, project=cast.attic, name="seen")
    mallory = again(cast.mallory)
    assert may(mallory, Operation.READ, flow)
    assert not any(may(mallory, operation, flow) for operation in Operation if operation != Operation.READ)
    assert not may(mallory, Operation.READ, cast.attic)
    assert list(visible(mallory, Flow.objects.all())) == [flow]
    assert not visible(mallory, Project.objects.all()).exists()


@pytest.mark.parametrize("way", ["row", "grant", "both"])
def test_a_role_for_one_project_ends_at_its_border(cast: Cast, role: Making, way: str) -> None:
    made = role("Writer", "flow READ", "flow CREATE", project=cast.attic if way != "grant" else None)
    give_role(USER, cast.mallory.pk, made, by=cast.root, project=cast.attic if way != "row" else None)
    mallory = again(cast.mallory)
    create_flow(by=mallory, project=cast.attic, name="mine")
    create_flow(by=cast.root, project=cast.workshop, name="not mine")
    with pytest.raises(PermissionRefused, match="CREATE permission on flows in the project 'Workshop'"):
        create_flow(by=mallory, project=cast.workshop, name="other")
    assert [flow.name for flow in visible(mallory, Flow.objects.all())] == ["mine"]
    assert projects_with(mallory, Operation.READ, Flow) == {cast.attic.pk}


def test_a_row_for_another_project_than_the_grant_is_void(cast: Cast, role: Making) -> None:
    made = role("Lost", "flow READ", project=cast.attic)
    give_role(USER, cast.mallory.pk, made, by=cast.root, project=cast.workshop)
    mallory = again(cast.mallory)
    assert projects_with(mallory, Operation.READ, Flow) == frozenset()


def test_all_types_in_a_project_are_not_those_outside_of_it(cast: Cast) -> None:
    for operation in Operation:
        assert may_in_project(cast.alice, operation, cast.workshop.pk, "flow")
        assert not may(cast.alice, operation, Role)
        assert not may(cast.alice, operation, cast.bob)
    assert not may_in_project(cast.alice, Operation.READ, None, "flow")


def test_what_is_taken_or_trashed_allows_nothing(cast: Cast, role: Making) -> None:
    made = role("Reader", "flow READ")
    held = give_role(USER, cast.mallory.pk, made, by=cast.root)
    trash_role(made, by=cast.root)
    assert not may(again(cast.mallory), Operation.READ, Flow)
    Role.objects.filter(pk=made.pk).update(deleted_at=None)
    assert may(again(cast.mallory), Operation.READ, Flow)
    take_role(held, by=cast.root)
    assert not may(again(cast.mallory), Operation.READ, Flow)


def test_disabled_people_may_nothing(cast: Cast) -> None:
    User.objects.filter(pk__in=[cast.root.pk, cast.alice.pk]).update(is_active=False)
    for person in (again(cast.root), again(cast.alice)):
        assert not may_in_project(person, Operation.READ, cast.workshop.pk, "flow")
        assert not visible(person, Project.objects.all()).exists()


def test_nobody_gives_more_than_they_have(cast: Cast, role: Making) -> None:
    hold(cast.bob, "Admin", cast.attic)
    bob, viewer = again(cast.bob), Role.objects.get(name="Viewer")
    give_role(USER, cast.mallory.pk, viewer, by=bob, project=cast.attic)
    with pytest.raises(PermissionRefused):
        give_role(USER, cast.mallory.pk, viewer, by=bob, project=cast.workshop)
    with pytest.raises(PermissionRefused):
        give_role(USER, cast.mallory.pk, viewer, by=bob)
    giver = role("Giver", "identity_role CREATE", "role CREATE", "role UPDATE", "flow READ")
    give_role(USER, cast.carol.pk, giver, by=cast.root)
    carol = again(cast.carol)
    give_role(USER, cast.mallory.pk, role("Reader", "flow READ"), by=carol)
    with pytest.raises(PermissionRefused, match="allows more than you may do"):
        give_role(USER, cast.carol.pk, Role.objects.get(name="Admin"), by=carol)
    with pytest.raises(PermissionRefused, match="more into a role"):
        save_role(giver, by=carol, permissions=[{"record_type": "*", "operation": "DELETE"}])
    with pytest.raises(PermissionRefused, match="more into a role"):
        create_role(by=carol, name="Mine", permissions=[{"record_type": "user", "operation": "UPDATE"}])
    assert not Role.objects.filter(name="Mine").exists()


def test_default_roles_are_not_changed_by_accident(cast: Cast) -> None:
    with pytest.raises(RecordIsReadonly):
        save_role(Role.objects.get(name="Viewer"), by=cast.root, permissions=[])
    assert Role.objects.get(name="Viewer").permissions.filter(record_type="flow", operation="READ").exists()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("flow READ", "Give a list"),
        ([["flow", "READ"]], "Row 1: give an object"),
        ([{"record_type": "flow", "operation": "EAT"}], "Row 1: 'EAT' is no operation"),
        ([{"record_type": "flown", "operation": "READ"}], "no record type 'flown'"),
        ([{"record_type": "flow", "operation": "READ", "project_id": "x"}], "Row 1: 'x' is no id"),
    ],
)
def test_wrong_rows_are_named(cast: Cast, rows: object, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        create_role(by=cast.root, name="Wrong", permissions=rows)  # type: ignore[arg-type]
    assert words in str(refused.value)


def test_a_person_who_makes_a_project_is_its_admin(cast: Cast, role: Making) -> None:
    from projects.operations import create_project

    give_role(USER, cast.mallory.pk, role("Founder", "project CREATE"), by=cast.root)
    project = create_project("Mine", by=again(cast.mallory))
    assert may(again(cast.mallory), Operation.DELETE, project)
    assert [str(held) for held in IdentityRole.objects.filter(project=project)] == ["Admin in Mine"]


def test_restoring_a_role_gives_it_back_so_it_takes_what_it_allows(cast: Cast, role: Making) -> None:
    strong = trash_role(role("Strong", "user UPDATE"), by=cast.root)
    give_role(USER, cast.mallory.pk, role("Keeper", "role READ", "role DELETE"), by=cast.root)
    with pytest.raises(PermissionRefused, match="allows more than you may do"):
        restore_role(strong, by=again(cast.mallory))


def test_roles_are_given_to_those_who_are_there(cast: Cast) -> None:
    given = {"by": cast.root, "role": Role.objects.get(name="Viewer"), "identity_id": uuid4()}
    for kind in ("user", "webhook", "schedule"):
        with pytest.raises(ValidationError, match=f"There is no {kind} with this id"):
            create_identity_role(identity_kind=kind, **given)
    with pytest.raises(ValidationError, match="at its start"):
        create_identity_role(identity_kind="execution", **given)
