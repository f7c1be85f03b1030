"""The audit log: every change is in it with who, before and after, and door; nothing is ever changed or removed."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access import audit
from access.api_keys import create_api_key
from access.audit_expiry import remove_old_entries
from access.identities import identity_for
from access.models import AuditEntry, Role, User
from access.operations import give_role, save_role, take_role
from access.permissions import visible
from engine_site.jobs import expire_audit
from executions.bulk import cancel_many
from executions.housekeeping import Turn
from executions.models import Execution
from executions.operations import cancel_execution
from executions.starting import Start, start_execution
from flows.operations import create_flow, restore_flow, save_flow, trash_flow
from projects.bundles import save_bundle
from projects.models import Project
from records import configuration
from records.identifiers import first_id_at
from tests.cast import Cast, hold


def entries(**filters: Any) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(**filters).order_by("id"))


def test_each_change_is_written_down_with_before_and_after(cast: Cast) -> None:
    flow = create_flow(by=cast.alice, project=cast.workshop, name="Report")
    save_flow(flow, by=cast.alice, name="Reports", priority=3)
    save_flow(flow, by=cast.alice, name="Reports")  # nothing changed
    trash_flow(flow, by=cast.alice)
    restore_flow(flow, by=cast.root)
    made, changed, trashed, restored = entries(record_id=str(flow.pk))
    assert [entry.action for entry in (made, changed, trashed, restored)] == [
        "create", "update", "delete", "restore",
    ]  # fmt: skip
    assert made.changes["name"] == [None, "Report"]
    assert changed.changes == {"name": ["Report", "Reports"], "priority": [0, 3]}
    assert (changed.record_type, changed.record_name, changed.project) == ("flow", "Reports", cast.workshop)
    assert (changed.identity_kind, changed.identity_id, changed.identity_name) == (
        "user",
        cast.alice.pk,
        "alice",
    )
    assert (changed.user_id, changed.door) == (cast.alice.pk, "command")
    assert restored.user_id == cast.root.pk


def test_the_door_is_named(cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.root)
    browser.post(reverse("project-create"), {"name": "By page"})
    browser.post(reverse("admin:projects_project_add"), {"name": "By admin", "description": ""})
    key = create_api_key(cast.root, "tests")[1]
    sent = {"headers": {"Authorization": f"Bearer {key}"}, "content_type": "application/json"}
    assert browser.post("/api/latest/project", {"name": "By REST"}, **sent).status_code == 201
    for name, door in (("By page", "page"), ("By admin", "admin"), ("By REST", "rest")):
        [entry] = entries(record_name=name)
        assert (entry.door, entry.address, entry.user_id) == (door, "127.0.0.1", cast.root.pk)


def test_it_can_only_be_added_to(cast: Cast) -> None:
    create_flow(by=cast.root, name="Report")
    for statement in (
        "UPDATE access_auditentry SET identity_name = 'mallory'",
        "DELETE FROM access_auditentry",
    ):
        with pytest.raises(Error, match="can only be added to"), transaction.atomic():
            connection.cursor().execute(statement)
    with pytest.raises(Error), transaction.atomic():
        AuditEntry.objects.all().delete()


def aged(days: float) -> AuditEntry:
    at = timezone.now() - timedelta(days=days)
    return AuditEntry.objects.create(
        id=first_id_at(at), at=at, door="rest", action="update", record_type="flow"
    )


def test_by_default_it_is_kept_for_ever(cast: Cast) -> None:
    aged(15_000)
    assert remove_old_entries() == 0


def test_old_entries_go_if_the_workspace_says_so(cast: Cast) -> None:
    configuration.store("AUDIT_DAYS", 30, by=cast.root)
    young, old = aged(29), [aged(31), aged(400)]
    try:
        assert remove_old_entries(most=1) == 1
        assert expire_audit(Turn(60, rests=False)).count == 1
        assert not AuditEntry.objects.filter(pk__in=[each.pk for each in old]).exists()
        assert AuditEntry.objects.filter(pk=young.pk).exists()
        with pytest.raises(Error, match="can only be added to"), transaction.atomic():
            AuditEntry.objects.filter(pk=young.pk)._raw_delete("default")
    finally:
        configuration.reset("AUDIT_DAYS", by=cast.root)


@pytest.mark.parametrize("days", ["0", "1", "-5"])
def test_the_database_keeps_the_last_day_whoever_asks(cast: Cast, days: str) -> None:
    fresh, stale = aged(0.9), aged(1.1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('engine.audit_days', %s, true)", [days])
        with pytest.raises(Error, match="has not expired"), transaction.atomic():
            AuditEntry.objects.filter(pk=fresh.pk)._raw_delete("default")
        AuditEntry.objects.filter(pk=stale.pk)._raw_delete("default")
        with pytest.raises(Error, match="can only be added to"), transaction.atomic():
            AuditEntry.objects.filter(pk=fresh.pk).update(identity_name="mallory")
        cursor.execute("SELECT set_config('engine.audit_days', '', true)")


def test_what_is_rolled_back_was_not_done(cast: Cast) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        create_flow(by=cast.root, name="Never")
        raise RuntimeError
    assert not entries(record_name="Never")


def test_secrets_are_masked_and_long_values_cut() -> None:
    changes = {
        "password": ("old", ""),
        "value": (None, {"user": "joe", "api_key": "s3cret", "inner": [{"token": "t0ken", "n": 1}]}),
        "script": ("x" * 10_000, "y"),
        "is_enabled": (False, True),
    }
    shown = audit.shown_changes(changes)
    assert shown["password"] == [audit.MASK, None]
    assert shown["value"][1] == {
        "user": "joe",
        "api_key": audit.MASK,
        "inner": [{"token": audit.MASK, "n": 1}],
    }
    assert len(shown["script"][0]) < 600 and shown["script"][0].endswith("(10,000 characters)")
    assert shown["is_enabled"] == [False, True]


def test_what_was_and_stays_nothing_is_no_change(cast: Cast) -> None:
    key, _ = create_api_key(cast.alice, "shell")
    assert entries(record_id=str(key.pk))[0].changes == {}
    limit = timezone.now() + timedelta(days=1)
    until, _ = create_api_key(cast.alice, "for a day", expires_at=limit)
    assert entries(record_id=str(until.pk))[0].changes["expires_at"][0] is None
    shown = audit.shown_changes({"a": (None, ""), "secret": ("", None), "n": (None, 0), "b": ("", False)})
    assert shown == {"n": [None, 0], "b": ["", False]}


def test_people_who_start_and_cancel_are_noted_and_flows_are_not(cast: Cast) -> None:
    start = Start(script="def handler(system, this): pass", name="tidy", project=cast.workshop)
    execution, _ = start_execution(start, by=cast.bob, origin=Execution.Origin.API)
    acting = identity_for("execution", execution.pk, "tidy", cast.bob, holder=("user", cast.bob.pk))
    child, _ = start_execution(start, by=acting, origin=Execution.Origin.EXECUTION)
    cancel_execution(execution, by=cast.alice)
    assert [(entry.action, entry.user_id) for entry in entries(record_id=str(execution.pk))] == [
        ("start", cast.bob.pk), ("cancel", cast.alice.pk),
    ]  # fmt: skip
    assert not entries(record_id=str(child.pk))
    cancel_many([child.pk, execution.pk], by=cast.alice)
    [entry] = entries(record_name="1 execution")
    assert entry.changes == {"ids": [None, [str(child.pk)]]}


def test_what_an_execution_does_names_it_and_its_user(cast: Cast) -> None:
    acting = identity_for("execution", cast.attic.pk, "nightly", cast.alice, holder=("user", cast.alice.pk))
    with audit.through("flow"):
        flow = create_flow(by=acting, project=cast.workshop, name="Made")
    [entry] = entries(record_id=str(flow.pk))
    assert (entry.identity_kind, entry.identity_name, entry.user_id) == (
        "execution",
        "nightly",
        cast.alice.pk,
    )
    assert (entry.door, flow.created_by) == ("flow", cast.alice)


def test_roles_are_noted_with_who_holds_them(cast: Cast) -> None:
    role = Role.objects.get(name="Viewer")
    take_role(give_role("user", cast.mallory.pk, role, by=cast.root, project=cast.attic), by=cast.root)
    given, taken = entries(record_type="user", record_id=str(cast.mallory.pk))
    assert given.changes["role"] == [None, "Viewer in Attic"]
    assert (taken.action, taken.changes) == ("take role", {"role": ["Viewer in Attic", None]})
    save_bundle(role.bundle, by=cast.root, is_readonly=False)
    save_role(role, by=cast.root, permissions=[{"record_type": "flow", "operation": "READ"}])
    assert "READ project" in entries(record_type="role", action="update")[-1].changes["permissions"][0]


def test_who_may_read_it(cast: Cast) -> None:
    places = (cast.workshop, cast.attic, cast.default)
    flows = [str(create_flow(by=cast.root, project=place, name=f"In {place}").pk) for place in places]
    hold(cast.mallory, "Admin")

    def seen(user: User) -> set[Project | None]:
        rows = visible(User.objects.get(pk=user.pk), AuditEntry.objects.select_related("project"))
        return {entry.project for entry in rows.filter(record_type="flow", record_id__in=flows)}

    assert seen(cast.carol) == seen(cast.bob) == set()
    assert seen(cast.alice) == {cast.workshop, cast.attic}
    assert seen(cast.root) == seen(cast.mallory) == {cast.workshop, cast.attic, cast.default}
