"""The pages of projects: who sees and changes which, members, and the Default project that stays."""

import pytest
from django.urls import reverse

from access.models import IdentityRole
from connectors.operations import create_connector
from projects.models import Project
from schedules.operations import create_schedule
from schedules.scheduler_operations import create_scheduler
from webhooks.operations import create_webhook

pytestmark = pytest.mark.django_db


def test_members_see_their_projects_and_staff_all(cast, browser_of):
    def names(user):
        rows = browser_of(user).get(reverse("project-list")).context["list"].rows
        return [row.name for row in rows]

    assert names(cast.root) == ["Attic", "Default project", "Workshop"]
    assert names(cast.carol) == ["Workshop"]
    assert names(cast.mallory) == []
    assert browser_of(cast.carol).get(reverse("project-detail", args=[cast.attic.pk])).status_code == 404


def test_a_project_page_shows_flows_executions_and_members(
    cast, browser_of, flow, start, django_assert_max_num_queries
):
    execution = start(flow)
    client = browser_of(cast.carol)
    with django_assert_max_num_queries(19):
        text = client.get(reverse("project-detail", args=[cast.workshop.pk])).text
    assert flow.name in text and str(execution.pk) in text
    assert all(name in text for name in ("alice", "bob", "carol"))


def test_only_staff_create_projects(cast, browser_of):
    given = {"name": "New", "description": "for a test"}
    assert browser_of(cast.alice).post(reverse("project-create"), given).status_code == 403
    response = browser_of(cast.root).post(reverse("project-create"), given)
    assert response["Location"] == reverse("project-detail", args=[Project.objects.get(name="New").pk])


def test_only_editors_change_a_project(cast, browser_of):
    address = reverse("project-save", args=[cast.workshop.pk])
    for user in (cast.bob, cast.carol):
        assert browser_of(user).post(address, {"name": "taken over"}).status_code == 403
    browser_of(cast.alice).post(address, {"name": "Forge", "description": "hot"})
    assert Project.objects.get(pk=cast.workshop.pk).name == "Forge"


def test_a_taken_name_is_said(cast, browser_of):
    address = reverse("project-save", args=[cast.workshop.pk])
    response = browser_of(cast.root).post(address, {"name": "Attic"}, follow=True)
    assert "Nothing was saved." in response.text
    assert Project.objects.get(pk=cast.workshop.pk).name == "Workshop"


def test_the_trash_and_the_way_back(cast, browser_of):
    client = browser_of(cast.alice)
    restore = reverse("project-restore", args=[cast.attic.pk])
    response = client.post(reverse("project-delete", args=[cast.attic.pk]), follow=True)
    assert restore in response.text
    assert "Attic" in client.get(reverse("project-list") + "?trash").text
    client.post(restore)
    assert Project.objects.alive().filter(pk=cast.attic.pk).exists()


def test_the_default_project_stays(cast, browser_of):
    client = browser_of(cast.root)
    address = reverse("project-delete", args=[cast.default.pk])
    assert "cannot be deleted" in client.post(address, follow=True).text
    assert address not in client.get(reverse("project-detail", args=[cast.default.pk])).text
    client.post(reverse("project-save", args=[cast.default.pk]), {"name": "Mine"})
    assert Project.default() == cast.default


def roles_of(user):
    return [held.role.name for held in IdentityRole.objects.filter(identity_id=user.pk)]


def test_an_admin_gives_and_takes_roles(cast, browser_of):
    client = browser_of(cast.alice)
    address = reverse("project-member-set", args=[cast.workshop.pk])
    client.post(address, {"username": "mallory", "role": "User"})
    assert roles_of(cast.mallory) == ["User"]
    client.post(address, {"username": "mallory", "role": "Viewer"})
    assert roles_of(cast.mallory) == ["Viewer"]
    client.post(reverse("project-member-remove", args=[cast.workshop.pk, cast.mallory.pk]))
    assert roles_of(cast.mallory) == []


@pytest.mark.parametrize(
    "given", [{"username": "nobody", "role": "Viewer"}, {"username": "mallory", "role": "king"}]
)
def test_unknown_people_and_roles_are_refused_with_a_word(cast, browser_of, given):
    address = reverse("project-member-set", args=[cast.workshop.pk])
    assert 'class="toast err"' in browser_of(cast.alice).post(address, given, follow=True).text
    assert roles_of(cast.mallory) == []


def test_others_may_not_touch_members(cast, browser_of):
    for user in (cast.bob, cast.carol):
        client = browser_of(user)
        given = {"username": user.username, "role": "Admin"}
        assert client.post(reverse("project-member-set", args=[cast.workshop.pk]), given).status_code == 403
        removal = reverse("project-member-remove", args=[cast.workshop.pk, cast.alice.pk])
        assert client.post(removal).status_code == 403
    assert IdentityRole.objects.filter(project=cast.workshop).count() == 3


def test_who_removes_himself_is_led_out(cast, browser_of):
    address = reverse("project-member-remove", args=[cast.workshop.pk, cast.alice.pk])
    assert browser_of(cast.alice).post(address)["Location"] == reverse("project-list")


def test_a_project_page_shows_what_starts_flows_and_what_they_use(cast, browser_of, flow):
    address = reverse("project-detail", args=[cast.workshop.pk])
    assert browser_of(cast.carol).get(address).text.count("None here.") == 3
    scheduler = create_scheduler(by=cast.root, name="Daily", built_in="daily", project=cast.workshop)
    made = {
        "schedule": [
            create_schedule(
                by=cast.root,
                name=f"each {n}",
                flow=flow,
                scheduler=scheduler,
                configuration={"time": "08:30"},
            )
            for n in range(9)
        ],
        "webhook": [create_webhook(by=cast.alice, name=f"orders {n}", flow=flow) for n in range(2)],
        "connector": [
            create_connector(
                by=cast.alice,
                name="shop",
                project=cast.workshop,
                connector_type="REST",
                value={"url": "http://127.0.0.1/"},
            )
        ],
    }
    text = browser_of(cast.carol).get(address).text
    for name, records in made.items():
        shown = [each for each in records if reverse(f"{name}-detail", args=[each.pk]) in text]
        assert len(shown) == min(len(records), 8)
        assert f"{reverse(f'{name}-list')}?project={cast.workshop.pk}" in text
    assert "None here." not in text
    elsewhere = browser_of(cast.root).get(reverse("project-detail", args=[cast.attic.pk])).text
    assert elsewhere.count("None here.") == 3
