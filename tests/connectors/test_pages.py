"""The pages of connectors: lists, the form made of the schema, JSON, use, details, and secrets that never come back."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from access.models import User
from connectors.models import Connector
from connectors.operations import create_connector, save_connector, trash_connector
from executions.models import Execution
from executions.starting import Start, start_execution
from flows.operations import create_flow
from flows.wrappers import create_wrapper
from tests.cast import Cast, make_cast

SECRET = "sesame-that-nobody-sees"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """Returns a client signed in as the given person."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def alice(cast: Cast, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(cast.alice)


@pytest.fixture
def billing(cast: Cast) -> Connector:
    return create_connector(
        by=cast.alice,
        project=cast.workshop,
        name="billing",
        connector_type="REST",
        value={"url": "https://billing.example.org", "json": {"kept": True}, "headers": {"Accept": "text/x"}},
        secrets={"authentication": {"authentication_method": "basic", "username": "me", "password": SECRET}},
    )


def page_of(connector: Connector, name: str = "detail") -> str:
    return reverse(f"connector-{name}", args=[connector.pk])


def form(**fields: str) -> dict[str, str]:
    """Return what a browser sends of the form of a REST connector."""
    empty = dict.fromkeys(
        ("headers", "query", "authentication?way", "max_redirects", "total_timeout", "tls.ca"), ""
    )
    boxes = {"allow_redirects": "true", "tls.verify": "true", "url": "https://billing.example.org"}
    return {f"value.{name}": value for name, value in {**empty, **boxes, **fields}.items()}


def test_an_empty_list_says_what_connectors_are(alice: Client) -> None:
    text = alice.get(reverse("connector-list")).content.decode()
    assert "No connectors yet" in text and "this.connect(" in text


def test_the_list_filters(alice: Client, cast: Cast, billing: Connector) -> None:
    create_connector(by=cast.alice, project=cast.attic, name="archive", connector_type="SQLPG")
    start_execution(Start(connector=billing), by=cast.alice, origin="USER")

    def names(query: str) -> list[str]:
        answer = alice.get(reverse("connector-list") + query, headers={"HX-Request": "true"})
        assert "<html" not in answer.content.decode()
        return [name for name in ("billing", "archive") if f">{name}</a>" in answer.content.decode()]

    assert names("") == ["billing", "archive"]
    assert names("?q=BILL") == ["billing"]
    assert names("?type=SQLPG") == ["archive"]
    assert names(f"?project={cast.workshop.pk}") == ["billing"]
    trash_connector(billing, by=cast.alice)
    assert (names(""), names("?trash")) == (["archive"], ["billing"])


def test_creating_opens_the_form(alice: Client, cast: Cast) -> None:
    given = {"name": "shop", "connector_type": "REST", "project": str(cast.workshop.pk)}
    answer = alice.post(reverse("connector-create"), given, follow=True)
    made = Connector.objects.get(name="shop")
    assert answer.redirect_chain == [(page_of(made), 302)]
    for label in ("URL", "Authentication", "OAuth 2 client credentials", "Authorities"):
        assert label in answer.content.decode()
    answer = alice.post(reverse("connector-create"), given, follow=True)
    assert "was not created" in answer.content.decode()


def test_the_form_changes_what_it_shows_and_keeps_the_rest(alice: Client, billing: Connector) -> None:
    given = form(
        url="https://other.example.org",
        headers="Accept: application/json\nX-Api-Key: typed-into-the-headers",
        **{
            "authentication?way": "0",
            "authentication?way.0.username": "you",
            "authentication?way.0.password": "new-one",
        },
        total_timeout="12.5",
    )
    answer = alice.post(page_of(billing), given)
    assert answer.status_code == 302, answer.content.decode()
    billing.refresh_from_db()
    assert billing.value == {
        "url": "https://other.example.org",
        "json": {"kept": True},
        "headers": {"Accept": "application/json"},
        "authentication": {"authentication_method": "basic", "username": "you"},
        "total_timeout": 12.5,
    }
    secrets = billing.open_secrets()
    assert secrets["authentication"]["password"] == "new-one"
    assert secrets["headers"] == {"X-Api-Key": "typed-into-the-headers"}


def test_an_empty_password_leaves_the_stored_one(alice: Client, billing: Connector) -> None:
    way = {
        "authentication?way": "0",
        "authentication?way.0.username": "me",
        "authentication?way.0.password": "",
    }
    assert alice.post(page_of(billing), form(**way)).status_code == 302
    billing.refresh_from_db()
    assert billing.open_secrets()["authentication"]["password"] == SECRET


def test_what_is_wrong_is_said_beside_the_field(alice: Client, billing: Connector) -> None:
    answer = alice.post(page_of(billing), form(total_timeout="soon", max_redirects="99"))
    text = answer.content.decode()
    assert answer.status_code == 422
    assert (
        "Must be a number" in text
        and "Must be 50 or less" in text
        and "<details" in text
        and " open>" in text
    )
    billing.refresh_from_db()
    assert "total_timeout" not in billing.value


def test_json_changes_all_of_it(alice: Client, billing: Connector) -> None:
    given = {"value": '{"url": "https://x.example.org"}', "secrets": "authentication: {token: brand-new}"}
    assert alice.post(page_of(billing, "json"), given).status_code == 302
    billing.refresh_from_db()
    assert billing.value == {"url": "https://x.example.org"}
    assert billing.open_secrets()["authentication"]["token"] == "brand-new"
    for wrong, words in (("{", "neither JSON nor YAML"), ('{"port": "x"}', "whole number")):
        answer = alice.post(page_of(billing, "json"), {"value": wrong, "secrets": ""})
        assert answer.status_code == 422 and words in answer.content.decode()


def test_a_secret_is_removed(alice: Client, billing: Connector) -> None:
    assert "authentication.password" in alice.get(page_of(billing)).content.decode()
    alice.post(page_of(billing, "forget"), {"path": "authentication.password"})
    billing.refresh_from_db()
    assert "authentication.password" not in billing.secret_fields
    assert "password" not in billing.open_secrets()["authentication"]


def test_used_by(alice: Client, cast: Cast, billing: Connector) -> None:
    text = alice.get(page_of(billing, "use")).content.decode()
    assert "It was not used yet" in text and "in the script of no flow" in text
    script = "def handler(system, this):\n    this.connect('billing')\n"
    create_flow(by=cast.alice, project=cast.workshop, name="invoices", script=script)
    create_flow(by=cast.root, project=cast.default, name="not for Alice", script=script)
    made, _ = start_execution(Start(connector=billing), by=cast.alice, origin="USER")
    hidden, _ = start_execution(Start(connector=billing, project=cast.default), by=cast.root, origin="USER")
    text = alice.get(page_of(billing, "use")).content.decode()
    assert str(hidden.pk) not in text
    assert "invoices" in text and "not for Alice" not in text
    assert reverse("execution-detail", args=[made.pk]) in text


def test_details_and_the_trash(alice: Client, cast: Cast, billing: Connector) -> None:
    given = {"name": "Billing", "description": "Invoices", "project": str(cast.attic.pk)}
    assert alice.post(page_of(billing, "details"), given).status_code == 302
    billing.refresh_from_db()
    assert (billing.name, billing.description, billing.project) == ("Billing", "Invoices", cast.attic)
    assert alice.post(page_of(billing, "duplicate")).status_code == 302
    assert Connector.objects.get(name="Billing copy").has_secrets
    answer = alice.post(page_of(billing, "delete"), follow=True)
    assert "Moved “Billing” to the trash" in answer.content.decode()
    assert "in the trash" in alice.get(page_of(billing)).content.decode()
    alice.post(page_of(billing, "restore"))
    billing.refresh_from_db()
    assert not billing.is_deleted


def test_trying_it_shows_what_comes_of_it(alice: Client, billing: Connector) -> None:
    answer = alice.post(page_of(billing, "test"), follow=True)
    execution = Execution.objects.get(connector=billing)
    assert (execution.name, execution.input_value) == ("Test of billing", {"trial": True})
    assert "is being tested" in answer.content.decode()
    part = reverse("connector-trial", args=[billing.pk, execution.pk])
    for status, words in (
        ("ENDED_SUCCESS", "The connection works: 200 OK"),
        ("ENDED_ERROR", "does not work. 200 OK"),
    ):
        Execution.objects.filter(pk=execution.pk).update(status=status, message="200 OK")
        assert words in alice.get(part).content.decode()
    assert alice.get(reverse("connector-trial", args=[billing.pk, billing.pk])).status_code == 404


def test_running_it_with_inputs(alice: Client, billing: Connector) -> None:
    answer = alice.post(page_of(billing, "run"), {"inputs": "path: /things\nmethod: get"})
    execution = Execution.objects.get(connector=billing)
    assert answer.headers["Location"] == reverse("execution-detail", args=[execution.pk])
    assert execution.input_value == {"path": "/things", "method": "get"}
    answer = alice.post(page_of(billing, "run"), {"inputs": "path: ["}, headers={"HX-Request": "true"})
    assert "neither JSON nor YAML" in answer.content.decode()


def test_its_wrappers_are_run_through_unless_left_out(alice: Client, cast: Cast, billing: Connector) -> None:
    assert 'name="unwrapped"' not in alice.get(page_of(billing)).content.decode()
    create_wrapper(by=cast.root, project=cast.workshop, name="again")
    save_connector(billing, by=cast.root, wrappers=[{"name": "again"}])
    text = alice.get(page_of(billing)).content.decode()
    assert 'name="unwrapped"' in text and "(again)" in text

    def run(page: str, **given: str) -> Execution:
        alice.post(page_of(billing, page), given)
        return Execution.objects.latest("id")

    wrapped = run("run", inputs=f"authentication: {{token: {SECRET}}}")
    assert (wrapped.type, wrapped.connector, wrapped.name) == ("WRAPPER", None, "billing")
    assert wrapped.input_value["child"]["connector_name"] == "billing"
    assert wrapped.input_value["child"]["inputs"] == {"authentication": {"token": "•••"}}
    for bare in (run("run", inputs="", unwrapped="on"), run("test")):
        assert (bare.type, bare.connector) == ("CONNECTION", billing)


def test_the_page_of_a_connection(alice: Client, billing: Connector) -> None:
    made, _ = start_execution(Start(connector=billing), by=User.objects.get(username="alice"), origin="USER")
    text = alice.get(reverse("execution-detail", args=[made.pk])).content.decode()
    assert page_of(billing) in text
    assert "?tab=script" not in text and "?tab=savepoints" not in text
    assert "It is queued, and no worker is alive" in text


def test_no_page_shows_a_secret(alice: Client, billing: Connector) -> None:
    for name in ("detail", "json", "wrappers", "use", "details"):
        assert SECRET not in alice.get(page_of(billing, name)).content.decode()
    assert "stored; type to replace it" in alice.get(page_of(billing)).content.decode()


@pytest.mark.parametrize("name", ["bob", "carol"])
def test_who_may_not_change_it_sees_it_only(
    cast: Cast, browser_of: Callable[[User], Client], billing: Connector, name: str
) -> None:
    client = browser_of(getattr(cast, name))
    text = client.get(page_of(billing)).content.decode()
    assert "disabled" in text and ">Save</button>" not in text
    assert ("Test connection" in text) is (name == "bob")
    refused: dict[str, Any] = {"detail": form(), "forget": {"path": "authentication.password"}, "delete": {}}
    refused |= {} if name == "bob" else {"test": {}, "run": {"inputs": ""}}
    for page, given in refused.items():
        assert client.post(page_of(billing, page), given).status_code == 403, page
    billing.refresh_from_db()
    assert billing.secret_fields and not billing.is_deleted


def test_who_may_not_see_it(cast: Cast, browser_of: Callable[[User], Client], billing: Connector) -> None:
    client = browser_of(cast.mallory)
    for name in ("detail", "json", "wrappers", "use", "details"):
        assert client.get(page_of(billing, name)).status_code == 404
    assert client.post(page_of(billing, "test")).status_code == 404
    assert "billing" not in client.get(reverse("connector-list")).content.decode().split("Connectors</h1>")[1]


def test_it_is_found_by_the_search(alice: Client, billing: Connector) -> None:
    text = alice.get(reverse("search") + "?q=bill").content.decode()
    assert page_of(billing) in text
    assert UUID(str(billing.pk))
