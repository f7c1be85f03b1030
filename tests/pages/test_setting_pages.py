"""The pages of settings: values as YAML and JSON, two people at once, the trash, and the lock beside the value."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from executions.models import Lock
from projects.models import Setting
from projects.setting import create_setting, save_setting

pytestmark = pytest.mark.django_db


@pytest.fixture
def setting(cast: Any) -> Setting:
    value = {"rows": 100, "tables": ["orders", "2030-01-31"]}
    return create_setting(by=cast.root, project=cast.workshop, name="limits", value=value)


def page_of(setting: Setting, name: str = "detail") -> str:
    return reverse(f"setting-{name}", args=[setting.pk])


def typed(setting: Setting, text: str) -> dict[str, str]:
    return {"value": text, "seen": Setting.objects.get(pk=setting.pk).modified_at.isoformat()}


def test_the_list_shows_values_and_finds_names(cast, browser_of, setting):
    create_setting(by=cast.root, project=cast.attic, name="elsewhere", value="x" * 500)
    client = browser_of(cast.carol)
    text = client.get(reverse("setting-list")).text
    assert "limits" in text and "&quot;rows&quot;: 100" in text and "elsewhere" not in text
    rows = client.get(reverse("setting-list") + "?q=nothing", headers={"HX-Request": "true"}).text
    assert "No setting matches" in rows and "<html" not in rows
    assert "x" * 121 not in browser_of(cast.root).get(reverse("setting-list")).text


def test_the_list_costs_the_same_for_many(cast, browser_of, django_assert_max_num_queries):
    for number in range(60):
        create_setting(by=cast.root, name=f"setting {number:02}", value=number)
    client = browser_of(cast.root)
    client.get(reverse("setting-list"))
    with django_assert_max_num_queries(9):
        page = client.get(reverse("setting-list"))
    assert len(page.context["list"].rows) == 50 and page.context["list"].next


def test_a_setting_is_created_and_opens(cast, browser_of):
    client = browser_of(cast.alice)
    given = {"name": "new one", "project": str(cast.workshop.pk)}
    response = client.post(reverse("setting-create"), given)
    made = Setting.objects.get(name="new one")
    assert response["Location"] == page_of(made) and made.value is None
    assert "null" in client.get(page_of(made)).text
    assert "not created" in client.post(reverse("setting-create"), given, follow=True).text
    assert browser_of(cast.carol).post(reverse("setting-create"), given | {"name": "x"}).status_code == 403


def test_a_value_is_shown_in_both_forms_and_read_in_either(cast, browser_of, setting):
    client = browser_of(cast.alice)
    assert client.get(page_of(setting)).context["text"] == "rows: 100\ntables:\n- orders\n- '2030-01-31'\n"
    assert '"rows": 100' in client.get(page_of(setting) + "?as=json").context["text"]
    for text, value in (
        ("a: [1, x]", {"a": [1, "x"]}),
        ('{"b": null}', {"b": None}),
        ("", None),
        ("'1'", "1"),
    ):
        assert client.post(page_of(setting), typed(setting, text)).status_code == 302
        assert Setting.objects.get(pk=setting.pk).value == value


def test_what_is_wrong_is_said_and_kept(cast, browser_of, setting):
    response = browser_of(cast.alice).post(page_of(setting), typed(setting, "a: [1\nb: 2"))
    assert response.status_code == 422
    assert (
        "neither JSON nor YAML" in response.text
        and "line 2" in response.text
        and "a: [1\nb: 2" in response.text
    )
    assert Setting.objects.get(pk=setting.pk).value["rows"] == 100


def test_whoever_saves_second_is_asked(cast, browser_of, setting):
    mine = typed(setting, "rows: 1")
    save_setting(setting, by=cast.root, value={"rows": 2})
    client = browser_of(cast.alice)
    response = client.post(page_of(setting), mine)
    assert response.status_code == 422 and "root changed the value while you did" in response.text
    assert Setting.objects.get(pk=setting.pk).value == {"rows": 2}
    again = {"value": "rows: 1", "seen": response.context["setting"].modified_at.isoformat()}
    assert client.post(page_of(setting), again).status_code == 302
    assert Setting.objects.get(pk=setting.pk).value == {"rows": 1}


def test_only_editors_change_it(cast, browser_of, setting):
    for user in (cast.bob, cast.carol):
        client = browser_of(user)
        assert "readonly" in client.get(page_of(setting)).text
        assert client.post(page_of(setting), typed(setting, "1")).status_code == 403
    assert browser_of(cast.mallory).get(page_of(setting)).status_code == 404


def test_the_other_fields(cast, browser_of, setting):
    client = browser_of(cast.alice)
    given = {"name": "bounds", "description": "of rows", "project": str(cast.attic.pk), "is_readonly": "on"}
    client.post(page_of(setting, "details"), given)
    setting.refresh_from_db()
    assert (setting.name, setting.project, setting.is_readonly) == ("bounds", cast.attic, True)
    assert "Clear the read-only mark" in client.post(page_of(setting), typed(setting, "1")).text
    copy = client.post(page_of(setting, "duplicate"), follow=True)
    assert "bounds copy" in copy.text


def test_the_trash_and_the_way_back(cast, browser_of, setting):
    client = browser_of(cast.alice)
    assert page_of(setting, "restore") in client.post(page_of(setting, "delete"), follow=True).text
    assert "limits" in client.get(reverse("setting-list") + "?trash").text
    assert "in the trash" in client.get(page_of(setting)).text
    client.post(page_of(setting, "restore"))
    assert Setting.objects.alive().filter(pk=setting.pk).exists()


def test_the_lock_is_shown_with_its_queue(cast, browser_of, setting, flow, start):
    client = browser_of(cast.carol)
    assert "No execution holds it" in client.get(page_of(setting)).text
    executions = [start(flow) for _ in range(3)]
    for number, execution in enumerate(executions):
        Lock.objects.create(setting=setting, execution=execution, since=None if number else timezone.now())
    page = client.get(page_of(setting, "lock"))
    places = [page.text.index(str(execution.pk)) for execution in executions]
    assert places == sorted(places) and "held" in page.text
    assert client.get(page_of(setting, "lock"), {"seen": page.context["lock"].stamp}).status_code == 204
    Lock.objects.filter(execution=executions[0]).delete()
    assert (
        "about to take it" in client.get(page_of(setting, "lock"), {"seen": page.context["lock"].stamp}).text
    )


def test_who_holds_it_may_be_a_secret(cast, browser_of, setting, flow, start):
    execution = start(flow)
    Lock.objects.create(setting=setting, execution=execution, since=timezone.now())
    type(execution).objects.filter(pk=execution.pk).update(project=cast.attic)
    text = browser_of(cast.carol).get(page_of(setting)).text
    assert "an execution that you may not see" in text and str(execution.pk) not in text
