"""The pages of roles, users and the audit log: who gets in, what they save, few questions for many rows."""

import pytest
from django.test import Client
from django.urls import reverse

from access.models import IdentityRole, Role, User
from access.operations import give_role, permissions_of
from flows.operations import create_flow
from records.kinds import kind_of
from tests.access.conftest import Making
from tests.access.samples import sample_of
from tests.cast import Cast, hold


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_matrix_saves_what_is_checked(cast: Cast, role: Making) -> None:
    made = role("Writer", "flow READ", "flow DELETE")
    client = browser_of(cast.root)
    page = client.get(reverse("role-detail", args=[made.pk])).text
    assert 'value="|flow|READ" data-operation="READ" aria-label="Read Flow" checked' in page
    assert 'value="|flow|RUN" data-operation="RUN" aria-label="Run Flow">' in page
    cells = ["|flow|READ", f"{cast.attic.pk}|*|RUN"]
    client.post(reverse("role-allow", args=[made.pk]), {"cell": cells})
    assert permissions_of(made) == [
        {"project_id": cast.attic.pk, "record_type": "*", "operation": "RUN"},
        {"project_id": None, "record_type": "flow", "operation": "READ"},
    ]
    wrong = client.post(reverse("role-allow", args=[made.pk]), {"cell": ["nonsense"]}, follow=True)
    assert "Nothing was saved" in wrong.text and len(permissions_of(made)) == 2


def test_rows_for_projects_out_of_sight_stay(cast: Cast, role: Making) -> None:
    made = role("Writer", "flow READ", project=cast.attic)
    editor = role("Editor", "role READ", "role UPDATE", "flow READ")
    give_role("user", cast.mallory.pk, editor, by=cast.root)
    client = browser_of(cast.mallory)
    page = client.get(reverse("role-detail", args=[made.pk])).text
    assert "1 project that you do not see" in page and "Attic" not in page
    client.post(reverse("role-allow", args=[made.pk]), {"cell": ["|flow|READ"]})
    assert {row["project_id"] for row in permissions_of(made)} == {None, cast.attic.pk}


def test_a_default_role_is_duplicated_not_changed(cast: Cast) -> None:
    client, viewer = browser_of(cast.root), Role.objects.get(name="Viewer")
    refused = client.post(reverse("role-allow", args=[viewer.pk]), {"cell": []}, follow=True)
    assert "read-only" in refused.text
    client.post(reverse("role-duplicate", args=[viewer.pk]))
    copy = Role.objects.get(name="Viewer copy")
    assert permissions_of(copy) == permissions_of(viewer) and not copy.is_readonly


def test_roles_are_made_deleted_and_restored(cast: Cast) -> None:
    client = browser_of(cast.root)
    client.post(reverse("role-create"), {"name": "Night shift", "description": "at night"})
    role = Role.objects.get(name="Night shift")
    client.post(reverse("role-save", args=[role.pk]), {"name": "Night", "description": ""})
    assert "Night" in client.post(reverse("role-delete", args=[role.pk]), follow=True).text
    assert "Night" in client.get(reverse("role-list") + "?trash").text
    client.post(reverse("role-restore", args=[role.pk]))
    assert Role.objects.alive().filter(name="Night").exists()
    assert "create" in client.get(reverse("role-history", args=[role.pk])).text


def test_roles_are_given_and_taken_on_the_page_of_a_user(cast: Cast) -> None:
    client, role = browser_of(cast.root), Role.objects.get(name="Developer")
    address = reverse("user-give-role", args=[cast.mallory.pk])
    client.post(address, {"role": str(role.pk), "project": str(cast.attic.pk), "propagate": "on"})
    held = IdentityRole.objects.get(identity_id=cast.mallory.pk)
    assert (held.role, held.project, held.propagate) == (role, cast.attic, True)
    for name in ("user-roles", "user-permissions", "user-sessions", "user-history", "user-detail"):
        assert client.get(reverse(name, args=[cast.mallory.pk])).status_code == 200
    assert "mallory" in client.get(reverse("role-holders", args=[role.pk])).text
    client.post(reverse("role-take", args=[held.pk]), {"back": "user"})
    assert not IdentityRole.objects.filter(pk=held.pk).exists()


def test_what_a_person_may_do_is_shown_with_the_roles_that_allow_it(cast: Cast) -> None:
    hold(cast.bob, "Developer", cast.attic)
    page = browser_of(cast.bob).get(reverse("account-permissions")).text
    assert "Attic" in page and "Workshop" in page and 'title="by Developer"' in page
    assert "Nothing but the own account" in browser_of(cast.mallory).get(reverse("account-permissions")).text


@pytest.mark.parametrize(
    ("name", "allowed"), [("user-list", {"root"}), ("audit-log", {"root", "alice"}), ("role-list", set())]
)
def test_who_gets_in(cast: Cast, name: str, allowed: set[str]) -> None:
    for person in (cast.root, cast.alice, cast.bob, cast.mallory):
        wanted = 200 if person.username in allowed or not allowed else 403
        assert browser_of(person).get(reverse(name)).status_code == wanted


def test_others_see_neither_users_nor_foreign_roles(cast: Cast, role: Making) -> None:
    made = role("Secret", "flow READ")
    client = browser_of(cast.bob)
    assert client.get(reverse("user-detail", args=[cast.alice.pk])).status_code == 404
    assert client.get(reverse("role-detail", args=[made.pk])).status_code == 404
    assert "Secret" not in client.get(reverse("role-list")).text
    assert client.get(reverse("role-detail", args=[Role.objects.get(name="User").pk])).status_code == 200
    post = client.post(reverse("role-allow", args=[Role.objects.get(name="User").pk]), {"cell": ["|*|RUN"]})
    assert post.status_code == 403


def test_the_log_is_searched(cast: Cast) -> None:
    create_flow(by=cast.alice, project=cast.workshop, name="Needle")
    create_flow(by=cast.root, project=cast.attic, name="Hay")
    client, address = browser_of(cast.root), reverse("audit-log")
    for query, seen in (
        ({"who": "ali"}, True),
        ({"who": "bob"}, False),
        ({"q": "need", "action": "create", "type": "flow", "door": "command"}, True),
        ({"door": "rest"}, False),
        ({"from": "2001-01-01"}, True),
        ({"to": "2001-01-01"}, False),
        ({"from": "nonsense", "user": "nonsense"}, False),
    ):
        page = client.get(address, query, headers={"HX-Request": "true"}).text
        assert ("Needle" in page) is seen, query
    assert "Hay" not in browser_of(cast.bob).get(address).text


def test_lists_cost_the_same_for_many_rows(cast: Cast, django_assert_max_num_queries: object) -> None:
    people = [User(username=f"user{number:03}", password="!") for number in range(60)]
    User.objects.bulk_create(people)
    for person in people:
        hold(person, "Viewer", cast.attic)
    client = browser_of(cast.root)
    viewer = Role.objects.get(name="Viewer")
    for address in (
        reverse("user-list"),
        reverse("role-holders", args=[viewer.pk]),
        reverse("role-list"),
        reverse("audit-log"),
        reverse("project-detail", args=[cast.attic.pk]),
    ):
        with django_assert_max_num_queries(18):  # type: ignore[operator]
            assert client.get(address).status_code == 200


def test_roles_of_webhooks_and_schedules(cast: Cast) -> None:
    for name in ("webhook", "schedule"):
        kind = kind_of(name)
        record = sample_of(kind, cast, cast.workshop)
        address = reverse("identity-roles", args=[name, record.pk])
        alice = browser_of(cast.alice)
        role = Role.objects.get(name="Developer")
        alice.post(address, {"role": str(role.pk), "project": str(cast.workshop.pk)})
        held = IdentityRole.objects.get(identity_kind=name, identity_id=record.pk, role=role)
        assert (held.project, held.propagate) == (cast.workshop, False)
        page = alice.get(address).text
        assert "Developer" in page and 'title="by Developer' in page and "Workshop" in page
        assert name in alice.get(reverse("role-holders", args=[role.pk])).text.lower()
        assert browser_of(cast.mallory).get(address).status_code == 404
        assert browser_of(cast.carol).post(address, {"role": str(role.pk)}).status_code in (302, 403)
        alice.post(reverse("role-take", args=[held.pk]), {"back": "holder"})
        assert not IdentityRole.objects.filter(pk=held.pk).exists()
    assert browser_of(cast.root).get(reverse("identity-roles", args=["user", cast.bob.pk])).status_code == 404
