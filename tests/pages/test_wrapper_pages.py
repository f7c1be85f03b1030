"""The pages of wrappers, and the tab where a flow or a connector is given its wrappers."""

from typing import Any

import pytest
from django.urls import reverse

from connectors.operations import create_connector
from flows.models import Wrapper
from flows.wrappers import create_wrapper, save_wrapper
from records.kinds import kind_of, type_name
from tests.forms.test_forms import Fields

pytestmark = pytest.mark.django_db
TABS = ("detail", "schema", "executions", "history", "details")
SCHEMA = {"type": "object", "properties": {"max_tries": {"type": "integer", "minimum": 1, "default": 3}}}


@pytest.fixture
def wrapper(cast: Any) -> Wrapper:
    made = create_wrapper(by=cast.root, project=cast.workshop, name="again", input_schema=SCHEMA)
    return save_wrapper(made, by=cast.root, script=made.script + "\n# the second version\n")


@pytest.fixture(params=["flow", "connector"])
def keeper(request: pytest.FixtureRequest, cast: Any, flow: Any) -> Any:
    """A record that can keep wrappers."""
    if request.param == "flow":
        return flow
    return create_connector(by=cast.root, project=cast.workshop, name="Billing", connector_type="REST")


def keep(cast: Any, keeper: Any, wrappers: list[Any]) -> None:
    kind_of(type_name(keeper)).save(keeper, by=cast.root, wrappers=wrappers)


def tab_of(keeper: Any) -> str:
    return reverse(f"{type_name(keeper)}-wrappers", args=[keeper.pk])


def kept_by(keeper: Any) -> Any:
    return type(keeper).objects.get(pk=keeper.pk).wrappers


def page_of(wrapper: Wrapper, name: str = "detail", *more: Any) -> str:
    return reverse(f"wrapper-{name}", args=[wrapper.pk, *more])


@pytest.mark.parametrize("tab", TABS)
def test_members_see_every_tab_and_others_none(cast, browser_of, wrapper, tab):
    text = browser_of(cast.carol).get(page_of(wrapper, tab)).text
    assert "again" in text and "@2" in text
    assert browser_of(cast.mallory).get(page_of(wrapper, tab)).status_code == 404


def test_the_list_and_what_is_made_from_it(cast, browser_of, wrapper):
    client = browser_of(cast.alice)
    assert "again" in client.get(reverse("wrapper-list")).text
    assert "No wrapper matches" in client.get(reverse("wrapper-list") + "?q=zzz").text
    given = {"name": "new", "project": str(cast.workshop.pk)}
    client.post(reverse("wrapper-create"), given)
    assert "start_child" in Wrapper.objects.get(name="new").script
    assert "create-wrapper" not in browser_of(cast.carol).get(reverse("wrapper-list")).text
    assert browser_of(cast.carol).post(reverse("wrapper-create"), given | {"name": "x"}).status_code == 403
    assert "No wrappers yet" in browser_of(cast.mallory).get(reverse("wrapper-list")).text


def test_the_editor_saves_and_brings_versions_back(cast, browser_of, wrapper):
    client = browser_of(cast.alice)
    body = {"script": "x = = 1", "version": 2}
    answer = client.post(page_of(wrapper, "save"), body, "application/json").json()
    assert answer["version"] == 3 and answer["problems"][0]["line"] == 1
    assert "the second version" in client.get(page_of(wrapper, "history") + "?version=2").text
    client.post(page_of(wrapper, "version-restore", 2))
    wrapper.refresh_from_db()
    assert wrapper.version == 4 and not wrapper.has_syntax_error


def test_the_trash_and_the_way_back(cast, browser_of, wrapper, keeper):
    client = browser_of(cast.alice)
    keep(cast, keeper, [{"name": "again"}])
    answer = client.post(page_of(wrapper, "delete"), follow=True).text
    assert f"the {type_name(keeper)} &#x27;{keeper.name}&#x27;. Take it from them first" in answer
    keep(cast, keeper, [])
    assert page_of(wrapper, "restore") in client.post(page_of(wrapper, "delete"), follow=True).text
    assert "again" in client.get(reverse("wrapper-list") + "?trash").text
    client.post(page_of(wrapper, "restore"))
    assert Wrapper.objects.alive().filter(pk=wrapper.pk).exists()


def test_its_page_shows_what_keeps_it(cast, browser_of, wrapper, keeper):
    words = f"{type_name(keeper).capitalize()}s that keep it"
    client = browser_of(cast.carol)
    assert "that keep it" not in client.get(page_of(wrapper)).text
    keep(cast, keeper, [{"name": "again"}])
    text = client.get(page_of(wrapper)).text
    assert words in text and tab_of(keeper) in text
    kind_of(type_name(keeper)).save(keeper, by=cast.root, project=cast.default)  # where Carol sees nothing
    assert "that keep it" not in client.get(page_of(wrapper)).text


def fields_of(html: str) -> dict[str, Any]:
    """Return what a browser would send of the form with the wrappers."""
    return Fields(html[html.index("<fieldset") :]).sent.dict()


def test_wrappers_are_given_by_a_form(cast, browser_of, wrapper, keeper):
    client, address = browser_of(cast.alice), tab_of(keeper)
    keep(cast, keeper, [{"name": "again", "inputs": {"max_tries": 7}}])
    page = client.get(address)
    assert 'value="7"' in page.text and keeper.name in page.text
    # What the page shows, sent back with another number.
    given = fields_of(page.text)
    name = next(name for name, value in given.items() if value == "7")
    assert client.post(address, given | {name: "0"}).status_code == 422
    assert client.post(address, given | {name: "9"}).headers["Location"] == address
    assert kept_by(keeper) == [{"name": "again", "inputs": {"max_tries": 9}}]
    assert client.post(address, {}).status_code == 302
    assert kept_by(keeper) == []


def test_what_one_may_not_run_may_stay(cast, browser_of, wrapper, keeper):
    keep(cast, keeper, [{"name": "again", "inputs": {"max_tries": 7}}])
    save_wrapper(wrapper, by=cast.root, project=cast.default)
    client, address = browser_of(cast.alice), tab_of(keeper)
    given = fields_of(client.get(address).text)
    assert client.post(address, given).status_code == 302
    assert kept_by(keeper) == [{"name": "again", "inputs": {"max_tries": 7}}]


def test_only_editors_give_wrappers(cast, browser_of, wrapper, keeper):
    client, address = browser_of(cast.bob), tab_of(keeper)
    text = client.get(address).text
    assert "disabled" in text and ">Save</button>" not in text
    keep(cast, keeper, [{"name": "again"}])
    assert client.post(address, fields_of(client.get(address).text)).status_code == 403
    assert browser_of(cast.mallory).get(address).status_code == 404


def test_without_any_wrapper_the_tab_says_where_to_get_one(cast, browser_of, keeper):
    assert "There are no wrappers yet" in browser_of(cast.carol).get(tab_of(keeper)).text
