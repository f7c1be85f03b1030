"""Flows and projects saved in the admin keep the rules of the operations: versions, trash, the Default project."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.models import IdentityRole, Role
from connectors.operations import create_connector
from flows.models import Flow
from flows.operations import create_flow
from flows.wrappers import create_wrapper
from projects.models import Project
from tests.admin.pages import act, list_of, page_of
from tests.cast import Cast

SCRIPT = "def handler(system, this):\n    return 1\n"


@pytest.fixture
def flow(cast: Cast) -> Flow:
    return create_flow(by=cast.root, name="Sorter", project=cast.workshop, script=SCRIPT)


def form_of(flow: Flow, **changed: Any) -> dict[str, Any]:
    form = {
        "name": flow.name,
        "project": str(flow.project_id),
        "description": flow.description,
        "script": flow.script.replace("\n", "\r\n"),  # as browsers send it
        "input_schema": json.dumps(flow.input_schema),
        "max_runtime_minutes": "",
        "priority": "0",
    }
    return form | changed


def test_a_changed_script_becomes_a_version(client_of_root: Client, cast: Cast, flow: Flow) -> None:
    script = SCRIPT.replace("1", "2")
    response = client_of_root.post(page_of(flow), form_of(flow, script=script))
    assert response.status_code == 302, response.context["errors"]
    flow.refresh_from_db()
    assert (flow.version, flow.script, flow.modified_by) == (2, script, cast.root)
    assert flow.versions.count() == 2


def test_saving_an_unchanged_script_adds_no_version(client_of_root: Client, flow: Flow) -> None:
    assert client_of_root.post(page_of(flow), form_of(flow, description="sorts")).status_code == 302
    flow.refresh_from_db()
    assert (flow.version, flow.script, flow.description) == (1, SCRIPT, "sorts")


def test_a_new_flow_gets_its_first_version(client_of_root: Client, cast: Cast) -> None:
    address = reverse("admin:flows_flow_add")
    assert "def handler(" in client_of_root.get(address).content.decode()
    blank = Flow(name="Packer", project=cast.default)
    response = client_of_root.post(address, form_of(blank, script="def handler("))
    assert response.status_code == 302, response.context["errors"]
    made = Flow.objects.get(name="Packer")
    assert (made.version, made.has_syntax_error, made.created_by) == (1, True, cast.root)


def test_what_the_operation_refuses_stands_at_its_field(client_of_root: Client, flow: Flow) -> None:
    response = client_of_root.post(page_of(flow), form_of(flow, input_schema='{"type": 5}', name="Renamed"))
    assert response.status_code == 200
    assert "Not a JSON Schema" in str(response.context["adminform"].form.errors["input_schema"])
    assert 'value="Renamed"' in response.content.decode()
    flow.refresh_from_db()
    assert (flow.name, flow.version) == ("Sorter", 1)


def test_a_taken_name_is_refused(client_of_root: Client, cast: Cast, flow: Flow) -> None:
    other = create_flow(by=cast.root, name="Packer", project=cast.workshop)
    response = client_of_root.post(page_of(other), form_of(other, name="Sorter"))
    assert response.status_code == 200
    assert "already" in str(response.context["adminform"].form.errors)


def test_a_readonly_flow_is_not_changed(client_of_root: Client, flow: Flow) -> None:
    Flow.objects.filter(pk=flow.pk).update(is_readonly=True)
    response = client_of_root.post(page_of(flow), form_of(flow, is_readonly="on", description="x"))
    assert "read-only" in str(response.context["adminform"].form.errors)
    assert client_of_root.post(page_of(flow), form_of(flow, description="x")).status_code == 302
    flow.refresh_from_db()
    assert (flow.is_readonly, flow.description) == (False, "x")


def test_a_flow_goes_to_the_trash_and_back(client_of_root: Client, cast: Cast, flow: Flow) -> None:
    assert client_of_root.get(reverse("admin:flows_flow_delete", args=[flow.pk])).status_code == 403
    assert act(client_of_root, "trash_chosen", flow) == ["Moved to the trash: 1 flow."]
    flow.refresh_from_db()
    assert flow.deleted_by == cast.root
    assert flow not in client_of_root.get(list_of(Flow)).context["cl"].result_list
    in_trash = list_of(Flow, trash="yes")
    assert flow in client_of_root.get(in_trash).context["cl"].result_list
    client_of_root.post(
        in_trash, {"action": "restore_chosen", "_selected_action": [str(flow.pk)], "index": 0}
    )
    flow.refresh_from_db()
    assert flow.deleted_at is None


def test_a_connector_is_given_wrappers_that_then_stay(client_of_root: Client, cast: Cast) -> None:
    again = create_wrapper(by=cast.root, name="again")
    connector = create_connector(by=cast.root, name="Things", connector_type="REST")
    form = {"name": "Things", "project": str(connector.project_id), "value": "{}"}
    wrong = client_of_root.post(page_of(connector), {**form, "wrappers": '[{"name": "nobody"}]'})
    assert "no wrapper &#x27;nobody&#x27;" in str(wrong.context["adminform"].form.errors["wrappers"])
    response = client_of_root.post(page_of(connector), {**form, "wrappers": '[{"name": "again"}]'})
    assert response.status_code == 302, response.context["errors"]
    connector.refresh_from_db()
    assert connector.wrappers == [{"name": "again", "inputs": {}}]
    said = act(client_of_root, "trash_chosen", again)
    assert "the connector 'Things'. Take it from them first" in said[-1]
    again.refresh_from_db()
    assert not again.is_deleted


def test_the_default_project_stays(client_of_root: Client, cast: Cast) -> None:
    said = act(client_of_root, "trash_chosen", cast.default, cast.attic)
    assert said[0] == "Moved to the trash: 1 project."
    assert "Default project cannot be deleted" in said[1]
    cast.default.refresh_from_db()
    assert cast.default.deleted_at is None
    response = client_of_root.post(page_of(cast.default), {"name": "Other", "description": ""})
    assert "cannot be deleted or renamed" in str(response.context["adminform"].form.errors["name"])


def test_projects_are_made_and_described(client_of_root: Client, cast: Cast) -> None:
    address = reverse("admin:projects_project_add")
    assert client_of_root.post(address, {"name": "Cellar", "description": "dark"}).status_code == 302
    assert Project.objects.get(name="Cellar").created_by == cast.root


def test_roles_are_given_changed_and_taken(client_of_root: Client, cast: Cast) -> None:
    role = Role.objects.get(name="Viewer")
    new = {
        "identity_kind": "user",
        "identity_id": str(cast.mallory.pk),
        "project": str(cast.attic.pk),
        "role": str(role.pk),
        "propagate": "on",
    }
    assert client_of_root.post(reverse("admin:access_identityrole_add"), new).status_code == 302
    held = IdentityRole.objects.get(identity_id=cast.mallory.pk)
    assert (held.role, held.project, held.propagate, held.created_by) == (role, cast.attic, True, cast.root)
    assert client_of_root.post(page_of(held), {}).status_code == 302
    held.refresh_from_db()
    assert held.propagate is False
    assert act(client_of_root, "take_chosen", held)[-1:] == ["Took away 1 identity role."]
    assert not IdentityRole.objects.filter(identity_id=cast.mallory.pk).exists()
