"""REST of connectors, and of connections: secrets go in and never come out."""

from collections.abc import Callable

import pytest

from connectors.models import Connector
from connectors.types import MODULES
from executions.models import Execution
from tests.cast import Cast, make_cast
from tests.rest.conftest import Caller

SECRET = "sesame-that-nobody-sees"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast) -> Caller:
    return Caller(cast.alice)


@pytest.fixture
def make(alice: Caller) -> Callable[..., str]:
    """Returns a maker of connectors; it returns their ids."""

    def made(name: str = "billing", **fields: object) -> str:
        body = {"name": name, "connector_type": "REST", "project_name": "Workshop", **fields}
        answer = alice.post("/connector", body)
        assert answer.status == 201, answer.body
        return str(answer.body["id"])

    return made


def test_secrets_go_in_and_never_come_out(alice: Caller, make: Callable[..., str]) -> None:
    key = make(value={"url": "https://x.example.org", "password": SECRET}, secrets={"token": SECRET + "2"})
    for answer in (
        alice.get(f"/connector/{key}"),
        alice.get("/connector"),
        alice.get("/connector/billing", {"by": "name"}),
        alice.patch(f"/connector/{key}", {"secrets": {"token": SECRET + "3"}}),
        alice.post(f"/connector/{key}/duplicate"),
        alice.get("/connector", {"fields": "id,value,has_secrets,secret_fields"}),
        alice.get("/audit_entry"),
    ):
        assert answer.status in (200, 201), answer.body
        assert SECRET not in str(answer.body)
    shown = alice.get(f"/connector/{key}").body
    assert shown["has_secrets"] is True
    assert shown["secret_fields"] == ["authentication.password", "authentication.token"]
    assert shown["value"] == {"url": "https://x.example.org"}
    assert Connector.objects.get(pk=key).open_secrets()["authentication"]["token"] == SECRET + "3"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"connector_type": "SMOKE"}, "connector_type"),
        ({"value": {"wrong": 1}}, "value"),
        ({"secrets": [1]}, "secrets"),
        ({"sealed": "x"}, "sealed"),
        ({"secret_fields": ["x"]}, "secret_fields"),
    ],
)
def test_what_is_refused(alice: Caller, body: dict[str, object], field: str) -> None:
    answer = alice.post(
        "/connector", {"name": "x", "connector_type": "REST", "project_name": "Workshop", **body}
    )
    assert (answer.status, list(answer.details)) == (400, [field])


def test_the_types_with_their_schemas(alice: Caller) -> None:
    answer = alice.get("/connector/types")
    assert [row["name"] for row in answer.body["results"]] == list(MODULES)
    assert all("properties" in row["schema"] and row["title"] for row in answer.body["results"])


def test_starting_a_connection(alice: Caller, make: Callable[..., str]) -> None:
    key = make()
    for body in ({"connector_id": key}, {"connector_name": "billing"}):
        answer = alice.post("/execution", {**body, "inputs": {"path": "/x", "token": SECRET}})
        assert answer.status == 201, answer.body
        found = answer.body
        assert (found["type"], found["connector_id"], found["connector_type"]) == ("CONNECTION", key, "REST")
        assert found["input_value"] == {"path": "/x", "authentication": {"token": "•••"}}
    answer = alice.post(
        "/execution", {"connector_type": "REST", "inputs": {"url": "x"}, "project_name": "Workshop"}
    )
    assert (answer.status, answer.body["connector_id"]) == (201, None)
    both = alice.post("/execution", {"connector_type": "REST", "connector_id": key})
    assert both.status == 400 and set(both.details) == {"connector_type", "connector_id"}
    assert alice.post(
        "/execution", {"connector_type": "SMOKE", "project_name": "Workshop"}
    ).details.keys() == {"connector_type"}
    assert alice.post("/execution", {"connector_name": "nobody's"}).details.keys() == {"connector_name"}
    again = alice.post(f"/execution/{found['id']}/rerun")
    assert (again.status, again.body["connector_id"], again.body["rerun_of_id"]) == (201, key, found["id"])


def test_trying_a_connector(alice: Caller, cast: Cast, make: Callable[..., str]) -> None:
    key = make()
    answer = alice.post(f"/connector/{key}/test")
    assert (answer.status, answer.body["name"]) == (201, "Test of billing")
    assert answer.headers["Location"].endswith(f"/api/latest/execution/{answer.body['id']}")
    assert Execution.objects.get(pk=answer.body["id"]).input_value == {"trial": True}
    assert Caller(cast.mallory).post(f"/connector/{key}/test").status == 404
    assert Caller(cast.carol).post(f"/connector/{key}/test").status == 403
    assert alice.post("/connector/nonsense/test").status == 400


def test_a_script_of_a_connection_is_not_there(alice: Caller, make: Callable[..., str]) -> None:
    started = alice.post("/execution", {"connector_id": make()}).body["id"]
    assert alice.get(f"/execution/{started}/script").status == 404
