"""The pages of flows: what they show to whom, and that their forms do what the operations allow."""

import json

import pytest
from django.urls import reverse

from executions.models import Execution
from flows.models import Flow
from flows.operations import create_flow, save_flow, trash_flow
from projects.operations import trash_project

pytestmark = pytest.mark.django_db

TABS = ["flow-detail", "flow-schema", "flow-executions", "flow-history", "flow-details"]
FAULTY = "def handler(system, this:\n    pass\n"


def save(client, flow, **body):
    return client.post(
        reverse("flow-save", args=[flow.pk]),
        json.dumps(body),
        content_type="application/json",
        headers={"Accept": "application/json"},
    )


@pytest.mark.parametrize("name", TABS)
def test_members_and_staff_see_every_tab_and_others_none(cast, browser_of, flow, start, name):
    start(flow)
    address = reverse(name, args=[flow.pk])
    for user in (cast.root, cast.alice, cast.bob, cast.carol):
        assert flow.name in browser_of(user).get(address).text
    assert browser_of(cast.mallory).get(address).status_code == 404


def test_buttons_stand_where_the_person_may_press_them(cast, browser_of, flow):
    address, run, delete = (
        reverse(name, args=[flow.pk]) for name in ("flow-detail", "flow-run", "flow-delete")
    )
    seen = {user.username: browser_of(user).get(address).text for user in (cast.alice, cast.bob, cast.carol)}
    assert {name for name, text in seen.items() if run in text} == {"alice", "bob"}
    assert {name for name, text in seen.items() if delete in text} == {"alice"}


def test_the_list_costs_the_same_for_many_flows(cast, browser_of, flow, start, django_assert_max_num_queries):
    client = browser_of(cast.carol)
    start(flow)
    client.get(reverse("flow-list"))
    for number in range(12):
        start(create_flow(by=cast.root, project=cast.workshop, name=f"flow {number}"))
    with django_assert_max_num_queries(9):
        response = client.get(reverse("flow-list"))
    assert len(response.context["list"].rows) == 13
    assert [row["status"] for row in response.context["list"].rows[0].latest] == ["QUEUED"]


def test_the_list_shows_only_flows_of_own_projects(cast, browser_of, flow):
    create_flow(by=cast.root, project=cast.attic, name="hidden in the attic")
    text = browser_of(cast.carol).get(reverse("flow-list")).text
    assert flow.name in text and "hidden in the attic" not in text


def test_the_list_filters_by_name_project_and_problems(cast, browser_of, flow):
    broken = create_flow(by=cast.root, project=cast.attic, name="broken", script=FAULTY)
    client = browser_of(cast.root)

    def names(query):
        return {row.name for row in client.get(reverse("flow-list") + query).context["list"].rows}

    assert names("?q=DAILY") == {flow.name}
    assert names(f"?project={cast.attic.pk}") == {broken.name}
    assert names("?problems") == {broken.name}
    assert names("?project=nonsense") == {flow.name, broken.name}


def test_typing_in_the_filter_gets_rows_without_the_shell(cast, browser_of, flow):
    text = browser_of(cast.root).get(reverse("flow-list"), headers={"HX-Request": "true"}).text
    assert flow.name in text and "<html" not in text


def test_pages_follow_each_other_by_key(cast, browser_of):
    for number in range(55):
        create_flow(by=cast.root, project=cast.workshop, name=f"flow {number:02}")
    client = browser_of(cast.root)
    first = client.get(reverse("flow-list")).context["list"]
    second = client.get(reverse("flow-list") + first.next).context["list"]
    assert [row.name for row in [*first.rows, *second.rows]] == [f"flow {number:02}" for number in range(55)]
    assert first.first == "" and second.next == "" and second.first


def test_flows_of_a_trashed_project_leave_the_list(cast, browser_of, flow):
    trash_project(cast.workshop, by=cast.root)
    assert flow.name not in browser_of(cast.root).get(reverse("flow-list")).text


def test_creating_opens_a_flow_that_runs(cast, browser_of):
    response = browser_of(cast.alice).post(
        reverse("flow-create"), {"name": " first ", "project": cast.workshop.pk}
    )
    flow = Flow.objects.get(name="first")
    assert response["Location"] == reverse("flow-detail", args=[flow.pk])
    assert flow.project == cast.workshop and not flow.has_syntax_error and "def handler" in flow.script


@pytest.mark.parametrize("name", ["", "   ", "x" * 129])
def test_a_name_that_will_not_do_is_answered_with_a_word(cast, browser_of, name):
    response = browser_of(cast.root).post(reverse("flow-create"), {"name": name}, follow=True)
    assert "The flow was not created." in response.text
    assert not Flow.objects.exists()


def test_a_viewer_may_not_create_change_or_run(cast, browser_of, flow):
    client = browser_of(cast.carol)
    posts = {
        reverse("flow-create"): {"name": "mine", "project": cast.workshop.pk},
        reverse("flow-run", args=[flow.pk]): {},
        reverse("flow-delete", args=[flow.pk]): {},
        reverse("flow-duplicate", args=[flow.pk]): {},
        reverse("flow-schema", args=[flow.pk]): {"input_schema": "{}"},
        reverse("flow-details", args=[flow.pk]): {"name": "other"},
        reverse("flow-version-restore", args=[flow.pk, 1]): {},
    }
    assert {
        address: client.post(address, given).status_code for address, given in posts.items()
    } == dict.fromkeys(posts, 403)
    assert save(client, flow, script="x", version=1).status_code == 403
    assert list(Flow.objects.values_list("name", "version")) == [(flow.name, 1)]
    assert not Execution.objects.exists()


def test_saving_answers_version_and_problems_at_their_place(cast, browser_of, flow):
    answer = save(browser_of(cast.alice), flow, script=FAULTY, version=1)
    assert answer.status_code == 200
    assert answer.json()["version"] == 2
    assert answer.json()["problems"][0] | {"message": ""} == {
        "message": "",
        "line": 1,
        "column": 11,
        "severity": "error",
    }
    flow.refresh_from_db()
    assert flow.has_syntax_error and flow.modified_by == cast.alice


def test_two_who_save_at_once_do_not_overwrite_each_other_unasked(cast, browser_of, flow):
    save_flow(flow, by=cast.alice, script="def handler(system, this):\n    pass\n")
    client = browser_of(cast.root)
    refused = save(client, flow, script="# mine", version=1)
    assert refused.status_code == 409
    assert "alice saved version 2" in refused.json()["error"]["message"]
    assert save(client, flow, script="# mine", version=1, overwrite=True).json()["version"] == 3


@pytest.mark.parametrize("body", ["", "[]", '{"script": 1}', '{"version": 1}', "not json"])
def test_saving_and_checking_refuse_what_is_no_script(cast, browser_of, flow, body):
    client = browser_of(cast.root)
    for address in (reverse("flow-save", args=[flow.pk]), reverse("flow-check")):
        answer = client.post(
            address, body, content_type="application/json", headers={"Accept": "application/json"}
        )
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "input_invalid"


def test_a_check_stores_nothing(cast, browser_of, flow):
    answer = browser_of(cast.mallory).post(
        reverse("flow-check"), json.dumps({"script": "x = 1"}), content_type="application/json"
    )
    assert "handler" in answer.json()["problems"][0]["message"]
    assert Flow.objects.get().script == flow.script


def test_a_flow_in_the_trash_can_be_seen_and_restored_but_not_run(cast, browser_of, flow):
    client = browser_of(cast.alice)
    response = client.post(reverse("flow-delete", args=[flow.pk]), follow=True)
    assert reverse("flow-restore", args=[flow.pk]) in response.text  # the way back, in the toast
    assert flow.name in client.get(reverse("flow-list") + "?trash").text
    assert client.post(reverse("flow-run", args=[flow.pk])).status_code == 404
    assert "in the trash" in client.get(reverse("flow-detail", args=[flow.pk])).text
    client.post(reverse("flow-restore", args=[flow.pk]))
    assert Flow.objects.alive().filter(pk=flow.pk).exists()


def test_a_name_taken_meanwhile_is_said_at_the_restore(cast, browser_of, flow):
    trash_flow(flow, by=cast.root)
    create_flow(by=cast.root, project=cast.workshop, name=flow.name)
    response = browser_of(cast.root).post(reverse("flow-restore", args=[flow.pk]), follow=True)
    assert "was not restored" in response.text
    assert Flow.objects.trashed().filter(pk=flow.pk).exists()


def test_duplicates_get_a_free_name(cast, browser_of, flow):
    client = browser_of(cast.alice)
    for _ in range(2):
        client.post(reverse("flow-duplicate", args=[flow.pk]))
    names = set(Flow.objects.values_list("name", flat=True))
    assert names == {"daily report", "daily report copy", "daily report copy 2"}


def test_history_shows_old_versions_and_brings_them_back(cast, browser_of, flow):
    first = flow.script
    save_flow(flow, by=cast.alice, script=first.replace("done", "changed"))
    client = browser_of(cast.alice)
    page = client.get(reverse("flow-history", args=[flow.pk]) + "?version=2")
    kinds = {kind for kind, _ in page.context["changes"]}
    assert {"added", "removed"} <= kinds
    client.post(reverse("flow-version-restore", args=[flow.pk, 1]))
    flow.refresh_from_db()
    assert (flow.version, flow.script) == (3, first)
    assert client.get(reverse("flow-history", args=[flow.pk]) + "?version=99").status_code == 404
    assert client.post(reverse("flow-version-restore", args=[flow.pk, 99])).status_code == 404


def test_a_schema_is_checked_and_can_be_taken_away(cast, browser_of, flow):
    client, address = browser_of(cast.alice), reverse("flow-schema", args=[flow.pk])
    for wrong in ("{", '{"type": "strange"}'):
        response = client.post(address, {"input_schema": wrong})
        assert response.status_code == 422 and wrong[:5] in response.context["text"]
    client.post(address, {"input_schema": '{"type": "object"}'})
    flow.refresh_from_db()
    assert flow.input_schema == {"type": "object"}
    client.post(address, {"input_schema": "  "})
    flow.refresh_from_db()
    assert flow.input_schema is None


def test_details_change_the_other_fields(cast, browser_of, flow):
    client, address = browser_of(cast.alice), reverse("flow-details", args=[flow.pk])
    given = {"name": "renamed", "description": "what for", "max_runtime_minutes": "5", "priority": "-2"}
    client.post(address, given | {"project": cast.attic.pk})
    flow.refresh_from_db()
    assert (flow.name, flow.description, flow.max_runtime_minutes, flow.priority, flow.project) == (
        "renamed",
        "what for",
        5,
        -2,
        cast.attic,
    )
    refused = client.post(address, given | {"priority": "soon"})
    assert refused.status_code == 422 and "whole number" in refused.context["error"]


def test_the_read_only_mark_guards_until_it_is_cleared(cast, browser_of, flow):
    client, address = browser_of(cast.alice), reverse("flow-details", args=[flow.pk])
    client.post(address, {"name": flow.name, "is_readonly": "on"})
    assert save(client, flow, script="x = 1", version=1).status_code == 400
    client.post(reverse("flow-delete", args=[flow.pk]))
    assert Flow.objects.alive().get().script == flow.script
    client.post(address, {"name": "free again"})
    assert Flow.objects.get().name == "free again"


def test_the_executions_tab_pages_by_key(cast, browser_of, flow, start, django_assert_max_num_queries):
    ids = [start(flow).pk for _ in range(52)]
    client = browser_of(cast.carol)
    with django_assert_max_num_queries(10):
        first = client.get(reverse("flow-executions", args=[flow.pk])).context["list"]
    second = client.get(reverse("flow-executions", args=[flow.pk]) + first.next).context["list"]
    assert [row.pk for row in [*first.rows, *second.rows]] == sorted(ids, reverse=True)


def test_words_of_people_are_escaped(cast, browser_of):
    bad = "<script>alert(1)</script>"
    flow = create_flow(
        by=cast.root, project=cast.workshop, name=bad, description=bad, script=f"# </textarea>{bad}"
    )
    client = browser_of(cast.root)
    for name in TABS:
        assert "<script>alert" not in client.get(reverse(name, args=[flow.pk])).text
    assert "<script>alert" not in client.get(reverse("flow-list")).text
