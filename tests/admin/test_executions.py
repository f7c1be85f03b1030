"""Executions in the admin can be looked at, cancelled and started again; nothing else."""

import pytest
from django.test import Client
from django.urls import reverse

from executions.lifecycle import Status
from executions.models import Execution, Maintenance
from executions.operations import cancel_execution
from executions.starting import Start, start_execution
from flows.models import Flow
from flows.operations import create_flow
from tests.admin.pages import act, confirm, list_of, page_of
from tests.cast import Cast


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.root, name="Sorter", project=cast.workshop)


@pytest.fixture
def execution(cast: Cast, flow: Flow) -> Execution:
    return start_execution(Start(flow=flow, name="sort", inputs={"by": "size"}), by=cast.root, origin="API")[
        0
    ]


def test_there_is_no_adding_editing_or_removing(client_of_root: Client, execution: Execution) -> None:
    assert client_of_root.get(reverse("admin:executions_execution_add")).status_code == 403
    assert (
        client_of_root.get(reverse("admin:executions_execution_delete", args=[execution.pk])).status_code
        == 403
    )
    assert client_of_root.post(page_of(execution), {"name": "renamed"}).status_code == 403
    execution.refresh_from_db()
    assert execution.name == "sort"


def test_its_page_leads_to_the_live_page(client_of_root: Client, execution: Execution) -> None:
    live = reverse("execution-detail", args=[execution.pk])
    for address in (page_of(execution), list_of(Execution)):
        assert f'href="{live}"' in client_of_root.get(address).content.decode()


def test_cancel_says_per_row_what_came_of_it(
    client_of_root: Client, cast: Cast, execution: Execution
) -> None:
    ended = start_execution(
        Start(script="def handler(system, this): pass", name="over"), by=cast.root, origin="API"
    )[0]
    cancel_execution(ended, by=cast.root)
    said = act(client_of_root, "cancel_chosen", execution, ended)
    assert said[0] == "Asked for the end of 1 execution."
    assert "over" in said[1] and "has ended" in said[1]
    execution.refresh_from_db()
    assert execution.status == Status.ENDED_CANCELLED


def test_rerun_starts_another_and_links_to_it(client_of_root: Client, execution: Execution) -> None:
    said = act(client_of_root, "rerun_chosen", execution)
    again = Execution.objects.get(rerun_of=execution)
    assert again.input_value == {"by": "size"}
    assert page_of(again) in said[0]
    assert said[1] == "Started again: 1 execution."


def test_all_matching_is_refused_here(client_of_root: Client, execution: Execution) -> None:
    said = act(client_of_root, "cancel_chosen", execution, select_across=1)
    assert said == ["Choose the rows one by one; nothing was done."]
    execution.refresh_from_db()
    assert execution.status == Status.QUEUED


def test_buttons_of_the_page_act_only_when_confirmed(client_of_root: Client, execution: Execution) -> None:
    address = reverse("admin:executions_execution_cancel", args=[execution.pk])
    assert "Cancel this execution?" in client_of_root.get(address).content.decode()
    execution.refresh_from_db()
    assert execution.status == Status.QUEUED
    assert confirm(client_of_root, "cancel", execution) == ["Asked for the end of 1 execution."]
    execution.refresh_from_db()
    assert execution.status == Status.ENDED_CANCELLED
    said = confirm(client_of_root, "rerun", execution)
    assert said[-1] == "Started again: 1 execution."
    assert Execution.objects.filter(rerun_of=execution, status=Status.QUEUED).exists()


def test_an_ended_execution_offers_no_cancel(
    client_of_root: Client, cast: Cast, execution: Execution
) -> None:
    offered = reverse("admin:executions_execution_cancel", args=[execution.pk])
    assert offered in client_of_root.get(page_of(execution)).content.decode()
    cancel_execution(execution, by=cast.root)
    assert offered not in client_of_root.get(page_of(execution)).content.decode()


def test_a_button_needs_the_token_of_its_page(cast: Cast, execution: Execution) -> None:
    stranger = Client(enforce_csrf_checks=True)
    stranger.force_login(cast.root)
    address = reverse("admin:executions_execution_cancel", args=[execution.pk])
    assert stranger.post(address, {"_form_submitted": "True"}).status_code == 403


def test_a_page_shows_although_parent_and_predecessor_are_gone(
    client_of_root: Client, execution: Execution
) -> None:
    gone = Execution(name="gone").pk
    Execution.objects.filter(pk=execution.pk).update(parent_id=gone, rerun_of_id=gone)
    response = client_of_root.get(page_of(execution))
    assert response.status_code == 200
    assert str(gone) in response.content.decode()


def test_pause_and_resume_say_per_row_what_came_of_it(client_of_root: Client, execution: Execution) -> None:
    assert act(client_of_root, "pause_chosen", execution) == ["Asked for a pause of 1 execution."]
    execution.refresh_from_db()
    assert execution.status == Status.PAUSED
    said = act(client_of_root, "resume_chosen", execution)
    assert said[-1] == "Resumed 1 execution."
    execution.refresh_from_db()
    assert execution.status == Status.QUEUED
    assert "is not paused" in act(client_of_root, "resume_chosen", execution)[-1]


def test_maintenance_is_started_once_and_ended(client_of_root: Client, cast: Cast) -> None:
    address = reverse("admin:executions_maintenance_add")
    assert client_of_root.post(address, {"note": "moving house"}).status_code == 302
    found = Maintenance.objects.get()
    assert (found.note, found.started_by) == ("moving house", cast.root)
    again = client_of_root.post(address, {"note": "again"})
    assert "Maintenance is on already." in str(again.context["adminform"].form.errors)
    assert act(client_of_root, "end_chosen", found)[-1] == "Ended 1 maintenance."
    assert not Maintenance.objects.exists()
