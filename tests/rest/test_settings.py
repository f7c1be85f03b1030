"""Settings over REST: any JSON value, written whole; listed without their values."""

import pytest
from django.utils import timezone

from executions.models import Execution, Lock
from flows.models import Flow
from projects.models import Setting
from projects.setting import append_to_setting, create_setting
from tests.cast import Cast
from tests.executions.stage import in_threads
from tests.rest.conftest import Caller

VALUES = [None, True, 0, -1.5, "", "text ☃", [], [1, [2, None]], {}, {"a": {"b": [True, "x"]}}, 2**63]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_json_value_comes_back(root: Caller, value: object) -> None:
    made = root.post("/setting", {"name": "any", "value": value})
    assert made.status == 201
    key = made.body["id"]
    assert root.get(f"/setting/{key}").body["value"] == value
    assert root.patch(f"/setting/{key}", {"value": [value]}).body["value"] == [value]
    assert root.get("/setting/any", {"by": "name"}).body["value"] == [value]


def test_a_value_is_null_unless_given(alice: Caller, cast: Cast) -> None:
    made = alice.post("/setting", {"name": "lock", "project_name": "Workshop"}).body
    assert (made["value"], made["project_id"]) == (None, str(cast.workshop.pk))


def test_lists_leave_values_out_unless_asked(root: Caller) -> None:
    root.post("/setting", {"name": "one", "value": 1})
    [row] = root.get("/setting").body["results"]
    assert "value" not in row and row["name"] == "one"
    assert root.get("/setting", {"fields": "name,value"}).body["results"] == [{"name": "one", "value": 1}]


def test_what_cannot_be_stored_is_refused(root: Caller) -> None:
    assert root.post("/setting", {"name": "deep", "value": "\0"}).status == 400
    assert root.post("/setting", {"name": "x", "worth": 1}).details.keys() == {"worth"}


def test_a_setting_is_copied_trashed_and_restored(alice: Caller, carol: Caller) -> None:
    made = alice.post("/setting", {"name": "s", "value": {"a": 1}, "project_name": "Workshop"}).body
    assert alice.post("/setting", {"name": "s", "project_name": "Workshop"}).status == 409
    copy = alice.post(f"/setting/{made['id']}/duplicate").body
    assert (copy["name"], copy["value"]) == ("s copy", {"a": 1})
    assert carol.get(f"/setting/{made['id']}").status == 200
    assert carol.patch(f"/setting/{made['id']}", {"value": 2}).status == 403
    assert alice.delete(f"/setting/{made['id']}").status == 204
    assert alice.get("/setting", {"fields": "name"}).names() == ["s copy"]
    assert alice.post(f"/setting/{made['id']}/restore").status == 200


def test_a_read_only_one_keeps_its_value(alice: Caller) -> None:
    body = {"name": "fixed", "value": 1, "is_readonly": True, "project_name": "Workshop"}
    key = alice.post("/setting", body).body["id"]
    assert alice.patch(f"/setting/{key}", {"value": 2}).code == "readonly"
    assert alice.patch(f"/setting/{key}", {"value": 2, "is_readonly": False}).body["value"] == 2


@pytest.mark.django_db(transaction=True)
def test_what_many_append_at_once_is_all_there(cast: Cast) -> None:
    setting = create_setting(by=cast.root, name="list")
    in_threads(*[lambda n=n: append_to_setting(setting, n, by=cast.root) for n in range(8)])  # type: ignore[misc]
    assert sorted(Setting.objects.get(pk=setting.pk).value) == list(range(8))


def test_who_is_at_the_lock(root: Caller, carol: Caller, flow: Flow, cast: Cast) -> None:
    setting = create_setting(by=cast.root, name="door", project=cast.workshop)
    assert carol.get(f"/setting/{setting.pk}/lock").body == {"holder": None, "waiters": []}
    first, second, hidden = (root.post("/execution", {"flow_id": str(flow.pk)}).body["id"] for _ in range(3))
    for execution in (first, second, hidden):
        Lock.objects.create(
            setting=setting, execution_id=execution, since=timezone.now() if execution == first else None
        )
    Execution.objects.filter(pk=hidden).update(project=cast.attic)
    lock = carol.get("/setting/door/lock", {"by": "name"}).body
    assert (lock["holder"]["execution_id"], lock["holder"]["depth"]) == (first, 1)
    assert [each["execution_id"] for each in lock["waiters"]] == [second, None]
