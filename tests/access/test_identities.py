"""Executions, webhooks and schedules act with roles: those of their starter that propagate, or fewer."""

from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError

from access.identities import identity_for, roles_of
from access.models import IdentityKind, IdentityRole, Role, User
from access.operations import give_role
from access.permissions import Operation, PermissionRefused, is_unrestricted, may_in_project
from executions.models import Execution
from executions.operations import rerun_execution
from executions.starting import Start, start_execution
from tests.access.conftest import Making
from tests.cast import Cast

SCRIPT = "def handler(system, this): pass"


def started(cast: Cast, by: User, **options: object) -> Execution:
    start = Start(script=SCRIPT, project=cast.workshop, **options)  # type: ignore[arg-type]
    return start_execution(start, by=by, origin=Execution.Origin.API)[0]


def identity_of(execution: Execution) -> User:
    owner = User.objects.get(pk=execution.created_by_id)
    holder = (execution.starter_kind or "user", execution.starter_id or owner.pk)
    return identity_for(
        "execution", execution.pk, execution.name, owner, holder=holder, roles=execution.roles
    )


def names(identity: User) -> list[str]:
    return [role.name for role in roles_of(identity)]


def test_an_execution_has_the_roles_of_its_starter_that_propagate(cast: Cast, role: Making) -> None:
    give_role("user", cast.bob.pk, role("Kept", "project READ"), by=cast.root, propagate=False)
    execution = started(cast, cast.bob)
    assert names(cast.bob) == ["Kept", "User"]
    assert names(identity_of(execution)) == ["User"]
    assert execution.roles == [Role.objects.get(name="User").pk]


def test_fewer_roles_can_be_asked_for_and_more_are_refused_by_name(cast: Cast, role: Making) -> None:
    reader = role("Reader", "flow READ")
    give_role("user", cast.bob.pk, reader, by=cast.root)
    execution = started(cast, cast.bob, roles=["Reader"])
    assert execution.roles == [reader.pk]
    assert not may_in_project(identity_of(execution), Operation.RUN, cast.workshop.pk, "flow")
    assert started(cast, cast.bob, roles=[]).roles == []
    with pytest.raises(PermissionRefused, match="'Admin' cannot be passed on: you do not hold it"):
        started(cast, cast.bob, roles=["Reader", "Admin"])
    IdentityRole.objects.filter(role=reader).update(propagate=False)
    with pytest.raises(PermissionRefused, match="'Reader' cannot be passed on: it does not propagate"):
        started(cast, User.objects.get(pk=cast.bob.pk), roles=[str(reader.pk)])
    with pytest.raises(ValidationError, match="no role 'King'"):
        started(cast, cast.bob, roles=["King"])


def test_a_child_has_no_more_than_its_parent(cast: Cast, role: Making) -> None:
    starter = role("Starter", "execution CREATE")
    give_role("user", cast.bob.pk, starter, by=cast.root)
    parent = identity_of(started(cast, cast.bob, roles=["Starter"]))
    child = started(cast, parent)
    assert child.roles == [starter.pk]
    assert child.created_by == cast.bob
    with pytest.raises(PermissionRefused, match="'User' cannot be passed on"):
        started(cast, parent, roles=["User"])


def test_a_role_that_is_taken_away_is_gone_for_what_runs(cast: Cast) -> None:
    execution = started(cast, cast.bob)
    assert may_in_project(identity_of(execution), Operation.RUN, cast.workshop.pk, "flow")
    IdentityRole.objects.filter(identity_id=cast.bob.pk).delete()
    assert not may_in_project(identity_of(execution), Operation.RUN, cast.workshop.pk, "flow")


def test_a_superusers_execution_may_do_everything_unless_roles_are_given(cast: Cast) -> None:
    assert is_unrestricted(identity_of(started(cast, cast.root)))
    viewer = identity_of(started(cast, cast.root, roles=["Viewer"]))
    assert names(viewer) == ["Viewer"]
    assert may_in_project(viewer, Operation.READ, cast.attic.pk, "flow")
    assert not may_in_project(viewer, Operation.UPDATE, cast.attic.pk, "flow")
    User.objects.filter(pk=cast.root.pk).update(is_superuser=False)
    assert names(identity_of(started(cast, cast.bob))) == ["User"]
    assert not is_unrestricted(identity_of(Execution.objects.filter(created_by=cast.root).first()))  # type: ignore[arg-type]


def test_a_webhook_acts_with_its_own_roles_also_when_its_owner_is_disabled(cast: Cast) -> None:
    key = uuid4()
    give_role(
        IdentityKind.WEBHOOK, key, Role.objects.get(name="Webhook"), by=cast.root, project=cast.workshop
    )
    User.objects.filter(pk=cast.carol.pk).update(is_active=False)
    webhook = identity_for("webhook", key, "orders", User.objects.get(pk=cast.carol.pk))
    execution = started(cast, webhook)
    assert (execution.created_by, execution.starter_kind, execution.starter_id) == (
        cast.carol,
        "webhook",
        key,
    )
    child = started(cast, identity_of(execution))
    assert (child.starter_kind, child.starter_id, child.roles) == ("webhook", key, execution.roles)
    assert not may_in_project(identity_of(child), Operation.READ, cast.attic.pk, "flow")


def test_a_rerun_keeps_the_roles_unless_somebody_else_asks_for_it(cast: Cast, role: Making) -> None:
    runner = role("Runner", "execution CREATE", "execution READ")
    give_role("user", cast.bob.pk, runner, by=cast.root)
    execution = started(cast, cast.bob, roles=["Runner"])
    assert rerun_execution(execution, by=cast.bob, origin="API").roles == [runner.pk]
    assert names(identity_of(rerun_execution(execution, by=cast.alice, origin="API"))) == ["Admin"]


def test_an_identity_is_not_the_row_of_its_user(cast: Cast) -> None:
    with pytest.raises(TypeError):
        identity_of(started(cast, cast.bob)).save()
